"""Signed webhooks through the deployed stack: each preset provisions once, however often its event is delivered."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from infra.local.signing import signed_headers
from infra.local.webhook_events import Event
from provisioner.ingest.sources import FOLDER
from tests.e2e.world import Tenant, World, eventually
from tests.unit.handlers.test_events import called
from tests.webhook_senders import EVENTS, PRESET_EVENTS, PRESETS, found

MADE_BY = {"account": ["Account"], "saas-subscriptions": ["Invoice", "Product Usage", "Subscription"]}
BLUEPRINTS = {(name, event.name): event.desired["blueprint"] for name in PRESETS for event in found(name).events}


def deliver(world: World, event: Event, secret: str | None = None) -> httpx.Response:
    name = event.source.name
    sent = event.sent([secret or world.stack.source_secrets[name]])
    return world.stack.http.deliver(name, sent.body, sent.headers)


@pytest.mark.parametrize(("source", "name"), PRESET_EVENTS, ids=map("/".join, PRESET_EVENTS))
def test_each_preset_provisions_once_when_it_is_delivered_five_times(
    world: World, tenant: Tenant, source: str, name: str
) -> None:
    event = Event.of(source, name, tenant.name)
    with ThreadPoolExecutor(3) as senders:
        responses = list(senders.map(lambda _: deliver(world, event), range(5)))
    assert {response.status_code for response in responses} == {202}
    [accepted] = {
        (each["tenant"], each["request_id"], each["id"]) for each in (response.json() for response in responses)
    }
    assert accepted[0] == tenant.name
    [announced] = world.announced(tenant.name, accepted[1])
    assert announced.data["result"] == "created"
    assert announced.event["id"] == accepted[2]
    creates = world.creates_sent(tenant)
    assert sorted(world.type_names(tenant)) == MADE_BY[BLUEPRINTS[source, name]]
    assert world.close.state(tenant.organization)["duplicates"] == {}
    again = deliver(world, event)
    assert (again.status_code, again.json()["state"]) == (202, "settled")
    assert world.creates_sent(tenant) == creates


@pytest.mark.parametrize("source", ["stripe", "clerk", "auth0", "chargebee"])
def test_an_unsigned_request_is_rejected(world: World, tenant: Tenant, source: str) -> None:
    name = next(event for each, event in EVENTS if each == source)
    event = Event.of(source, name, tenant.name)
    other = world.stack.source_secrets["clerk"] if source != "clerk" else f"whsec_{'A' * 32}"
    responses = [
        deliver(world, event, f"{other}:x" if source == "chargebee" else other),
        world.stack.http.deliver(source, event.sent([world.stack.source_secrets[source]]).body, {}),
    ]
    assert {response.status_code for response in responses} == {401}
    assert world.close.requests(tenant.organization) == []


def test_a_body_arrives_byte_for_byte(world: World) -> None:
    """Send signed bytes that are not UTF-8. The problem is the event, so the signature was valid."""
    body = b'{"type": "customer.created", "name": "\xff\xfe"}'
    secrets = [world.stack.source_secrets["stripe"]]
    headers = signed_headers("stripe", secrets, body, now=time.time(), delivery_id="msg_1")
    response = world.stack.http.deliver("stripe", body, headers)
    assert (response.status_code, response.json()["type"]) == (422, "urn:close-provisioner:problem:invalid-event")


def test_an_event_without_a_valid_request_is_announced_once(world: World) -> None:
    event = Event.of("workos", "organization.created", "no/tenant")
    responses = [deliver(world, event) for _ in range(3)]
    assert {response.status_code for response in responses} == {422}
    assert "has no tenant" in responses[0].json()["detail"]
    [announced] = world.announced("unknown", str(event.document["id"]))
    assert announced.event["type"] == "close-provisioner.provisioning.failed"
    assert announced.data["problem"]["type"] == "urn:close-provisioner:problem:invalid-event"


def test_an_event_that_is_not_a_signup_is_ignored(world: World) -> None:
    event = Event.of("stripe", "customer.created")
    response = deliver(world, replace(event, document={**event.document, "type": "invoice.paid"}))
    assert (response.status_code, response.json()["state"]) == (200, "ignored")


def test_field_1_a_thin_event_is_announced_once_and_says_what_to_choose(world: World) -> None:
    thin = json.loads((FOLDER / "fixtures" / "stripe" / "rejected" / "thin-event.json").read_bytes())
    event = replace(Event.of("stripe", "customer.created"), document=thin | {"id": f"evt_{uuid4().hex}"})
    responses = [deliver(world, event) for _ in range(2)]
    assert {response.status_code for response in responses} == {422}
    [announced] = world.announced("unknown", str(event.document["id"]))
    assert announced.event["type"] == "close-provisioner.provisioning.failed"
    assert "choose the payload style Snapshot" in announced.data["problem"]["detail"]


def test_field_3_a_simulation_of_paddle_is_ignored(world: World, tenant: Tenant) -> None:
    event = Event.of("paddle", "customer.created", tenant.name)
    simulated = {**event.document, "event_id": f"ntfsimevt_{uuid4().hex}"}
    response = deliver(world, replace(event, document=simulated))
    assert (response.status_code, response.json()["state"]) == (200, "ignored")
    assert world.close.requests(tenant.organization) == []


def test_hole_8_a_visitor_of_a_payment_link_does_not_choose_the_tenant(world: World, tenant: Tenant) -> None:
    event = Event.of("stripe", "checkout.session.completed", f"cus-{uuid4().hex}")
    session = event.document["data"]["object"] | {"client_reference_id": tenant.name}
    response = deliver(world, replace(event, document={**event.document, "data": {"object": session}}))
    assert response.status_code == 202
    assert response.json()["tenant"] != tenant.name


def test_a_signup_before_its_tenant_waits_for_it(world: World) -> None:
    """Call the function directly, as the rule would: only AWS may put events of CloudTrail on the bus."""
    name = f"t-{uuid4().hex[:12]}"
    event = Event.of("paddle", "customer.created", name)
    assert deliver(world, event).status_code == 202
    eventually(lambda: [line for line in world.logged() if name in line and "has no credential" in line])
    tenant = world.new_tenant(name)
    secret = f"{world.stack.description.tenant_secret_prefix}/{name}"
    function, payload = (
        world.stack.description.functions["events"].name,
        json.dumps(called("CreateSecret", name=secret)),
    )
    world.stack.aws.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    [announced] = world.announced(name, str(event.document["event_id"]))
    assert announced.data["result"] == "created"
    assert world.type_names(tenant) == ["Account"]
    assert eventually(lambda: [line for line in world.logged() if name in line and '"resumed":1' in line])


def test_an_unknown_source_is_not_found(world: World) -> None:
    response = world.stack.http.deliver("unknown", b"{}", {})
    assert (response.status_code, response.json()["type"]) == (404, "urn:close-provisioner:problem:source-not-found")


def test_a_large_body_is_rejected(world: World) -> None:
    response = world.stack.http.deliver("stripe", b"x" * 262_145, {})
    assert response.status_code == 413


def test_no_secret_of_a_sender_is_written_anywhere(world: World, tenant: Tenant) -> None:
    for source, name in EVENTS:
        deliver(world, Event.of(source, name, tenant.name))
        deliver(world, Event.of(source, name, "no/tenant"))
    logged = "".join(world.logged())
    assert '"source":"stripe"' in logged or '"source": "stripe"' in logged
    for secret in world.stack.source_secrets.values():
        assert secret not in logged
