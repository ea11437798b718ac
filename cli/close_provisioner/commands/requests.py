"""``requests list|show|watch``: what happened, and why."""

from collections.abc import Iterator
from typing import Annotated

import typer

from close_provisioner.client.requests import Filter, Summary
from close_provisioner.commands.options import LimitOption, RequestArgument, SinceOption, key_of, moment
from close_provisioner.errors import Interrupted
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.requests import COLUMNS, print_request, row
from close_provisioner.registration import command

POLL_SECONDS = 2.0
NEWEST = 200
NONE = "No request matches. `requests list --since 7d` looks further back."
READS = "execute-api:Invoke on GET/v1/provisioning-requests"

TenantOption = Annotated[str | None, typer.Option("--tenant", "-t", metavar="TENANT", help="Requests of this tenant.")]
StateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--state", metavar="STATE", help="waiting, settled (not published yet) or announced; may be repeated."
    ),
]
ResultOption = Annotated[
    list[str] | None,
    typer.Option("--result", metavar="RESULT", help="failed, unresolved, created, …; may be repeated."),
]
ProblemOption = Annotated[
    list[str] | None,
    typer.Option("--problem", metavar="PROBLEM", help="plan-limit, credential-rejected, …; may be repeated."),
]
SourceOption = Annotated[
    list[str] | None, typer.Option("--source", metavar="SOURCE", help="Signups of this sender; may be repeated.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    command(
        app,
        "list",
        needs=[READS],
        examples=[
            "requests list --since 24h",
            "requests list --tenant acme --result failed --result unresolved",
            "requests list --state waiting --follow",
        ],
    )(list_all)
    command(
        app,
        "show",
        needs=["execute-api:Invoke on GET/v1/provisioning-requests/*/history"],
        examples=["requests show acme/signup-8841", "requests show 748d656460adcb0b8858c99793f068cd --json"],
    )(show)
    command(app, "watch", needs=[READS], examples=["requests watch", "requests watch --tenant acme --json"])(watch)


def list_all(
    invocation: Invocation,
    tenant: TenantOption = None,
    state: StateOption = None,
    result: ResultOption = None,
    problem: ProblemOption = None,
    source: SourceOption = None,
    since: SinceOption = "24h",
    until: Annotated[str | None, typer.Option("--until", metavar="24h|TIME", help="Up to when: as --since.")] = None,
    limit: LimitOption = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with each new request until Ctrl-C.")] = False,
) -> None:
    """List requests, newest first.

    Columns: accepted, tenant, request, entry point, types, result or state, reason, id.
    """
    chosen = Filter(
        tenant=tenant,
        states=state or (),
        results=result or (),
        problems=problem or (),
        sources=source or (),
        since=moment(invocation, since),
        until=moment(invocation, until, "--until"),
    )
    found = list(invocation.service.requests.newest(chosen, limit))
    if follow:
        found.reverse()  # the newest is at the end, where the next ones appear
    _print(invocation, found)
    if not follow and len(found) == limit:
        invocation.printer.note(f"The newest {limit} are shown. --limit shows more.")
    if follow:
        for each in _changes(invocation, chosen, found, settled=False):
            _print(invocation, [each], titled=False)


def show(invocation: Invocation, request: RequestArgument) -> None:
    """Show one request: every attempt, call and wait, why it is so, and what to do next.

    The calls are those at Close. The exit code is 5 if it failed or is unresolved, 6 while it waits.
    """
    found = invocation.service.requests.history(key_of(request))
    if invocation.printer.as_json:
        invocation.printer.document(found.raw)
    else:
        print_request(invocation.printer, found)
    if found.result is None:
        raise typer.Exit(ExitCode.WAITING)
    if found.is_bad:
        raise typer.Exit(ExitCode.BAD)


def watch(invocation: Invocation, tenant: TenantOption = None) -> None:
    """Show outcomes as they arrive, until Ctrl-C."""
    waiting = list(invocation.service.requests.newest(Filter(tenant=tenant, states=["waiting"]), NEWEST))
    chosen = Filter(tenant=tenant, since=moment(invocation, "5m"))
    before = [*invocation.service.requests.newest(chosen, NEWEST), *waiting]
    invocation.printer.note(f"{len(waiting)} requests wait. Outcomes appear here until Ctrl-C.")
    for each in _changes(invocation, chosen, before, settled=True):
        _print(invocation, [each], titled=False)


def _changes(invocation: Invocation, chosen: Filter, before: list[Summary], *, settled: bool) -> Iterator[Summary]:
    """Yield each request that is new, or whose result is: the oldest first. ``settled``: only with a result."""
    known = {each.id: each.result for each in before}
    try:
        while True:
            invocation.host.sleep(POLL_SECONDS)
            for each in reversed(_now(invocation, chosen, known)):
                if known.get(each.id, "") != each.result and (each.result or not settled):
                    yield each
                known[each.id] = each.result
    except KeyboardInterrupt:
        raise Interrupted("Stopped watching. Requests go on.") from None


def _now(invocation: Invocation, chosen: Filter, known: dict[str, str | None]) -> list[Summary]:
    """Return the newest requests, and the older ones that waited when they were last seen."""
    requests = invocation.service.requests
    found = list(requests.newest(chosen, NEWEST))
    seen = {each.id for each in found}
    older = [key for key, result in known.items() if result is None and key not in seen]
    return [*found, *(requests.history(key) for key in older[:20])]


def _print(invocation: Invocation, found: list[Summary], *, titled: bool = True) -> None:
    times = invocation.printer.times
    invocation.printer.table(
        COLUMNS,
        [row(each, times) for each in found],
        [each.raw for each in found],
        empty=NONE,
        titled=titled,
    )
