"""Signed webhooks and EventBridge's events, through the real ledger, queue and topic, to Close."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.local.signing import signed_headers
from provisioner import events, webhooks
from provisioner.contract import request_key
from provisioner.waiting import Waiting
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack
from tests.integration.service.test_handlers import Context
from tests.unit.test_events import called, event

SECRET = "whsec_Ks0n2bPzQ1vYxW7dRfTgHjLm"
SIGNUP = json.dumps(
    {
        "id": "evt_1",
        "type": "customer.created",
        "livemode": True,
        "data": {"object": {"id": "cus_1", "metadata": {"tenant_id": "acme"}}},
    }
).encode()


@pytest.fixture
def deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The environment is there, and no environment of another test is remembered."""
    for name, value in stack.settings.model_dump().items():
        monkeypatch.setenv(name.upper(), str(value))
    held = json.dumps({"secrets": [SECRET]})
    client("secretsmanager").create_secret(Name=f"{stack.settings.source_secret_prefix}/stripe", SecretString=held)
    for door in (webhooks, events):
        door._service.cache_clear()
    yield stack
    for door in (webhooks, events):
        door._service.cache_clear()


def deliver(stack: Stack, body: bytes, secret: str = SECRET) -> dict[str, Any]:
    headers = signed_headers("stripe", [secret], body, now=stack.clock(), delivery_id="")
    answer = webhooks.lambda_handler(
        {
            "resource": "/v1/webhooks/{source}",
            "httpMethod": "POST",
            "pathParameters": {"source": "stripe"},
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        },
        Context(),
    )
    return {"status": answer["statusCode"], **json.loads(answer["body"])}


def put(detail: dict[str, Any]) -> None:
    events.lambda_handler(event(detail), Context())


def test_five_deliveries_at_once_are_one_request_and_one_type(deployed: Stack) -> None:
    with ThreadPoolExecutor(5) as senders:
        answers = list(senders.map(lambda _: deliver(deployed, SIGNUP), range(5)))
    assert {answer["status"] for answer in answers} == {202}
    [message] = deployed.waiting()
    assert message.delay == 0
    assert deployed.work(message.body) == []
    assert deployed.results() == [("evt_1", "created")]
    assert len(deployed.types()) == deployed.creates() == 1
    assert deliver(deployed, SIGNUP)["state"] == "settled"
    assert deployed.waiting() == []


def test_a_webhook_and_an_event_under_one_id_are_one_request(deployed: Stack) -> None:
    deliver(deployed, SIGNUP)
    partners = event(json.loads(SIGNUP), "aws.partner/stripe.com/ed_1", "customer.created")
    events.lambda_handler(partners, Context())
    assert len(deployed.waiting()) == 1


def test_what_is_broken_is_announced_once_and_remembered(deployed: Stack) -> None:
    answers = [deliver(deployed, b'{"id": "evt_2", "type": "customer.created", "livemode": true}') for _ in range(3)]
    assert {answer["status"] for answer in answers} == {422}
    assert deployed.results() == [("evt_2", "failed")]
    items = client("dynamodb").scan(TableName=deployed.settings.ledger_table_name)["Items"]
    [item] = [each for each in items if each["pk"]["S"].startswith("BROKEN#")]
    assert (item["source"]["S"], item["event_id"]["S"]) == ("stripe", "evt_2")
    assert "names no tenant" in item["why"]["S"]
    assert int(item["expires_at"]["N"]) == pytest.approx(deployed.clock() + 90 * 86_400, abs=100)


def test_what_is_not_signed_leaves_nothing_behind(deployed: Stack) -> None:
    assert deliver(deployed, SIGNUP, "another")["status"] == 401
    assert client("dynamodb").scan(TableName=deployed.settings.ledger_table_name)["Items"] == []
    assert deployed.waiting() == []


def test_a_request_on_the_bus_is_carried_out(deployed: Stack) -> None:
    put({"tenant": "globex", "request_id": "1", "custom_object_type": {"name": "Order", "name_plural": "Orders"}})
    [message] = deployed.waiting()
    deployed.work(message.body)
    assert deployed.types("globex") == ["Order"]


def test_whoever_waits_is_woken_by_the_secret_and_by_nothing_else(deployed: Stack) -> None:
    waiting = Waiting(client("dynamodb"), deployed.settings.ledger_table_name, 90, deployed.clock)
    for number in ("1", "2"):
        spec = {"name": f"Order {number}", "name_plural": "Orders"}
        put({"tenant": "acme", "request_id": number, "custom_object_type": spec})
        waiting.add("acme", request_key("acme", number))
        waiting.add("acme", request_key("acme", number))
    deployed.waiting()
    for each in ("globex", "acme", "acme"):
        name = f"{deployed.settings.tenant_secret_prefix}/{each}"
        events.lambda_handler(called("CreateSecret", name=name), Context())
    assert sorted(json.loads(each.body)["request_id"] for each in deployed.waiting()) == ["1", "2"]
    assert waiting.of("acme") == []
