"""The judge at the gate names what real AWS would refuse of a function on the local stack."""

import os
from typing import Any

import boto3
import pytest

from infra.local.emulator import ACCOUNT, REGION
from infra.local.stack_info import FunctionDescription, StackDescription
from tests.chaos.judged import JudgedCalls
from tests.chaos.proxy import ProxiedCall, RawRequest
from tests.simulation.system_under_test import settings

PLACES = ("api_url", "aws_endpoint_url", "region", "queue_url", "dead_letter_queue_url", "topic_arn")
NAMES = ("outcomes_queue_url", "table_name", "tenant_secret_prefix", "source_secret_prefix", "close_url")


def sent(service: str, operation: str, **parameters: Any) -> ProxiedCall:
    """Return the request that botocore makes of the call."""
    requests: list[RawRequest] = []

    def note(request: Any, **_: Any) -> None:
        lines = [
            f"{name}: {value if isinstance(value, str) else value.decode()}" for name, value in request.headers.items()
        ]
        body = request.body.encode() if isinstance(request.body, str) else request.body
        requests.append(RawRequest("\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode(), body))
        raise ConnectionAbortedError

    client = boto3.client(service, region_name=REGION, aws_access_key_id="AKIA", aws_secret_access_key="s")
    client.meta.events.register("before-send.*", note)
    with pytest.raises(ConnectionAbortedError):
        getattr(client, operation)(**parameters)
    return ProxiedCall(requests[0], os.getpid)


@pytest.fixture
def gate() -> JudgedCalls:
    """Return the gate of a stack in whose process of the webhooks function this test runs."""
    environment = {name.upper(): str(value) for name, value in settings().model_dump().items()}
    webhooks = FunctionDescription("stack-webhooks", "provisioner.handlers.webhooks.lambda_handler", environment)
    gate = JudgedCalls.of(StackDescription(**dict.fromkeys([*PLACES, *NAMES], ""), functions={"webhooks": webhooks}))
    gate.handler_of[os.getpid()] = "webhooks"
    return gate


def test_a_permission_that_the_role_lacks_is_named(gate: JudgedCalls) -> None:
    gate.note(sent("secretsmanager", "get_secret_value", SecretId="close-provisioner/sources/stripe"), os.getpid())
    assert (gate.faults, gate.judged["webhooks"]) == ([], 1)
    gate.note(sent("secretsmanager", "get_secret_value", SecretId="close-provisioner/tenants/acme"), os.getpid())
    [fault] = gate.faults
    assert fault.startswith(
        f"WebhooksRole does not allow secretsmanager:GetSecretValue on arn:aws:secretsmanager:{REGION}:{ACCOUNT}"
    )


def test_a_leading_key_that_the_role_may_not_read_is_named(gate: JudgedCalls) -> None:
    gate.note(sent("dynamodb", "get_item", TableName="ledger", Key={"pk": {"S": "TYPE#orga_1#2"}}), os.getpid())
    [fault] = gate.faults
    assert "WebhooksRole does not allow dynamodb:GetItem" in fault


def test_a_process_of_no_function_is_not_judged(gate: JudgedCalls) -> None:
    gate.note(sent("secretsmanager", "get_secret_value", SecretId="close-provisioner/tenants/acme"), 2**22 + 1)
    assert (gate.faults, gate.judged.total()) == ([], 0)
