"""The results of checks, of the service's and of this program's own."""

from collections.abc import Iterable
from enum import StrEnum

from close_provisioner.client.answers import Answer


class Mark(StrEnum):
    """The result of one check. ``unknown``: it could not be made, or the other side does not tell."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


FIXERS = {
    "operator": "the operator",
    "close-admin": "an administrator of the Close organization",
    "close-billing": "the person who pays for the Close organization",
    "aws-admin": "an administrator of the AWS account",
}


class Check(Answer):
    """One check: what was seen, the exact step that fixes it, and who can take it."""

    name: str
    mark: Mark
    seen: str
    fix: str | None = None
    who: str | None = None

    @classmethod
    def made(cls, name: str, mark: Mark, seen: str, fix: str | None = None, who: str | None = None) -> "Check":
        """Return a check that this program made itself."""
        return cls.read({"name": name, "mark": mark, "seen": seen, "fix": fix, "who": who})

    @property
    def fixer(self) -> str | None:
        """The role of the person who can fix it, in words."""
        return FIXERS.get(self.who, self.who) if self.who else None


def worst(checks: Iterable[Check]) -> Mark:
    """Return the worst mark: failed, then warning, then unknown, then ok."""
    marks = {each.mark for each in checks}
    return next((mark for mark in (Mark.FAILED, Mark.WARNING, Mark.UNKNOWN) if mark in marks), Mark.OK)
