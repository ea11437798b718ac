"""Signed webhooks and EventBridge's events, through the real ledger, queue and topic, to Close."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.client import BaseClient

from infra.local.signing import signed_headers
from provisioner.contract.request import request_key
from provisioner.handlers import events, webhooks
from provisioner.ingest.mapping import Expression
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.received_events import EventLedger
from provisioner.messaging.queue import Queue
from tests.architecture.test_permissions import LEADING_KEYS
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack
from tests.integration.service.test_handlers import LambdaContext
from tests.unit.handlers.test_events import called, event

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
    """Set the environment, and forget that of other tests."""
    for name, value in stack.settings.model_dump().items():
        monkeypatch.setenv(name.upper(), str(value))
    held = json.dumps({"secrets": [SECRET]})
    client("secretsmanager").create_secret(Name=f"{stack.settings.source_secret_prefix}/stripe", SecretString=held)
    for handler in (webhooks, events):
        handler._service.cache_clear()
    yield stack
    for handler in (webhooks, events):
        handler._service.cache_clear()


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
        LambdaContext(),
    )
    return {"status": answer["statusCode"], **json.loads(answer["body"])}


def edit_stripe(change: dict[str, Any]) -> None:
    """Edit the mapping of every event of Stripe."""
    sources = webhooks._service().ingest.sources
    source = sources.find("stripe")
    assert source
    sources._read["stripe"] = replace(source, events=tuple(replace(each, **change) for each in source.events))


def put(detail: dict[str, Any]) -> None:
    events.lambda_handler(event(detail), LambdaContext())


def test_five_deliveries_at_once_are_one_request_and_one_type(deployed: Stack) -> None:
    with ThreadPoolExecutor(5) as senders:
        answers = list(senders.map(lambda _: deliver(deployed, SIGNUP), range(5)))
    assert {answer["status"] for answer in answers} == {202}
    [message] = deployed.waiting()
    assert message.delay == 0
    assert deployed.work(message.body) == []
    assert deployed.results() == [("evt_1", "created")]
    assert deployed.types() == ["Account"]
    creates = deployed.creates()
    assert deliver(deployed, SIGNUP)["state"] == "settled"
    assert deployed.waiting() == []
    deployed.work(message.body)
    assert deployed.creates() == creates


def test_a_webhook_and_an_event_under_one_id_are_one_request(deployed: Stack) -> None:
    deliver(deployed, SIGNUP)
    partners = event(json.loads(SIGNUP), "aws.partner/stripe.com/ed_1", "customer.created")
    events.lambda_handler(partners, LambdaContext())
    assert len(deployed.waiting()) == 1


@pytest.mark.parametrize(
    "change", [{"tenant": Expression("'globex'")}, {"tenant": Expression("nothing")}, {"when": Expression("`false`")}]
)
def test_hole_6_a_redelivery_after_an_edit_of_the_mapping_gets_the_first_answer(
    deployed: Stack, change: dict[str, Any]
) -> None:
    first = deliver(deployed, SIGNUP)
    edit_stripe(change)

    assert deliver(deployed, SIGNUP) == first
    assert (len(deployed.waiting()), deployed.results()) == (1, [])
    assert {each["pk"]["S"].partition("#")[0] for each in ledger_of(deployed)} == {"REQUEST", "EVENT"}


def test_hole_6_another_body_under_the_id_of_an_event_is_a_conflict(deployed: Stack) -> None:
    deliver(deployed, SIGNUP)
    others = [SIGNUP.replace(b"acme", b"globex"), SIGNUP.replace(b"cus_1", b"cus_2")]

    assert [deliver(deployed, other)["status"] for other in others] == [422, 202]
    assert deployed.results() == [("evt_1", "failed")]
    assert len(deployed.waiting()) == 1


def lose_request(stack: Stack, answer: dict[str, Any]) -> None:
    """Delete the request, as forgetting its tenant does, and DynamoDB when it expires; its event stays."""
    client("dynamodb").delete_item(TableName=stack.name, Key={"pk": {"S": f"REQUEST#{answer['id']}"}})


def test_an_event_whose_request_is_gone_is_a_new_one_once(deployed: Stack) -> None:
    lose_request(deployed, deliver(deployed, SIGNUP))
    deployed.waiting()
    with ThreadPoolExecutor(5) as senders:
        answers = list(senders.map(lambda _: deliver(deployed, SIGNUP), range(5)))

    assert {(answer["status"], answer["tenant"]) for answer in answers} == {(202, "acme")}
    [message] = deployed.waiting()
    deployed.work(message.body)
    assert deployed.results() == [("evt_1", "created")]
    assert deliver(deployed, SIGNUP.replace(b"acme", b"globex"))["status"] == 422


def test_an_event_whose_request_is_gone_is_one_request_under_two_mappings(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one delivery is about to replace the event, another replaces it with the request of another tenant."""
    lose_request(deployed, deliver(deployed, SIGNUP))
    deployed.waiting()
    real, others = EventLedger._answer, list[dict[str, Any]]()

    def answer(self: EventLedger, item: dict[str, Any]) -> RequestRecord | None:
        found = real(self, item)
        if not others:
            others.append({})
            edit_stripe({"tenant": Expression("'globex'")})
            others[0] = deliver(deployed, SIGNUP)
        return found

    monkeypatch.setattr(EventLedger, "_answer", answer)
    assert deliver(deployed, SIGNUP) == others[0]
    assert others[0]["tenant"] == "globex"
    assert len(deployed.waiting()) == 1


