"""The result of a check: a mark, what was seen, and who can fix it by which step."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple


class Mark(StrEnum):
    """The judgment of one check. ``unknown``: it could not be made, or Close does not tell."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Who(StrEnum):
    """The one who can fix what a check found."""

    OPERATOR = "operator"
    CLOSE_ADMIN = "close-admin"  # an administrator of the Close organization
    CLOSE_BILLING = "close-billing"  # the one who pays for the Close organization


class Check(NamedTuple):
    """One check. ``fix``: the exact step, if there is one."""

    name: str
    mark: Mark
    seen: str
    fix: str | None = None
    who: Who | None = None

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


def ok(name: str, seen: str) -> Check:
    return Check(name, Mark.OK, seen)


def unknown(name: str, seen: str, fix: str | None = None, who: Who | None = None) -> Check:
    return Check(name, Mark.UNKNOWN, seen, fix, who)


def warning(name: str, seen: str, fix: str, who: Who) -> Check:
    return Check(name, Mark.WARNING, seen, fix, who)


def failed(name: str, seen: str, fix: str, who: Who) -> Check:
    return Check(name, Mark.FAILED, seen, fix, who)


def is_ready(checks: Iterable[Check], needed: Iterable[str]) -> bool:
    """Return whether no check failed, and each check that is ``needed`` was made and is not in doubt."""
    marks = {each.name: each.mark for each in checks}
    passed = {Mark.OK, Mark.WARNING}
    return Mark.FAILED not in marks.values() and all(marks.get(name) in passed for name in needed)
