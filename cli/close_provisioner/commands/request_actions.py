"""``requests retry|resolve``: what an operator does about requests that ended badly."""

import json
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from close_provisioner.client.requests import Filter, Resolution, Retry, Summary
from close_provisioner.commands.options import (
    LimitOption,
    ReasonOption,
    RequestArgument,
    SinceOption,
    YesOption,
    key_of,
    moment,
)
from close_provisioner.commands.requests import NONE, ProblemOption, ResultOption, TenantOption
from close_provisioner.errors import CommandError, Interrupted, Misused, NotFound, StoppedPartWay
from close_provisioner.invocation import Invocation
from close_provisioner.output.asking import confirm
from close_provisioner.output.printer import Printer
from close_provisioner.output.requests import COLUMNS, row
from close_provisioner.registration import command

RESULTS = ("failed", "unresolved")


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    command(
        app,
        "retry",
        needs=[
            "execute-api:Invoke on GET/v1/provisioning-requests",
            "execute-api:Invoke on GET/v1/provisioning-requests/*/history",
            "execute-api:Invoke on POST/v1/provisioning-requests/*/retries",
        ],
        examples=[
            "requests retry acme/signup-8841",
            "requests retry acme/signup-8841 --edit",
            'requests retry --tenant initech --result failed --since 2d --reason "key fixed, OPS-812"',
        ],
    )(retry)
    command(
        app,
        "resolve",
        needs=[
            "execute-api:Invoke on POST/v1/provisioning-requests/*/resolutions",
            "execute-api:Invoke on POST/v1/provisioning-requests/*/retries (for --retry)",
        ],
        examples=[
            'requests resolve globex/signup-12 --there --reason "seen in Settings > Custom Objects"',
            'requests resolve globex/signup-12 --not-there --retry --reason "looked with Anna"',
        ],
    )(resolve)


def retry(
    invocation: Invocation,
    requests: Annotated[
        list[str] | None, typer.Argument(metavar="REQUEST...", help="TENANT/REQUEST-ID, or the id of 32 hex digits.")
    ] = None,
    tenant: TenantOption = None,
    result: ResultOption = None,
    problem: ProblemOption = None,
    since: SinceOption = None,
    limit: LimitOption = 200,
    edit: Annotated[bool, typer.Option("--edit", help="Edit the body in $EDITOR first.")] = False,
    stop_after: Annotated[
        int, typer.Option("--stop-after", min=1, metavar="N", help="Stop after that many errors.")
    ] = 3,
    reason: ReasonOption = None,
    yes: YesOption = False,
) -> None:
    """Send settled requests again, each under a new id that is linked with the old one (ID.retry-1).

    Name requests, or choose them by tenant, result, problem and time. Those that were retried before are left out of
    a choice. The service does the work as for any other request: `requests watch` shows the outcomes.
    """
    chosen = any((tenant, result, problem, since))
    if bool(requests) == chosen:
        raise Misused("Name requests, or choose them by --tenant, --result, --problem or --since.")
    if edit and len(requests or ()) != 1:
        raise Misused("--edit is for one request that is named.")
    found = _named(invocation, requests) if requests else _chosen(invocation, tenant, result, problem, since, limit)
    if not found:
        raise NotFound(NONE)
    body = _edited(invocation, found[0].id) if edit else None
    if not invocation.printer.as_json:
        times = invocation.printer.times
        invocation.printer.table(COLUMNS, [row(each, times) for each in found], (), empty=NONE)
    number = f"{len(found)} request{'' if len(found) == 1 else 's'}"
    confirm(invocation.printer, f"Send {number} again?", yes=yes)
    _send(invocation, found, body, reason, stop_after)


