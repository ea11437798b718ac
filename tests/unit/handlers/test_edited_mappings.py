"""A known event gets its request's answer, however its source's mapping or blueprint was edited since."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from provisioner.contract import blueprints
from provisioner.contract.request import request_key
from provisioner.handlers.events import Events
from provisioner.ingest.mapping import Expression, Source
from provisioner.ingest.sources import Sources
from tests.handlers import blueprint_that_requires
from tests.unit.handlers.test_events import STRIPE_BUS, event
from tests.webhook_senders import PRESET_EVENTS, Upstream, fixture, found

CUSTOMER = fixture("stripe", "customer.created")
EVENT_ID = "evt_1SWk2eLkdIwHu7ixJ0tXq3mA"

type Edit = Callable[[Source], Source]


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def edit(upstream: Upstream, source: str, change: Edit) -> None:
    sources = Sources(_read={source: change(found(source))})
    upstream.ingest = replace(upstream.ingest, sources=sources)
    upstream.handler = replace(upstream.handler, ingest=upstream.ingest)


def each_mapping(**changes: Any) -> Edit:
    return lambda source: replace(source, events=tuple(replace(each, **changes) for each in source.events))


EDITS: dict[str, Edit] = {
    "another tenant": each_mapping(tenant=Expression("'other'")),
    "no tenant": each_mapping(tenant=Expression("nothing.here")),
    "other values": each_mapping(values={"product": Expression("'another product'")}),
    "a missing value": each_mapping(values={"product": Expression("nothing.here")}),
    "an unknown value": each_mapping(values={"nope": Expression("'x'")}),
    "another blueprint": each_mapping(desired={"blueprint": "saas-subscriptions"}),
    "an unknown blueprint": each_mapping(desired={"blueprint": "removed"}),
    "a spec instead": each_mapping(desired={"custom_object_type": {"name": "Deal", "name_plural": "Deals"}}, values={}),
    "not mapped any more": each_mapping(when=Expression("`false`")),
    "no event left": lambda source: replace(source, events=()),
}


def is_answered(upstream: Upstream, answer: Any, request: str) -> bool:
    """The answer is that of the first delivery; nothing was announced or queued again."""
    assert (answer.status, answer.body.get("id")) == (202, request)
    return (upstream.topic.events, len(upstream.queue.waiting), len(upstream.ledger.requests)) == ([], 1, 1)


@pytest.mark.parametrize("change", EDITS)
@pytest.mark.parametrize(("source", "name"), PRESET_EVENTS)
def test_hole_6_a_redelivery_after_an_edit_gets_the_first_answer(
    upstream: Upstream, source: str, name: str, change: str
) -> None:
    body = fixture(source, name)
    first = upstream.deliver(source, body)
    edit(upstream, source, EDITS[change])

    assert is_answered(upstream, upstream.deliver(source, body), first.body["id"])


def test_hole_6_a_changed_blueprint_changes_nothing(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    first = upstream.deliver("stripe", CUSTOMER)
    monkeypatch.setattr(blueprints, "load", blueprint_that_requires("region"))

    assert is_answered(upstream, upstream.deliver("stripe", CUSTOMER), first.body["id"])


@pytest.mark.parametrize("change", EDITS)
def test_hole_6_what_senders_change_between_deliveries_is_no_other_body(upstream: Upstream, change: str) -> None:
    """Stripe counts ``pending_webhooks`` down, Chargebee reports the state of its webhooks."""
    first = upstream.deliver("stripe", CUSTOMER)
    edit(upstream, "stripe", EDITS[change])
    document = json.loads(CUSTOMER)
    again = {**dict(reversed(document.items())), "pending_webhooks": 0, "request": None}

    assert is_answered(upstream, upstream.deliver("stripe", json.dumps(again).encode()), first.body["id"])


@pytest.mark.parametrize("change", EDITS)
def test_hole_6_the_same_holds_on_a_bus(upstream: Upstream, change: str) -> None:
    detail = json.loads(CUSTOMER)
    asked = event(detail, STRIPE_BUS, "customer.created")
    Events(upstream.ingest, "close-provisioner/tenants").handle(asked)
    edit(upstream, "stripe", EDITS[change])
    Events(upstream.ingest, "close-provisioner/tenants").handle(asked)

    assert is_answered(upstream, upstream.deliver("stripe", CUSTOMER), request_key("acme", EVENT_ID))


def with_object(**changes: Any) -> bytes:
    document = json.loads(CUSTOMER)
    document["data"]["object"] |= changes
    return json.dumps(document).encode()


@pytest.mark.parametrize("other", [with_object(metadata={"tenant_id": "globex"}), with_object(metadata={}, id="cus_2")])
def test_hole_6_another_body_under_the_same_id_is_a_conflict(upstream: Upstream, other: bytes) -> None:
    upstream.deliver("stripe", CUSTOMER)

    answers = [upstream.deliver("stripe", other) for _ in range(2)]

    assert {(answer.status, answer.kind) for answer in answers} == {(422, "request-conflict")}
    assert (len(upstream.topic.events), len(upstream.ledger.requests)) == (1, 1)


def test_hole_6_other_data_that_the_mapping_does_not_read_is_the_same_request(upstream: Upstream) -> None:
    first = upstream.deliver("stripe", CUSTOMER)

    assert is_answered(upstream, upstream.deliver("stripe", with_object(balance=7)), first.body["id"])


def test_hole_6_an_event_of_another_source_is_another_event(upstream: Upstream) -> None:
    upstream.deliver("stripe", CUSTOMER)
    document = {"id": EVENT_ID, "type": "nothing.mapped", "data": json.loads(CUSTOMER)["data"]}

    answer = upstream.deliver("workos", json.dumps({**document, "event": "x"}).encode())

    assert answer.body["state"] == "ignored"


def test_hole_6_an_event_that_was_rejected_is_accepted_once_its_mapping_is_right(upstream: Upstream) -> None:
    edit(upstream, "stripe", EDITS["no tenant"])
    assert upstream.deliver("stripe", CUSTOMER).status == 422
    edit(upstream, "stripe", lambda source: source)

    assert upstream.deliver("stripe", CUSTOMER).status == 202


def test_field_12_a_fault_of_a_mapped_request_does_not_point_into_the_event(upstream: Upstream) -> None:
    edit(upstream, "stripe", EDITS["a missing value"])

    answer = upstream.deliver("stripe", CUSTOMER)

    assert (answer.status, answer.kind, answer.body["errors"]) == (422, "invalid-event", [])
    assert answer.body["detail"].startswith(
        "The request that the source's mapping makes of the event: /values/product: is required"
    )