def test_an_invalid_event_is_announced_once_and_remembered(deployed: Stack) -> None:
    answers = [deliver(deployed, b'{"id": "evt_2", "type": "customer.created", "livemode": true}') for _ in range(3)]
    assert {answer["status"] for answer in answers} == {422}
    assert deployed.results() == [("evt_2", "failed")]
    [item] = [each for each in ledger_of(deployed) if each["pk"]["S"].startswith("REJECTED#")]
    assert (item["source"]["S"], item["event_id"]["S"]) == ("stripe", "evt_2")
    assert "has no tenant" in item["reason"]["S"]
    assert int(item["expires_at"]["N"]) == pytest.approx(deployed.clock() + 90 * 86_400, abs=100)


def test_an_unsigned_delivery_leaves_no_trace(deployed: Stack) -> None:
    assert deliver(deployed, SIGNUP, "another")["status"] == 401
    assert ledger_of(deployed) == []
    assert deployed.waiting() == []


def test_a_request_on_the_bus_is_applied(deployed: Stack) -> None:
    put({"tenant": "globex", "request_id": "1", "custom_object_type": {"name": "Order", "name_plural": "Orders"}})
    [message] = deployed.waiting()
    deployed.work(message.body)
    assert deployed.types("globex") == ["Order"]


def later(number: int = 1, tenant: str = "later") -> bytes:
    """A signup of a tenant that has no credential here yet."""
    document = json.loads(SIGNUP)
    document["id"], document["data"]["object"]["metadata"]["tenant_id"] = f"evt_{number}", tenant
    return json.dumps(document).encode()


def told(stack: Stack, tenant: str) -> None:
    name = f"{stack.settings.tenant_secret_prefix}/{tenant}"
    events.lambda_handler(called("CreateSecret", name=name), LambdaContext())


def test_a_signup_waits_for_its_tenants_secret_and_is_then_applied(deployed: Stack) -> None:
    for number in (1, 2):
        assert deliver(deployed, later(number))["status"] == 202
    assert deployed.work(*(message.body for message in deployed.waiting())) == []
    deferrals = deployed.waiting()
    assert [0 < message.delay <= 10 for message in deferrals] == [True, True]
    assert deployed.results() == []
    told(deployed, "acme")
    assert deployed.waiting() == []
    deployed.add_tenant("later")
    told(deployed, "later")
    woken = deployed.waiting()
    assert sorted(json.loads(message.body)["request_id"] for message in woken) == ["evt_1", "evt_2"]
    assert {message.delay for message in woken} == {0}
    deployed.work(*(message.body for message in [*woken, *deferrals]))
    assert sorted(result for _, result in deployed.results()) == ["created", "unchanged"]
    assert deployed.types("later") == ["Account"]
    told(deployed, "later")
    assert deployed.waiting() == []


