"""``status``: one screen that says whether a person is needed."""

import typer

from close_provisioner.client.alarms import Alarm, alarms_that_are_on
from close_provisioner.client.status import Status
from close_provisioner.errors import CommandError
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.status import print_status
from close_provisioner.registration import command

LATE_SECONDS = 45 * 60
"""A message that waits longer than all its attempts take; the alarm ``oldest-message`` says so, too."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "status",
        needs=["execute-api:Invoke on GET/v1/status", "cloudwatch:DescribeAlarms (for the alarms)"],
        examples=["status", "status --json"],
    )(status)


def status(invocation: Invocation) -> None:
    """Show at a glance whether the stack is well, and what needs a person.

    The exit code is 5 if something does: an alarm, a dead-letter message, an unresolved or failed request of the last
    hour, a queue that does not move.
    """
    found = invocation.service.status.now()
    alarms = _alarms(invocation)
    if invocation.printer.as_json:
        shown = None if isinstance(alarms, str) else [each.model_dump() for each in alarms]
        invocation.printer.document({**found.raw, "alarms": shown})
    else:
        stack = invocation.stack
        where = stack.name if stack.is_local else f"{stack.name} · {found.region or stack.region}"
        print_status(invocation.printer, where, found, alarms)
    if needs_a_person(found, [] if isinstance(alarms, str) else alarms):
        raise typer.Exit(ExitCode.BAD)


def needs_a_person(found: Status, alarms: list[Alarm]) -> bool:
    """Return whether an operator must act."""
    late = (found.queue.oldest_seconds or 0) > LATE_SECONDS
    bad = any(found.last_hour.get(result) for result in ("failed", "unresolved"))
    return bool(alarms) or any(found.dead_letters.values()) or late or bad


def _alarms(invocation: Invocation) -> list[Alarm] | str:
    """Return the alarms that are on, or why they are not known."""
    try:
        return alarms_that_are_on(invocation.stack)
    except CommandError as error:
        return str(error)