def resolve(
    invocation: Invocation,
    request: RequestArgument,
    there: Annotated[
        bool | None, typer.Option("--there/--not-there", help="Whether the type is in Close, with its fields.")
    ] = None,
    again: Annotated[bool, typer.Option("--retry", help="Send the request again, once it is recorded.")] = False,
    reason: ReasonOption = None,
    yes: YesOption = False,
) -> None:
    """Say whether the type of an unresolved request is in Close, as seen in Settings > Custom Objects.

    The service compares that with Close's list. The outcome of the request stays; the next request of the tenant for
    that type continues from what was said.
    """
    if there is None:
        raise Misused("Give --there or --not-there, as Close shows it.")
    if not reason:
        raise Misused("--reason is missing: say who looked, and where.")
    confirm(invocation.printer, f"Record that the type of {request} is {'there' if there else 'not there'}?", yes=yes)
    answer = invocation.service.requests.resolve(key_of(request), there=there, reason=reason)
    retried = invocation.service.requests.retry(key_of(request), reason) if again else None
    if invocation.printer.as_json:
        invocation.printer.document({**answer.raw, "retried_as": retried and retried.id})
    else:
        _print_resolution(invocation.printer, answer, retried)


def _print_resolution(printer: Printer, answer: Resolution, retried: Retry | None) -> None:
    for each in answer.types:
        printer.line(f"✔ {each['name']} is there  {each['id']}" if each.get("id") else f"✔ {each['name']} is not there")
    if answer.there and answer.missing:
        printer.line(f"! not in Close's list: {', '.join(answer.missing)}")
    if retried:
        printer.line(f"Recorded, and sent again: close-provisioner requests show {retried.tenant}/{retried.request_id}")
    else:
        printer.line(f"Recorded. Go on with: close-provisioner requests retry {answer.tenant}/{answer.request_id}")


def _named(invocation: Invocation, requests: Sequence[str]) -> list[Summary]:
    keys = dict.fromkeys(key_of(each) for each in requests)
    return [invocation.service.requests.history(key) for key in keys]


def _chosen(
    invocation: Invocation,
    tenant: str | None,
    result: Sequence[str] | None,
    problem: Sequence[str] | None,
    since: str | None,
    limit: int,
) -> list[Summary]:
    """Return the settled requests that match and were not retried, the oldest first."""
    chosen = Filter(
        tenant=tenant, results=result or RESULTS, problems=problem or (), since=moment(invocation, since or "24h")
    )
    found = invocation.service.requests.newest(chosen, limit)
    return [each for each in found if not each.retried_as and each.result][::-1]


def _edited(invocation: Invocation, key: str) -> dict[str, Any]:
    """Return the body as the operator edits it. Raises ``Misused`` if it is unchanged or not JSON."""
    before = invocation.service.requests.history(key).body
    editor = invocation.host.environment.get("VISUAL") or invocation.host.environment.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", suffix=".json", encoding="utf-8") as file:
        file.write(json.dumps(before, indent=2, ensure_ascii=False) + "\n")
        file.flush()
        ended = subprocess.run([*shlex.split(editor), file.name], check=False)  # noqa: S603 - the operator's own editor
        text = Path(file.name).read_text(encoding="utf-8")
    if ended.returncode:
        raise Misused(f"{editor} ended with {ended.returncode}. Nothing was sent.")
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Misused(f"The edited body is not JSON ({error}). Nothing was sent.") from None
    if not isinstance(body, dict) or body == before:
        raise Misused("The body was not changed. Nothing was sent.")
    return body


def _send(
    invocation: Invocation,
    found: Sequence[Summary],
    body: dict[str, Any] | None,
    reason: str | None,
    stop_after: int,
) -> None:
    """Send each, with a progress bar. Raises ``StoppedPartWay`` after too many errors, or on Ctrl-C."""
    sent, errors, notes = 0, 0, invocation.printer.notes
    try:
        with Progress(console=notes, transient=True, disable=not notes.is_terminal) as progress:
            for each in progress.track(found, description="Sending"):
                try:
                    made = invocation.service.requests.retry(each.id, reason, body)
                except CommandError as error:
                    invocation.printer.error(f"{each.name}: {error}")
                    errors += 1
                    if errors >= stop_after and len(found) > 1:
                        break
                    continue
                sent += 1
                if invocation.printer.as_json:
                    invocation.printer.line(json.dumps(made.raw))
                else:
                    invocation.printer.line(f"✔ {each.name} is sent again as {made.tenant}/{made.request_id}")
    except KeyboardInterrupt:
        raise Interrupted(f"{sent} of {len(found)} were sent again. Repeat the command for the rest.") from None
    if errors:
        raise StoppedPartWay(
            f"{sent} of {len(found)} were sent again, {errors} could not be. Repeat the command for the rest."
        )
    invocation.printer.note("Outcomes: close-provisioner requests watch")
