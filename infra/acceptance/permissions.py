"""The scenario of acceptance that has roles refused: on this machine by trying, on AWS by asking IAM."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.acceptance.local_processes import LocalProcesses
from infra.acceptance.stage import Stage

REFUSED = {"AccessDenied", "AccessDeniedException"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call by a function. ``function``: the output with its name. ``resource``: an ARN, and how a call names it."""

    function: str
    action: str
    resource: str
    parameters: dict[str, Any]


def denied(stage: Stage) -> str:
    """The internet's function may read no tenant's credential, and no function reads the whole ledger."""
    party, prefixes = stage.party(), stage.target.outputs
    stage.signing_secrets("stripe")
    tenant = _secret(stage, f"{prefixes['TenantSecretPrefix']}/{party.tenant}")
    source = _secret(stage, f"{prefixes['SourceSecretPrefix']}/stripe")
    table = stage.target.client("dynamodb").describe_table(TableName=prefixes["LedgerTableName"])["Table"]["TableArn"]
    stage.target.http.deliver("stripe", b"{}", {})  # on this machine, the function's process now runs
    attempts = (
        _reading("WebhooksFunctionName", tenant),
        _reading("WebhooksFunctionName", source),
        _reading("ApiFunctionName", source),
        Attempt("ApiFunctionName", "dynamodb:Scan", table, {"TableName": prefixes["LedgerTableName"]}),
    )
    counts = Counter(_allowed(stage, each) for each in attempts)
    return f"{counts[False]} denied, {counts[True]} allowed"


def _secret(stage: Stage, name: str) -> str:
    return str(stage.target.client("secretsmanager").describe_secret(SecretId=name)["ARN"])


def _reading(function: str, secret: str) -> Attempt:
    return Attempt(function, "secretsmanager:GetSecretValue", secret, {"SecretId": secret})


def _allowed(stage: Stage, attempt: Attempt) -> bool:
    function = stage.target.outputs[attempt.function]
    if stage.target.processes:
        return _succeeds(stage, stage.target.processes, function, attempt)
    role = stage.target.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    [decision] = stage.target.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[attempt.action], ResourceArns=[attempt.resource]
    )["EvaluationResults"]
    return bool(decision["EvalDecision"] == "allowed")


def _succeeds(stage: Stage, processes: LocalProcesses, function: str, attempt: Attempt) -> bool:
    """Make the call with the credentials that the emulator gave to the function."""
    own = processes.environment(function)
    session = boto3.Session(
        own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"], own["AWS_SESSION_TOKEN"], own["AWS_REGION"]
    )
    service, _, operation = attempt.action.partition(":")
    try:
        session.client(service, endpoint_url=stage.target.endpoint_url)._make_api_call(operation, attempt.parameters)  # noqa: SLF001
    except ClientError as error:
        if error.response["Error"]["Code"] in REFUSED:
            return False
        raise
    return True
