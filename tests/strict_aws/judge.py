"""Judges what the functions send: by AWS's models and limits, and by the policies of the deployed role.

It is made of the translated template alone, so that it knows every function, role and resource of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.checks.cloudformation import Template, as_list
from infra.checks.deployed import Deployed, role_of
from tests.strict_aws.call import Call
from tests.strict_aws.iam import NeededPermission, Statement, allowing, matches
from tests.strict_aws.limits import limit_faults
from tests.strict_aws.model_faults import model_faults
from tests.strict_aws.needs import needs
from tests.strict_aws.platform import platform_needs

type Grant = tuple[str, int, str, str]
"""A role, the number of its statement, an action of it, and a resource of it."""


@dataclass(slots=True)
class Judge:
    """Keeps each permission that was needed, by role, and for each kind of them one call that needed it."""

    deployed: Deployed
    asked: dict[str, dict[str, NeededPermission]] = field(default_factory=dict)
    calls: dict[str, tuple[str, Call]] = field(default_factory=dict)
    """Handler and call. Another judge can be asked about them."""
    statements: dict[str, list[Statement]] = field(init=False)
    roles: dict[str, str] = field(init=False)
    """The logical id of each handler's role."""

    def __post_init__(self) -> None:
        functions = self.deployed.template.resources("AWS::Lambda::Function").values()
        self.roles = {each["Handler"].split(".")[-2]: role_of(each) for each in functions}
        self.statements = {role: [*self.deployed.statements(role)] for role in self.roles.values()}

    def faults(self, handler: str, call: Call) -> list[str]:
        """Return everything that AWS would reject of this call by that handler's function."""
        role = self.roles[handler]
        found = [
            f"{call.service}:{call.operation} by {handler}: {each}"
            for each in (*model_faults(call), *limit_faults(call))
        ]
        for asked in needs(call, self.deployed):
            kind = self._remember(role, asked)
            self.calls.setdefault(f"{handler} {call.operation} {kind}", (handler, call))
            if not allowing(self.statements[role], asked):
                found.append(f"{role} does not allow {asked}, with {dict(asked.context)}")
        return found

    def _remember(self, role: str, asked: NeededPermission) -> str:
        """Keep one of each kind: same action and resource, same kinds of leading keys. Return the kind."""
        kind = f"{asked} {sorted({key.partition('#')[0] for key in asked.context.get('dynamodb:LeadingKeys', [])})}"
        self.asked.setdefault(role, {})[kind] = asked
        return kind

    def everything_asked(self) -> Iterator[tuple[str, NeededPermission]]:
        """Yield role and permission: of what functions sent, and of what Lambda does in their name."""
        yield from platform_needs(self.deployed)
        for role, of_role in self.asked.items():
            yield from ((role, each) for each in of_role.values())

    def unused(self) -> set[Grant]:
        """Return the grants of the functions' roles that nothing needed."""
        return {
            grant
            for grant in self._grants()
            if not any(_uses(self, grant, role, each) for role, each in self.everything_asked())
        }

    def _grants(self) -> Iterator[Grant]:
        for role in self.roles.values():
            for number, statement in enumerate(self.statements[role]):
                if statement["Effect"] == "Allow":
                    for action in as_list(statement["Action"]):
                        for resource in as_list(statement["Resource"]):
                            yield role, number, action, resource

    def noticed_without(self, role: str, number: int) -> bool:
        """Return whether something that was needed is refused when the role lacks that statement."""
        rest = [each for index, each in enumerate(self.statements[role]) if index != number]
        return any(not allowing(rest, asked) for of, asked in self.everything_asked() if of == role)


def _uses(judge: Judge, grant: Grant, role: str, asked: NeededPermission) -> bool:
    of_role, number, action, resource = grant
    statement = {**judge.statements[of_role][number], "Action": action, "Resource": resource}
    return of_role == role and matches(statement, asked)


def judge_of(template: Template, environment: Mapping[str, str], account: str, region: str) -> Judge:
    """Return a judge of a stack whose functions have this environment: it names the stack's real resources."""
    physical: dict[str, str] = {}
    given: dict[str, Any] = {}
    for function in template.source["Resources"].values():
        if function["Type"] == "AWS::Lambda::Function":
            for name, value in function["Properties"]["Environment"]["Variables"].items():
                if isinstance(value, dict) and "Ref" in value and name in environment:
                    known = value["Ref"] in template.source["Parameters"]
                    (given if known else physical)[value["Ref"]] = environment[name]
    return Judge(Deployed(Template(template.source, {**template.given, **given}), physical, account, region))
