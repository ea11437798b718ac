"""``plan``: shows what a request would do, and writes nothing."""

import typer

from close_provisioner.commands.desired_types import (
    BlueprintOption,
    FileOption,
    IfExistsOption,
    TenantsOption,
    ValueOption,
    desired_body,
    tenants_of,
)
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.plans import print_plan
from close_provisioner.registration import command


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "plan",
        needs=["execute-api:Invoke on POST/v1/plans"],
        examples=[
            "plan --tenant acme --blueprint account",
            "plan --tenant acme --tenant globex -f types.toml --if-exists update",
            "plan -t acme -f functions/blueprints/account.toml --value name=Customer",
        ],
    )(plan)


def plan(
    invocation: Invocation,
    tenants: TenantsOption = None,
    file: FileOption = None,
    blueprint: BlueprintOption = None,
    values: ValueOption = None,
    if_exists: IfExistsOption = None,
) -> None:
    """Show what a request would do at Close. Nothing is written.

    The lines begin with + (creates), ~ (updates), = (keeps a difference) or ! (blocked). Exit codes: 0 nothing to do,
    7 the plan has steps, 5 something is blocked or would be rejected.
    """
    body = desired_body(invocation, file, blueprint, values, if_exists)
    code = ExitCode.DONE
    for number, tenant in enumerate(tenants_of(tenants, body)):
        if invocation.printer.as_json:
            document = invocation.service.plans.document(tenant, body)
            invocation.printer.document(document)
            blocked = any(each.get("blocked") or each.get("action") == "reject" for each in document["types"])
            steps = len(document["steps"])
        else:
            made = invocation.service.plans.make(tenant, body)
            if number:
                invocation.printer.line()
            print_plan(invocation.printer, made)
            blocked, steps = bool(made.blocked) or made.is_rejected, made.steps
        code = _worse(code, blocked=blocked, steps=steps)
    raise typer.Exit(code)


def _worse(code: ExitCode, *, blocked: bool, steps: int) -> ExitCode:
    """Return the code of all plans so far: blocked before differs before done."""
    if blocked or code is ExitCode.BAD:
        return ExitCode.BAD
    return ExitCode.DIFFERS if steps else code
