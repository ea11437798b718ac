"""``doctor``: checks the whole stack, and says who can fix what."""

import typer

from close_provisioner.client.checks import Check, Mark, worst
from close_provisioner.client.doctor import check_stack
from close_provisioner.errors import CommandError
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.checks import print_checks
from close_provisioner.registration import command


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "doctor",
        needs=[
            "sts:GetCallerIdentity",
            "lambda:GetAlias, GetFunctionConfiguration, ListEventSourceMappings on the stack's functions",
            "events:ListRuleNamesByTarget, DescribeRule",
            "execute-api:Invoke on GET/v1/tenants, GET/v1/sources, GET/v1/provisioning-requests",
            "execute-api:Invoke on POST/v1/tenants/*/checks and POST/v1/sources/*/checks",
        ],
        examples=["doctor", "doctor --json"],
    )(doctor)


def doctor(invocation: Invocation) -> None:
    """Check functions, queue, rules, clock, every tenant's key and every sender's secret.

    The marks: ✔ fine, ! look at it, ✖ broken, ? not checked. A check without its permission is not made, and says
    which one it takes. The exit code is 5 if something is broken.
    """
    found: dict[str, list[Check]] = {
        "stack": list(check_stack(invocation.stack, invocation.service.transport, invocation.host.now)),
        "tenants": _summaries(invocation, "tenants"),
        "sources": _summaries(invocation, "sources"),
    }
    if invocation.printer.as_json:
        invocation.printer.document({name: [each.raw for each in checks] for name, checks in found.items()})
    else:
        for name, checks in found.items():
            print_checks(invocation.printer, name, checks)
    if any(worst(checks) is Mark.FAILED for checks in found.values()):
        raise typer.Exit(ExitCode.BAD)


def _summaries(invocation: Invocation, kind: str) -> list[Check]:
    """Return one check for each tenant or source: the worst of its own."""
    try:
        if kind == "tenants":
            names = [each.tenant for each in invocation.service.tenants.all()]
        else:
            names = [each.source for each in invocation.service.sources.all() if each.secret_stored is not False]
    except CommandError as error:
        return [Check.made(kind, Mark.UNKNOWN, f"Not checked: {error}")]
    if not names:
        return [Check.made(kind, Mark.WARNING, "Not one has a secret: nothing can be provisioned.", None, None)]
    return [_summary(invocation, kind, name) for name in names]


def _summary(invocation: Invocation, kind: str, name: str) -> Check:
    try:
        checks = (
            invocation.service.tenants.check(name).checks
            if kind == "tenants"
            else invocation.service.sources.check(name).checks
        )
    except CommandError as error:
        return Check.made(name, Mark.UNKNOWN, f"Not checked: {error}")
    for mark in (Mark.FAILED, Mark.WARNING):
        for each in checks:
            if each.mark is mark:
                return Check.made(name, mark, f"{each.name}: {each.seen}", each.fix, each.who)
    return Check.made(name, Mark.OK, f"{len(checks)} checks, nothing to fix.")
