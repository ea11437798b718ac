"""A translated template as values: parameters at their defaults, conditions decided, references left in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOTHING = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True)
class Template:
    """Values and conditions of a template. ``given``: parameters that differ from their defaults."""

    source: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of that CloudFormation type that would be made, by logical id."""
        return {
            name: self.resolve(resource.get("Properties", {}))
            for name, resource in self.source["Resources"].items()
            if resource["Type"] == kind and self.holds(resource.get("Condition"))
        }

    def properties(self, logical_id: str) -> dict[str, Any]:
        resolved: dict[str, Any] = self.resolve(self.source["Resources"][logical_id]["Properties"])
        return resolved

    def parameter(self, name: str) -> Any:
        return self.given.get(name, self.source["Parameters"][name].get("Default"))

    def holds(self, condition: str | None) -> bool:
        return condition is None or self._decide(self.source["Conditions"][condition])

    def resolve(self, value: Any) -> Any:
        """The value with parameters and conditions filled in, without what ``AWS::NoValue`` takes out."""
        match value:
            case {"Ref": str(name)} if name in self.source["Parameters"]:
                return self.parameter(name)
            case {"Fn::If": [str(condition), yes, no]}:
                return self.resolve(yes if self.holds(condition) else no)
            case dict():
                resolved = {key: self.resolve(item) for key, item in value.items()}
                return {key: each for key, each in resolved.items() if each != NOTHING}
            case list():
                return [each for each in map(self.resolve, value) if each != NOTHING]
        return value

    def _decide(self, expression: Mapping[str, Any]) -> bool:
        match expression:
            case {"Fn::Equals": [left, right]}:
                return str(self.resolve(left)) == str(self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self._decide(inner)
            case {"Fn::Or": list(inner)}:
                return any(self._decide(each) for each in inner)
            case {"Fn::And": list(inner)}:
                return all(self._decide(each) for each in inner)
            case {"Condition": str(name)}:
                return self.holds(name)
        raise NotImplementedError(f"a condition of an unknown kind: {expression}")


def statements(role: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every statement of a role's own policies."""
    found: list[dict[str, Any]] = []
    for policy in role.get("Policies", []):
        found.extend(policy["PolicyDocument"]["Statement"])
    return found


def as_list(value: Any) -> list[Any]:
    """Return a list; IAM accepts one value in place of a list."""
    return value if isinstance(value, list) else [value]
