"""The exit codes of every command, in one place."""

from enum import IntEnum

from close_provisioner.errors import (
    CommandError,
    Interrupted,
    Misused,
    NotAllowed,
    NotFound,
    Refused,
    StillWaiting,
    StoppedPartWay,
)


class ExitCode(IntEnum):
    """Each code, with its meaning for the reference page."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> "ExitCode":
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done; nothing needs a person"
    UNEXPECTED = 1, "it went wrong, unexpectedly"
    USAGE = 2, "the command line, or a file that it names, is not valid"
    NOT_FOUND = 3, "no such stack, tenant, request, source or dead-letter message"
    NOT_ALLOWED = 4, "not allowed, or no AWS credentials; the message names the action and the resource"
    BAD = 5, "the answer is bad: a failed request, a failed check, a blocked plan"
    WAITING = 6, "the request still waits"
    DIFFERS = 7, "a plan has steps"
    PART_WAY = 8, "stopped part way; the message says how to resume"
    INTERRUPTED = 130, "interrupted with Ctrl-C; the message says what was done"


_CODES: dict[type[CommandError], ExitCode] = {
    Misused: ExitCode.USAGE,
    NotFound: ExitCode.NOT_FOUND,
    NotAllowed: ExitCode.NOT_ALLOWED,
    Refused: ExitCode.BAD,
    StillWaiting: ExitCode.WAITING,
    StoppedPartWay: ExitCode.PART_WAY,
    Interrupted: ExitCode.INTERRUPTED,
}


def code_of(error: CommandError) -> ExitCode:
    """Return the exit code of an error; 1 for a kind without a code of its own."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), ExitCode.UNEXPECTED)
