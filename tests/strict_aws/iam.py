"""An evaluator of IAM's identity policies, as far as this project's policies go. An operator it does not know fails.

IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from infra.checks.cloudformation import as_list

type Statement = Mapping[str, Any]
type Values = Sequence[str]


@dataclass(frozen=True, slots=True)
class NeededPermission:
    """An action on a resource that a request needs, with the values of its condition keys."""

    action: str
    resource: str
    context: Mapping[str, Values] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


def allowing(statements: Sequence[Statement], asked: NeededPermission) -> list[int]:
    """Return the numbers of the statements that allow it; none if one denies it."""
    matching = [number for number, each in enumerate(statements) if matches(each, asked)]
    if any(statements[number]["Effect"] == "Deny" for number in matching):
        return []
    return matching


def matches(statement: Statement, asked: NeededPermission) -> bool:
    """Return whether the statement speaks about this request."""
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise NotImplementedError(f"elements of a statement that are not evaluated here: {unknown}")
    return (
        any(_like(each, asked.action, re.IGNORECASE) for each in as_list(statement["Action"]))
        and any(_like(each, asked.resource) for each in as_list(statement["Resource"]))
        and all(
            _holds(operator, key, [str(each) for each in as_list(values)], asked.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, key: str, expected: Values, context: Mapping[str, Values]) -> bool:
    quantifier, _, bare = operator.rpartition(":")
    values = next((each for name, each in context.items() if name.lower() == key.lower()), None)
    if bare == "Null":
        return (values is None) == (expected == ["true"])
    if bare.endswith("IfExists"):
        if values is None:
            return True
        bare = bare.removesuffix("IfExists")
    compare = _compare(bare)
    negated = "Not" in bare

    def fits(value: str) -> bool:
        return (
            all(compare(each, value) for each in expected)
            if negated
            else any(compare(each, value) for each in expected)
        )

    if quantifier == "ForAllValues":  # also true without values: only a key that every request has is safe here
        return all(fits(each) for each in values or [])
    if quantifier == "ForAnyValue":
        return any(fits(each) for each in values or [])
    if values is None:
        return negated
    return all(fits(each) for each in values)


def _compare(operator: str) -> Callable[[str, str], bool]:
    known: dict[str, Callable[[str, str], bool]] = {
        "StringEquals": lambda expected, value: expected == value,
        "StringNotEquals": lambda expected, value: expected != value,
        "StringLike": _like,
        "StringNotLike": lambda expected, value: not _like(expected, value),
        "ArnEquals": _like,
        "ArnLike": _like,
        "Bool": lambda expected, value: expected.lower() == value.lower(),
    }
    if operator not in known:
        raise NotImplementedError(f"a condition operator that is not evaluated here: {operator}")
    return known[operator]


def _like(pattern: str, value: str, flags: int = 0) -> bool:
    return bool(_regex(pattern, flags).fullmatch(value))


@cache
def _regex(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), flags | re.DOTALL)
