"""Why the local stack does not run, in words for whoever typed ``make run``."""

from pathlib import Path

TAIL_LINES = 25


class CannotRun(Exception):
    """The message is all that is shown: it says what is wrong and what to do about it."""


def failed(what: str, log: Path) -> CannotRun:
    """A tool failed: what it said last, and where the rest is."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
    said = f" It said last:\n\n{tail}\n\n" if tail else " "
    return CannotRun(f"{what}.{said}The whole log: {log}")
