"""``dead-letters list|show|redrive|drop``: messages that were given up."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from close_provisioner.client.dead_letters import DeadLetter, Moved
from close_provisioner.commands.options import ReasonOption, YesOption
from close_provisioner.errors import Misused, NotFound, Refused, StoppedPartWay
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.asking import confirm
from close_provisioner.output.table import Column, Value
from close_provisioner.registration import command

LISTS = "execute-api:Invoke on GET/v1/dead-letters"
NONE = "The dead-letter queues are empty."
SHORTEST = 8
COLUMNS = (
    Column("ID"),
    Column("SINCE", 6),
    Column("QUEUE", 3),
    Column("TENANT", 7),
    Column("REQUEST", 5),
    Column("CAUSE", 8),
    Column("REASON", 4, wraps=True, below=True),
    Column("THEN", 7),
)
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Messages, or the beginnings of ids.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    command(app, "list", needs=[LISTS], examples=["dead-letters list", "dead-letters list --json"])(list_all)
    command(app, "show", needs=[LISTS], examples=["dead-letters show 4f1c2a90"])(show)
    command(
        app,
        "redrive",
        needs=[LISTS, "execute-api:Invoke on POST/v1/dead-letters/redrives"],
        examples=[
            "dead-letters redrive 4f1c2a90",
            'dead-letters redrive --cause service-failed --reason "table throttled, OPS-813"',
            "dead-letters redrive --all",
        ],
    )(redrive)
    command(
        app,
        "drop",
        needs=[LISTS, "execute-api:Invoke on POST/v1/dead-letters/drops"],
        examples=['dead-letters drop 4f1c2a90 --reason "the producer was informed"'],
    )(drop)


def list_all(invocation: Invocation) -> None:
    """List the messages that were given up, grouped by cause. Listing hides none from other readers.

    Columns: id, first seen, queue, tenant, request, cause, reason, what can be done. The exit code is 5 if there are
    any.
    """
    found = sorted(invocation.service.dead_letters.all(), key=lambda each: (each.cause, each.first_seen or ""))
    _print(invocation, found)
    if found and invocation.printer.is_interactive:
        causes = Counter(each.cause for each in found)
        invocation.printer.note("; ".join(f"{number} {cause}" for cause, number in sorted(causes.items())))
    if found:
        raise typer.Exit(ExitCode.BAD)


def show(
    invocation: Invocation,
    message: Annotated[str, typer.Argument(metavar="ID", help="The message, or the beginning of its id.")],
) -> None:
    """Show one message with its body."""
    (found,) = _find(invocation, [message])
    printer = invocation.printer
    if printer.as_json:
        printer.document(found.raw)
        return
    printer.line(f"{found.id}  {found.queue}  {found.cause}")
    printer.paragraph(found.reason, 2)
    if found.tenant and found.request_id:
        printer.paragraph(f"The request: close-provisioner requests show {found.tenant}/{found.request_id}", 2)
    printer.line()
    printer.line(found.body)


def redrive(
    invocation: Invocation,
    ids: IdsArgument = None,
    cause: Annotated[str | None, typer.Option("--cause", metavar="CAUSE", help="All messages of one cause.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All messages that can succeed.")] = False,
    reason: ReasonOption = None,
    yes: YesOption = False,
) -> None:
    """Send messages again. Those that cannot succeed are kept where they are.

    Fix the cause first. Sending a message twice is safe.
    """
    if sum(map(bool, (ids, cause, every))) != 1:
        raise Misused("Name messages, or give one of --cause and --all.")
    found = _find(invocation, ids) if ids else invocation.service.dead_letters.all()
    chosen = [each for each in found if cause in {None, each.cause}]
    able = [each for each in chosen if each.redrivable]
    if not chosen:
        raise NotFound(f"No dead-letter message has the cause {cause}." if cause else NONE)
    _print(invocation, chosen, quiet=invocation.printer.as_json)
    if not able:
        raise Refused("None of these can succeed: fix and resend them at their producer, then drop them.")
    confirm(invocation.printer, f"Send {len(able)} again, and keep {len(chosen) - len(able)}?", yes=yes)
    selection: dict[str, Any] = (
        {"ids": [each.id for each in chosen]} if ids else {"cause": cause} if cause else {"all": True}
    )
    _report(invocation, invocation.service.dead_letters.redrive(selection, reason or "redrive"), "sent again")


def drop(
    invocation: Invocation,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Messages, or the beginnings of ids.")],
    reason: ReasonOption = None,
    yes: YesOption = False,
) -> None:
    """Delete messages for good. Each is named: none is dropped by its cause."""
    if not reason:
        raise Misused("--reason is missing: the audit keeps why.")
    found = _find(invocation, ids)
    _print(invocation, found, quiet=invocation.printer.as_json)
    confirm(invocation.printer, f"Delete {len(found)} for good?", yes=yes)
    _report(invocation, invocation.service.dead_letters.drop([each.id for each in found], reason), "deleted")


def _find(invocation: Invocation, ids: Sequence[str]) -> list[DeadLetter]:
    """Return the messages whose ids begin so. Raises ``NotFound`` and ``Misused``."""
    known = invocation.service.dead_letters.all()
    chosen = []
    for given in dict.fromkeys(ids):
        if not given:
            raise Misused("The id of a dead-letter message is empty.")
        matching = [each for each in known if each.id.startswith(given)]
        if not matching:
            raise NotFound(f"No dead-letter message has the id {given}.")
        if len(matching) > 1:
            raise Misused(f"{len(matching)} dead-letter messages have ids that begin with {given}: write more of it.")
        chosen += matching
    return chosen


def _print(invocation: Invocation, found: Sequence[DeadLetter], *, quiet: bool = False) -> None:
    if not quiet:
        invocation.printer.table(
            COLUMNS, [_row(invocation, each) for each in found], [each.raw for each in found], empty=NONE
        )


def _row(invocation: Invocation, each: DeadLetter) -> list[Value]:
    times = invocation.printer.times
    then = "redrive" if each.redrivable else "drop"
    first = times.cell(each.first_seen) if each.first_seen else None
    return [each.id, first, each.queue, each.tenant, each.request_id, each.cause, each.reason, then]


def _report(invocation: Invocation, moved: Moved, word: str) -> None:
    printer = invocation.printer
    if printer.as_json:
        printer.document(moved.raw)
    else:
        for each in moved.done:
            printer.line(f"✔ {each} {word}")
        for kept in moved.kept:
            printer.line(f"! {kept.id} kept: {kept.reason}")
        for missing in moved.missing:
            printer.line(f"! {missing} is not there any more")
    left = [each for each in moved.kept if each.cause in {"service-failed", "not-delivered", None}]
    if left or moved.missing:
        raise StoppedPartWay(f"{len(moved.done)} were {word}. List the rest with: close-provisioner dead-letters list")
