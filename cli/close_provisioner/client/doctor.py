"""Checks of the deployed resources of a stack, made with the operator's own permissions. Nothing is written."""

import email.utils
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from close_provisioner.client.checks import Check, Mark
from close_provisioner.client.transport import Question, Transport
from close_provisioner.errors import CommandError, NotAllowed
from close_provisioner.stack.aws_errors import explained
from close_provisioner.stack.which import Stack

ALIAS = "live"
SKEW_SECONDS = 60
DEPLOY = "Deploy the stack again: make deploy."


def check_stack(stack: Stack, transport: Transport, now: Callable[[], float]) -> Iterator[Check]:
    """Yield a check of the caller, each function, the worker's event source, the rules and the clock."""
    yield _made("caller", lambda: _caller(stack), "sts:GetCallerIdentity", "*")
    for handler, function in sorted(stack.functions.items()):
        yield _made(
            f"{handler}",
            lambda function=function: _function(stack, function),  # type: ignore[misc]
            "lambda:GetAlias",
            function,
        )
    if "worker" in stack.functions:
        worker = f"{stack.functions['worker']}:{ALIAS}"
        yield _made("queue", lambda: _event_source(stack, worker), "lambda:ListEventSourceMappings", worker)
    if "events" in stack.functions:
        events = stack.functions["events"]
        yield _made("rules", lambda: _rules(stack, events), "events:ListRuleNamesByTarget", events)
    yield _api_and_clock(transport, now)


def _made(name: str, check: Callable[[], Check], action: str, resource: str) -> Check:
    """Return the check; ``unknown`` with the missing permission if it cannot be made."""
    try:
        found = check()
    except (ClientError, BotoCoreError) as error:
        reason = explained(error, action, resource)
        who = "aws-admin" if isinstance(reason, NotAllowed) else None
        return Check.made(name, Mark.UNKNOWN, f"Not checked: {reason}", who=who)
    return Check.made(name, found.mark, found.seen, found.fix, found.who)


def _caller(stack: Stack) -> Check:
    identity = stack.client("sts").get_caller_identity()
    return Check.made("", Mark.OK, f"You are {identity['Arn']}.")


def _function(stack: Stack, function: str) -> Check:
    client = stack.client("lambda")
    version = client.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
    state = client.get_function_configuration(FunctionName=f"{function}:{ALIAS}").get("State", "Active")
    if state not in {"Active", "Inactive"}:
        return Check.made("", Mark.FAILED, f"{function}, version {version}: its state is {state}.", DEPLOY, "operator")
    return Check.made("", Mark.OK, f"{function}, version {version}.")


def _event_source(stack: Stack, worker: str) -> Check:
    found = stack.client("lambda").list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    enabled = [each for each in found if each.get("State") in {"Enabled", "Enabling", "Creating"}]
    if not found:
        return Check.made("", Mark.FAILED, "No queue invokes the worker: requests wait.", DEPLOY, "operator")
    if not enabled:
        fix = f"aws lambda update-event-source-mapping --enabled --uuid {found[0].get('UUID')}"
        return Check.made("", Mark.FAILED, "The queue does not invoke the worker: it is switched off.", fix, "operator")
    return Check.made("", Mark.OK, "The queue invokes the worker.")


def _rules(stack: Stack, events: str) -> Check:
    client, lambdas = stack.client("events"), stack.client("lambda")
    arn = lambdas.get_alias(FunctionName=events, Name=ALIAS)["AliasArn"]
    names = client.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
    off = [name for name in names if client.describe_rule(Name=name).get("State") == "DISABLED"]
    if off:
        fix = f"aws events enable-rule --name {off[0]}"
        return Check.made("", Mark.WARNING, f"Switched off: {', '.join(off)}.", fix, "operator")
    return Check.made("", Mark.OK, f"{len(names)} on the default bus, all on.")


def _api_and_clock(transport: Transport, now: Callable[[], float]) -> Check:
    """Compare this machine's clock with the API's: signatures are refused after five minutes."""
    try:
        reply = transport.ask(Question("GET", ("provisioning-requests",), query={"limit": 1}))
    except CommandError as error:
        return Check.made("gateway", Mark.FAILED, str(error), who="operator")
    shown: Any = reply.headers.get("date")
    if not shown:
        return Check.made("gateway", Mark.OK, "It answers.")
    skew = email.utils.parsedate_to_datetime(shown).timestamp() - now()
    if abs(skew) > SKEW_SECONDS:
        seen = f"It answers, and its clock differs from this machine's by {abs(skew):.0f} s."
        return Check.made("gateway", Mark.WARNING, seen, "Set the clock of this machine.", "operator")
    return Check.made("gateway", Mark.OK, "It answers, and its clock agrees with this machine's.")
