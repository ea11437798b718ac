"""The reason why the local stack cannot start or go on, as the user reads it."""

from pathlib import Path

TAIL_LINES = 25


class StartupError(Exception):
    """The local stack cannot run. Users see only the message: the reason, and what to do."""


def tool_failure(what: str, log: Path) -> StartupError:
    """Return the error for a tool that failed, with the end of its log."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
    output = f" Its last output:\n\n{tail}\n\n" if tail else " "
    return StartupError(f"{what}.{output}Full log: {log}")