def test_a_secret_that_is_created_empty_and_filled_later_ends_the_wait_of_all(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terraform does so. A worker is done with the first message while the others are being sent."""
    for number in (1, 2, 3):
        deliver(deployed, later(number))
    deployed.work(*(message.body for message in deployed.waiting()))
    deployed.waiting()
    send, at_once = Queue.send, list[str]()

    def sent(self: Queue, body: str, *rest: Any) -> None:
        send(self, body, *rest)
        if not at_once:
            at_once.append(body)
            deployed.work(body)

    monkeypatch.setattr(Queue, "send", sent)
    told(deployed, "later")
    deployed.work(*({message.body for message in deployed.waiting()} - {*at_once}))
    deployed.waiting()
    deployed.add_tenant("later")
    told(deployed, "later")
    woken = {json.loads(message.body)["request_id"] for message in deployed.waiting() if message.delay == 0}
    assert woken == {"evt_1", "evt_2", "evt_3"}


def test_field_17_a_secret_that_is_marked_for_deletion_is_missing_until_it_is_restored(deployed: Stack) -> None:
    secretsmanager, settings = client("secretsmanager"), deployed.settings
    source, tenant = f"{settings.source_secret_prefix}/stripe", f"{settings.tenant_secret_prefix}/later"
    secretsmanager.delete_secret(SecretId=source)
    assert deliver(deployed, later())["status"] == 404
    secretsmanager.restore_secret(SecretId=source)
    webhooks._service.cache_clear()  # or 30 s later
    deployed.add_tenant("later")
    secretsmanager.delete_secret(SecretId=tenant)
    assert deliver(deployed, later())["status"] == 202
    assert deployed.work(*(message.body for message in deployed.waiting())) == []
    [deferral] = deployed.waiting()
    assert deployed.results() == []
    secretsmanager.restore_secret(SecretId=tenant)
    arn = secretsmanager.describe_secret(SecretId=tenant)["ARN"]
    events.lambda_handler(called("RestoreSecret", secretId=arn), LambdaContext())
    [resumed] = deployed.waiting()
    deployed.work(resumed.body, deferral.body)
    assert deployed.results() == [("evt_1", "created")]


def test_field_18_a_request_of_a_tenant_with_a_colon_is_refused_at_once(deployed: Stack) -> None:
    answer = deployed.post(a_request(tenant="acme:eu", wait_for_tenant=True))
    assert answer["status"] == 404
    assert "the name of a secret must not contain a colon" in answer["detail"]
    assert ledger_of(deployed) == []
    assert deployed.waiting() == []


def test_field_18_a_signup_of_a_tenant_with_a_colon_fails_at_once(deployed: Stack) -> None:
    assert deliver(deployed, later(tenant="acme:eu"))["status"] == 202
    deployed.work(*(message.body for message in deployed.waiting()))
    assert deployed.waiting() == []
    assert deployed.results() == [("evt_1", "failed")]


def test_a_long_wait_without_a_message_ends(deployed: Stack) -> None:
    deliver(deployed, later())
    bodies = [message.body for message in deployed.waiting()]
    [item] = [each for each in ledger_of(deployed) if each["pk"]["S"].startswith("REQUEST#")]
    client("dynamodb").update_item(
        TableName=deployed.settings.ledger_table_name,
        Key={"pk": item["pk"]},
        UpdateExpression="SET deferrals = :many",
        ExpressionAttributeValues={":many": {"N": "8"}},
    )
    assert deployed.work(*bodies) == []
    assert deployed.waiting() == [], "it is parked"
    assert deployed.sweep() == {"Unsettled": 0, "Unannounced": 0, "RequeueFailed": 0, "Backlog": 0}
    assert deployed.waiting() == [], "its wait is not over"
    deployed.clock.advance(7200)
    deployed.sweep()
    [message] = deployed.waiting()
    deployed.add_tenant("later")
    deployed.work(message.body)
    assert deployed.results() == [("evt_1", "created")]


def test_a_signup_whose_tenant_never_comes_fails(deployed: Stack) -> None:
    deliver(deployed, later(tenant="never"))
    [message] = deployed.waiting()
    deployed.work(message.body)
    deployed.waiting()
    deployed.clock.advance(3 * 86_400 + 60)  # the handler has a clock of its own
    deployed.work(message.body)
    assert deployed.results() == [("evt_1", "failed")]


def ledger_of(stack: Stack) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client("dynamodb").scan(TableName=stack.settings.ledger_table_name)["Items"]
    return items


def test_hole_10_the_roles_allow_every_item_that_the_handlers_touch(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: dict[str, set[tuple[str, str]]] = {"WebhooksRole": set(), "EventsRole": set()}
    call, running = BaseClient._make_api_call, ["WebhooksRole"]

    def records(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if key := parameters.get("Key") or parameters.get("Item"):
            touched[running[0]].add((f"dynamodb:{operation}", f"{key['pk']['S'].partition('#')[0]}#*"))
        return call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", records)
    for body in (SIGNUP, SIGNUP, b'{"id": "evt_2", "type": "customer.created", "livemode": true}', b"{"):
        deliver(deployed, body)
    running[0] = "EventsRole"
    signup = json.loads(SIGNUP)
    put({"tenant": "globex", "custom_object_type": {"name": "Order", "name_plural": "Orders"}})
    put({})
    events.lambda_handler(event(signup | {"id": "evt_3"}, "aws.partner/stripe.com/ed_1", "x"), LambdaContext())
    secret = f"{deployed.settings.tenant_secret_prefix}/acme"
    ledger = events._service().ingest
    ledger.waitlist.add("acme", request_key("acme", "evt_3"))
    events.lambda_handler(called("CreateSecret", name=secret), LambdaContext())
    for role, calls in touched.items():
        assert {(action, key) for action, keys in LEADING_KEYS[role].items() for key in keys} >= calls
        assert {action for action, _ in calls} == set(LEADING_KEYS[role])
