"""The ways in which a question or an action ends without its answer. Each message is one sentence for the operator."""


class CommandError(Exception):
    """The base of all. The message says what happened, why, and what to do."""


class Misused(CommandError):
    """The command line, or a file that it names, is not valid."""


class NotFound(CommandError):
    """No such stack, tenant, request or dead-letter message exists."""


class NotAllowed(CommandError):
    """AWS credentials are missing or expired, or lack a permission, which the message names."""


class Refused(CommandError):
    """The service understood the question and refused it; or the answer is bad."""


class StillWaiting(CommandError):
    """The time for waiting is over, and the outcome is not there yet."""


class StoppedPartWay(CommandError):
    """Some of the work was done. The message says how to resume."""


class Interrupted(CommandError):
    """The operator pressed Ctrl-C. The message says what was done, and what goes on."""


class Unexpected(CommandError):
    """The stack did not respond, or responded in a way that this version does not know."""
