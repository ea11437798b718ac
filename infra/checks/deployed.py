"""A translated template as CloudFormation would deploy it: every reference and function of the template is a value."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.checks.cloudformation import Template, statements

ACCOUNT, REGION, PARTITION, STACK = "111122223333", "us-east-1", "aws", "close-provisioner"

NAME_PROPERTIES = ("QueueName", "LogGroupName", "FunctionName", "RoleName", "TableName", "TopicName")
"""The properties that name a resource; the function's own name is none of them where it refers to another resource."""


PLACEHOLDER = re.compile(r"\$\{([^!}]+)\}")

REFERENCES = {
    "AWS::SQS::Queue": "https://sqs.{region}.amazonaws.com/{account}/{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy/{name}",
}
"""The value of ``Ref`` to a resource of that type; its name for any other."""

ATTRIBUTES = {
    ("AWS::DynamoDB::Table", "Arn"): "arn:aws:dynamodb:{region}:{account}:table/{ref}",
    ("AWS::SQS::Queue", "Arn"): "arn:aws:sqs:{region}:{account}:{last}",
    ("AWS::SQS::Queue", "QueueName"): "{last}",
    ("AWS::Logs::LogGroup", "Arn"): "arn:aws:logs:{region}:{account}:log-group:{ref}:*",
    ("AWS::Lambda::Function", "Arn"): "arn:aws:lambda:{region}:{account}:function:{ref}",
    ("AWS::IAM::Role", "Arn"): "arn:aws:iam::{account}:role/{ref}",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """The template's values. ``physical``: the values of ``Ref`` to resources of a stack that runs."""

    template: Template
    physical: Mapping[str, str] = field(default_factory=dict)
    account: str = ACCOUNT
    region: str = REGION
    _by_type: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Resources that were asked for before: the judge asks at every call that the functions send."""

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of all resources of that type, by logical id, as values."""
        if kind not in self._by_type:
            self._by_type[kind] = {name: self.value(each) for name, each in self.template.resources(kind).items()}
        return self._by_type[kind]

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Return every statement of the role: of its own policies, and of the template's managed ones that it has."""
        properties = self.value(self.template.properties(role))
        found = statements(properties)
        for name, policy in self.template.resources("AWS::IAM::ManagedPolicy").items():
            if self.ref(name) in properties.get("ManagedPolicyArns", []) or self.ref(role) in self.value(
                policy.get("Roles", [])
            ):
                found.extend(self.value(policy["PolicyDocument"]["Statement"]))
        return found

    def value(self, expression: Any) -> Any:
        """Return the expression with everything in it evaluated."""
        resolved = self.template.resolve(expression)
        if isinstance(resolved, list):
            return [self.value(each) for each in resolved]
        if not isinstance(resolved, dict):
            return resolved
        [name, *others] = resolved or [""]
        if name in INTRINSICS and not others:
            return INTRINSICS[name](self, resolved[name])
        return {key: self.value(each) for key, each in resolved.items()}

    def ref(self, name: str) -> Any:
        """Return the value of ``Ref``."""
        if name in self.template.source["Parameters"]:
            return self.template.parameter(name)
        if name.startswith("AWS::"):
            return self._pseudo(name)
        if name in self.physical:
            return self.physical[name]
        if self._type(name) == "AWS::Lambda::Alias":
            return f"{self._arn('lambda', f'function:{self._properties(name)["FunctionName"]}')}:live"
        return REFERENCES.get(self._type(name), "{name}").format(name=self._named(name), **self._place())

    def attribute(self, name: str, attribute: str) -> Any:
        """Return the value of ``Fn::GetAtt``; an invented one where nothing depends on it."""
        reference = str(self.ref(name))
        known = ATTRIBUTES.get((self._type(name), attribute), f"{{ref}}.{attribute}")
        return known.format(ref=reference, last=reference.rpartition("/")[2], **self._place())

    def _place(self) -> dict[str, str]:
        return {"account": self.account, "region": self.region}

    def _properties(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.value(self.template.source["Resources"][name].get("Properties", {}))
        return found

    def _type(self, name: str) -> str:
        kind: str = self.template.source["Resources"][name]["Type"]
        return kind

    def _named(self, name: str) -> str:
        resource = self.template.source["Resources"][name]
        given = [resource.get("Properties", {}).get(each) for each in NAME_PROPERTIES]
        named = [each for each in given if each and resource["Type"] != "AWS::Lambda::Alias"]
        return str(self.value(named[0])) if named else f"{STACK}-{name}"

    def _arn(self, service: str, rest: str) -> str:
        return f"arn:{PARTITION}:{service}:{self.region}:{self.account}:{rest}"

    def _pseudo(self, name: str) -> str:
        known = {
            "AWS::AccountId": self.account,
            "AWS::Partition": PARTITION,
            "AWS::Region": self.region,
            "AWS::StackName": STACK,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": self._arn("cloudformation", f"stack/{STACK}/1"),
        }
        return known.get(name, name)

    def substituted(self, given: Any) -> str:
        """Return the value of ``Fn::Sub``."""
        text, values = given if isinstance(given, list) else (given, {})

        def filled(found: re.Match[str]) -> str:
            name = found[1]
            if name in values:
                return str(self.value(values[name]))
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.ref(name))

        return PLACEHOLDER.sub(filled, text).replace("${!", "${")


def role_of(function: Mapping[str, Any]) -> str:
    """Return the logical id of the function's role."""
    match function["Role"]:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
    raise NotImplementedError(f"a role that is not one of the template's: {function['Role']}")


def references(expression: Any) -> set[str]:
    """Return the names that an expression refers to: parameters, resources and pseudo parameters."""
    if isinstance(expression, list):
        return set().union(*(references(each) for each in expression))
    if not isinstance(expression, dict):
        return set()
    found: set[str] = set()
    for key, each in expression.items():
        if key == "Ref":
            found.add(each)
        elif key == "Fn::GetAtt":
            found.add((each if isinstance(each, str) else each[0]).partition(".")[0])
        elif key == "Fn::Sub":
            text, values = each if isinstance(each, list) else (each, {})
            found |= {name.partition(".")[0] for name in PLACEHOLDER.findall(text)} - set(values) | references(values)
        else:
            found |= references(each)
    return found


def _attribute(deployed: Deployed, given: Any) -> Any:
    return deployed.attribute(*(given.split(".", 1) if isinstance(given, str) else given[:2]))


def _joined(deployed: Deployed, given: Any) -> str:
    return str(given[0]).join(str(each) for each in deployed.value(given[1]))


def _split(deployed: Deployed, given: Any) -> list[str]:
    return str(deployed.value(given[1])).split(given[0])


def _selected(deployed: Deployed, given: Any) -> Any:
    return deployed.value(given[1])[int(deployed.value(given[0]))]


INTRINSICS: dict[str, Callable[[Deployed, Any], Any]] = {
    "Ref": Deployed.ref,
    "Fn::GetAtt": _attribute,
    "Fn::Sub": Deployed.substituted,
    "Fn::Join": _joined,
    "Fn::Split": _split,
    "Fn::Select": _selected,
}
