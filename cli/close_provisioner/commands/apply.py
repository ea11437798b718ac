"""``apply``: plans, shows, asks, submits with the digest, and follows to the outcome."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

import typer

from close_provisioner.client.plans import Plan
from close_provisioner.client.requests import Outcome, RequestState
from close_provisioner.commands.desired_types import (
    BlueprintOption,
    FileOption,
    IfExistsOption,
    TenantsOption,
    ValueOption,
    desired_body,
    tenants_of,
)
from close_provisioner.commands.following import follow
from close_provisioner.errors import CommandError, Interrupted, Misused, Refused, StoppedPartWay
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.asking import confirm
from close_provisioner.output.plans import print_outcome, print_plan
from close_provisioner.registration import command


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "apply",
        needs=[
            "execute-api:Invoke on POST/v1/plans",
            "execute-api:Invoke on POST/v1/provisioning-requests",
            "execute-api:Invoke on GET/v1/provisioning-requests/*",
        ],
        examples=[
            "apply --tenant acme --blueprint account",
            "apply --tenant acme -f types.toml --if-exists update --yes",
        ],
    )(apply)


def apply(
    invocation: Invocation,
    tenants: TenantsOption = None,
    file: FileOption = None,
    blueprint: BlueprintOption = None,
    values: ValueOption = None,
    if_exists: IfExistsOption = None,
    request_id: Annotated[
        str | None, typer.Option("--request-id", metavar="ID", help="The request's id; a new one by default.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="How long to follow.")] = 600.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Show the plan, ask, carry it out, and follow each request to its outcome.

    A request is bound to the plan that was shown: if Close changes in between, nothing is written (plan-stale).
    Ctrl-C leaves a submitted request running.
    """
    body = desired_body(invocation, file, blueprint, values, if_exists)
    named = tenants_of(tenants, body)
    if request_id and len(named) > 1:
        raise Misused("--request-id is for one tenant.")
    plans = [invocation.service.plans.make(tenant, body) for tenant in named]
    if not invocation.printer.as_json:
        _show(invocation, plans)
    changing = [each for each in plans if each.steps and not each.is_rejected]
    _check(plans, body)
    if changing:
        confirm(invocation.printer, _question(changing), yes=yes)
        _Run(invocation, body, request_id or f"apply-{uuid4().hex[:12]}", timeout).all(changing)


def _show(invocation: Invocation, plans: list[Plan]) -> None:
    for each in plans:
        print_plan(invocation.printer, each)
        invocation.printer.line()


def _check(plans: list[Plan], body: dict[str, Any]) -> None:
    """Raise ``Refused`` for a plan that cannot be carried out."""
    partial = body.get("allow_partial") is True
    stopped = [each.tenant for each in plans if each.is_rejected or (each.blocked and not partial)]
    if stopped:
        raise Refused(
            f"The plan of {', '.join(stopped)} is blocked: nothing was submitted. "
            'Change the types, change Close by hand, or set "allow_partial": true in the file.'
        )


def _question(plans: list[Plan]) -> str:
    steps = sum(each.steps for each in plans)
    tenants = ", ".join(each.tenant for each in plans)
    return f"Carry out {steps} step{'' if steps == 1 else 's'} for {tenants}?"


@dataclass(frozen=True, slots=True)
class _Run:
    """The plans that are carried out, one tenant after the other. The first failure stops the others."""

    invocation: Invocation
    body: dict[str, Any]
    request_id: str
    timeout: float

    def all(self, plans: list[Plan]) -> None:
        for number, plan in enumerate(plans):
            left = ", ".join(each.tenant for each in plans[number + 1 :])
            try:
                outcome = self._one(plan)
            except CommandError as error:
                if left:
                    raise StoppedPartWay(
                        f"{error}\nNot touched: {left}. Run it again with --tenant for each."
                    ) from error
                raise
            if not outcome.is_good:
                if left:
                    raise StoppedPartWay(
                        f"{plan.tenant} {outcome.result}. Not touched: {left}. Run it again with --tenant for each."
                    )
                raise typer.Exit(ExitCode.BAD)

    def _one(self, plan: Plan) -> Outcome:
        body = {**self.body, "tenant": plan.tenant, "request_id": self.request_id, "plan_digest": plan.digest}
        submitted = self._submit(body)
        outcome = follow(self.invocation, submitted, self.timeout)
        if self.invocation.printer.as_json:
            self.invocation.printer.document(outcome.raw)
        else:
            print_outcome(self.invocation.printer, outcome)
        return outcome

    def _submit(self, body: dict[str, Any]) -> RequestState:
        try:
            return self.invocation.service.requests.submit(body)
        except KeyboardInterrupt:
            name = f"{body['tenant']}/{body['request_id']}"
            raise Interrupted(
                f"{name} may have been submitted. See it: close-provisioner requests show {name}"
            ) from None
