"""Each entry point records the sender of a request, and its outcome says so."""

import json
from typing import Any

import pytest

from provisioner.contract.outcome import Outcome
from provisioner.contract.request import Requester
from provisioner.handlers.events import Events
from provisioner.handlers.worker import Worker
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, IDENTITY, Caller
from tests.webhook_senders import Upstream, fixture

ANNA = IDENTITY["userArn"]


def requester_of(outcome: Outcome) -> Requester:
    return Requester(outcome.entry_point, outcome.requested_by)


def message(body: str, message_id: str = "m1", sender: str = "AROAEXAMPLE:orders") -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1800000000000", "SenderId": sender}
    return {"messageId": message_id, "receiptHandle": "h", "body": body, "attributes": attributes}


@pytest.fixture
def world() -> HandlerWorld:
    return HandlerWorld()


def test_a_caller_of_the_http_api_is_its_iam_principal(world: HandlerWorld) -> None:
    Caller(world).post()

    [(record, _)] = world.ledger.requests.values()
    [(_, announced)] = world.topic.events
    assert record.requester == requester_of(announced) == Requester("http", ANNA)


def test_a_producer_of_a_message_is_its_sender(world: HandlerWorld) -> None:
    Worker(world.service).work([message(json.dumps(BODY))], lambda: 60)

    [(_, announced)] = world.topic.events
    assert requester_of(announced) == Requester("queue", "AROAEXAMPLE:orders")


def test_a_message_that_is_not_a_request_is_announced_with_its_sender(world: HandlerWorld) -> None:
    Worker(world.service).work([message("{}")], lambda: 60)

    [(_, announced)] = world.topic.events
    assert (announced.result, requester_of(announced)) == ("failed", Requester("queue", "AROAEXAMPLE:orders"))


def test_a_request_keeps_its_first_requester(world: HandlerWorld) -> None:
    Caller(world).post(Prefer=["respond-async"])
    Worker(world.service).work([message(json.dumps(BODY))], lambda: 60)

    [(_, announced)] = world.topic.events
    assert requester_of(announced) == Requester("http", ANNA)


@pytest.mark.parametrize("at_first", [5, 60], ids=["from the start", "after the first"])
def test_a_message_that_is_put_back_keeps_its_sender(world: HandlerWorld, at_first: float) -> None:
    """The worker sends it again, so SQS names the worker as the sender of the copy."""

    def time_left() -> float:
        return 5 if any(each.outcome for each, _ in world.ledger.requests.values()) else at_first

    bodies = [json.dumps({**BODY, "request_id": f"{number}"}) for number in range(3)]
    Worker(world.service).work([message(body, f"m{number}") for number, body in enumerate(bodies)], time_left)
    assert len(world.queue.waiting) == (3 if at_first == 5 else 2)

    for body, _, _ in world.queue.waiting:
        Worker(world.service).work([message(json.dumps(body), sender="AROAEXAMPLE:worker")], lambda: 60)

    senders = [requester_of(announced) for _, announced in world.topic.events]
    assert senders == [Requester("queue", "AROAEXAMPLE:orders")] * 3


@pytest.mark.parametrize("entry_point", ["webhook", "eventbridge"])
def test_a_source_is_named_however_its_event_came(entry_point: str) -> None:
    upstream = Upstream()
    stripe = upstream.ingest.sources.find("stripe")
    assert stripe
    upstream.ingest.ingest(stripe, fixture("stripe", "customer.created"), entry_point=entry_point)

    [(record, _)] = upstream.ledger.requests.values()
    assert record.requester == Requester(entry_point, "source:stripe")


def test_an_event_that_yields_no_request_is_announced_with_its_source() -> None:
    upstream = Upstream()
    event = {"id": "e-1", "detail-type": "Provisioning Requested", "source": "com.example.signups", "detail": {}}
    Events(upstream.ingest, "close-provisioner/tenants").handle(event)

    [(_, announced)] = upstream.topic.events
    assert requester_of(announced) == Requester("eventbridge", "event:com.example.signups")


def test_an_event_of_a_bus_never_passes_for_one_of_a_source() -> None:
    upstream = Upstream()
    event = {"id": "e-1", "detail-type": "Provisioning Requested", "source": "source:stripe", "detail": BODY}
    Events(upstream.ingest, "close-provisioner/tenants").handle(event)

    [(record, _)] = upstream.ledger.requests.values()
    assert record.requester == Requester("eventbridge", "event:source:stripe")


def test_a_requester_of_any_length_fits_a_list() -> None:
    assert Requester("queue", "x" * 5000).shortened() == Requester("queue", "x" * 256)
