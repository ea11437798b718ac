"""The templates that the rules judge: the translated one, and that of the alarms."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.checks.cloudformation import Template, as_list
from infra.checks.deployed import Deployed, references, role_of


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack. ``monitoring``: the nested template, with the values of its functions as they are written."""

    template: Template
    monitoring: Mapping[str, Any]

    @property
    def deployed(self) -> Deployed:
        return Deployed(self.template)

    def given(self, **parameters: Any) -> Deployed:
        """Return the stack with other values of these parameters."""
        return Deployed(Template(self.template.source, {**self.template.given, **parameters}))

    def functions(self) -> dict[str, dict[str, Any]]:
        return self.template.resources("AWS::Lambda::Function")

    def raw(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of that type as they are written, those of unmet conditions too."""
        return {name: each for name, each in self.template.source["Resources"].items() if each["Type"] == kind}

    def granted(self, function: str, action: str) -> set[str]:
        """Return the resources on which the function's role allows the action, as values."""
        return {
            resource
            for statement in self.deployed.statements(role_of(self.functions()[function]))
            if statement["Effect"] == "Allow" and action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }


type Rule = Callable[[Stack], Iterator[str]]
"""A rule yields one line for each fault. Its docstring names AWS's page."""


def dependencies(stack: Stack) -> dict[str, set[str]]:
    """Return what each resource waits for: its references and its ``DependsOn``."""
    resources = stack.template.source["Resources"]
    return {
        name: (references(each) | set(as_list(each.get("DependsOn", [])))) & set(resources) - {name}
        for name, each in resources.items()
    }


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Return every node that a path leads to from ``start``; itself, if it is on a circle."""
    found: set[str] = set()
    ahead = set(graph.get(start, set()))
    while ahead:
        found |= ahead
        ahead = set().union(*(graph.get(each, set()) for each in ahead)) - found
    return found
