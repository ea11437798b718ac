"""``tenants list|show|check``: which tenants there are, and which of their signups will succeed."""

from typing import Annotated

import typer
from rich.text import Text

from close_provisioner.client.checks import Mark, worst
from close_provisioner.client.tenants import Report, Tenant
from close_provisioner.errors import Misused
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.checks import MARKS, print_checks
from close_provisioner.output.requests import state_text
from close_provisioner.output.table import Cell, Column, Value
from close_provisioner.registration import command

NameArgument = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant.")]
CHECKS = "execute-api:Invoke on POST/v1/tenants/*/checks"
COLUMNS = (
    Column("TENANT"),
    Column("ORGANIZATION", 6),
    Column("PINNED", 2),
    Column("KEY", 3),
    Column("KEY CHANGED", 4),
    Column("LAST REQUEST", 7),
    Column("RESULT", 8),
    Column("AT", 5),
    Column("WAITING", 8, right=True),
)


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    command(
        app, "list", needs=["execute-api:Invoke on GET/v1/tenants"], examples=["tenants list", "tenants list --json"]
    )(list_all)
    command(app, "show", needs=["execute-api:Invoke on GET/v1/tenants/*"], examples=["tenants show acme"])(show)
    command(
        app,
        "check",
        needs=[CHECKS, "execute-api:Invoke on GET/v1/tenants (with --all)"],
        examples=["tenants check acme", "tenants check --all", "tenants check acme globex --json"],
    )(check)


def list_all(invocation: Invocation) -> None:
    """List the tenants that have a credential.

    Columns: tenant, organization, pinned, kind of key, key changed, last request, its result, its time, how many wait.
    """
    found = list(invocation.service.tenants.all())
    _print(invocation, found)


def show(invocation: Invocation, tenant: NameArgument) -> None:
    """Show one tenant, also one whose credential was removed."""
    found = invocation.service.tenants.one(tenant)
    if invocation.printer.as_json:
        invocation.printer.document(found.raw)
        return
    _print(invocation, [found])
    if found.credential is None:
        invocation.printer.note(f"{tenant} has no credential. Store one: close-provisioner tenants add {tenant}")
    elif found.credential.fault:
        invocation.printer.note(f"Its secret cannot be used: {found.credential.fault}.")
    if found.paused_until:
        until = invocation.printer.times.short(found.paused_until)
        invocation.printer.note(f"Close asked for a pause for this tenant until {until}.")


def check(
    invocation: Invocation,
    tenants: Annotated[list[str] | None, typer.Argument(metavar="TENANT...", help="The tenants.")] = None,
    all_tenants: Annotated[bool, typer.Option("--all", help="Every tenant that has a credential.")] = False,
) -> None:
    """Check tenants before a signup: secret, key, organization, role, types, plan, rate limit, clock.

    Nothing is written, and no key leaves the service. The marks: ✔ fine, ! look at it, ✖ signups will fail, ? not
    knowable by reading. The exit code is 5 if a tenant is not ready.
    """
    if bool(tenants) == all_tenants:
        raise Misused("Name tenants, or give --all.")
    names = [each.tenant for each in invocation.service.tenants.all()] if all_tenants else list(tenants or ())
    reports = []
    for name in names:
        report = invocation.service.tenants.check(name)
        print_report(invocation, report)
        reports.append(report)
    doubtful = [each for each in reports if each.ready and worst(each.checks) is Mark.WARNING]
    ready = sum(each.ready for each in reports)
    if len(reports) != 1:
        noun = "tenant" if len(reports) == 1 else "tenants"
        invocation.printer.note(
            f"{len(reports)} {noun}: {ready} ready ({len(doubtful)} with a warning), {len(reports) - ready} not ready"
        )
    if ready < len(reports):
        raise typer.Exit(ExitCode.BAD)


def print_report(invocation: Invocation, report: Report) -> None:
    """Print the checks of one tenant, or the service's document with ``--json``."""
    if invocation.printer.as_json:
        invocation.printer.document(report.raw)
        return
    print_checks(invocation.printer, report.tenant, report.checks)
    if invocation.printer.is_interactive:
        mark = MARKS[Mark.OK if report.ready else Mark.FAILED]
        ready = "ready: signups will be provisioned" if report.ready else "not ready: signups will fail or wait"
        invocation.printer.line(Text("  ") + mark + Text(f" {ready}", "bold"))


def _print(invocation: Invocation, found: list[Tenant]) -> None:
    invocation.printer.table(
        COLUMNS,
        [_row(invocation, each) for each in found],
        [each.raw for each in found],
        empty="No tenant has a credential. Store one: close-provisioner tenants add NAME",
    )


def _row(invocation: Invocation, each: Tenant) -> list[Value]:
    times, last = invocation.printer.times, each.last_request
    key = each.credential
    pinned = None if each.pinned is None else ("yes" if each.pinned else "no")
    return [
        each.tenant,
        each.organization.title if each.organization else None,
        pinned,
        key.kind if key else None,
        times.cell(key.changed_at) if key else None,
        last.request_id if last else None,
        Cell(state_text(last), last.result or last.state) if last else None,
        times.cell(last.accepted_at) if last else None,
        each.waiting or None,
    ]
