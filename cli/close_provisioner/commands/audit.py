"""``audit``: who did what with this command, or with the operator's routes."""

import typer

from close_provisioner.commands.options import LimitOption, SinceOption, moment
from close_provisioner.invocation import Invocation
from close_provisioner.output.table import Cell, Column
from close_provisioner.registration import command


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "audit",
        needs=["execute-api:Invoke on GET/v1/audit"],
        examples=["audit", "audit --since 90d --json"],
    )(audit)


def audit(invocation: Invocation, since: SinceOption = "30d", limit: LimitOption = 50) -> None:
    """List the actions that changed something, the newest first. AWS verified each principal.

    Columns: time, principal, action, target, result, reason. Changes of secrets are in CloudTrail.
    """
    found = list(invocation.service.audit.newest(moment(invocation, since), limit))
    times = invocation.printer.times
    invocation.printer.table(
        [
            Column("TIME"),
            Column("WHO", 7),
            Column("ACTION"),
            Column("TARGET", 8),
            Column("RESULT", 5, wraps=True, below=True),
            Column("REASON", 6, wraps=True),
        ],
        [
            (
                times.cell(each.at),
                Cell(_short(each.principal), each.principal),
                each.action,
                each.target,
                each.result,
                each.reason,
            )
            for each in found
        ],
        [each.raw for each in found],
        empty="No action was recorded in this time.",
    )


def _short(principal: str) -> str:
    """Return the last parts of an ARN: ``oncall/anna``."""
    resource = principal.rpartition(":")[2]
    return "/".join(resource.split("/")[-2:])
