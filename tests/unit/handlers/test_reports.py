"""Metrics of a request that ended: how long it took, and how Close answered. The stored form can be sent again."""

import json
from typing import Any

import pytest

from provisioner.contract.request import ProvisioningRequest
from provisioner.handlers.request_log import close_answers
from provisioner.handlers.worker import Worker
from tests.close import LOST
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, Caller


@pytest.fixture
def world() -> HandlerWorld:
    return HandlerWorld()


def message(body: object) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1800000000000"}
    return {"messageId": "m1", "receiptHandle": "h", "body": json.dumps(body), "attributes": attributes}


def test_the_time_to_the_outcome_is_in_the_line_of_its_result(
    world: HandlerWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.ledger.accept(ProvisioningRequest.model_validate_json(json.dumps(BODY)))
    world.clock.advance(90)
    Worker(world.service).work([message(BODY)], lambda: 60)

    [emitted] = [json.loads(each) for each in capsys.readouterr().out.splitlines() if '"_aws"' in each]
    assert (emitted["Created"], emitted["TimeToOutcome"]) == ([1.0], [90.0])
    assert emitted["CloseAnswered"] == [3.0]


def test_each_answer_of_close_has_a_class() -> None:
    statuses = [200, 201, 302, 404, 429, 500, 503, None]
    assert close_answers([("GET", "me/", status, 1, None) for status in statuses]) == [
        *("CloseAnswered", "CloseAnswered", "CloseRefused", "CloseRefused"),
        *("CloseRateLimited", "CloseFailed", "CloseFailed", "CloseLost"),
    ]


def test_a_lost_answer_is_counted_while_the_request_waits(
    world: HandlerWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.close.faults = [LOST]
    Worker(world.service).work([message(BODY)], lambda: 60)

    [emitted] = [json.loads(each) for each in capsys.readouterr().out.splitlines() if '"_aws"' in each]
    assert (emitted["Deferred"], emitted["CloseLost"]) == ([1.0], [1.0])
    assert "TimeToOutcome" not in emitted


BLUEPRINT = {"tenant": "acme", "request_id": "b-1", "blueprint": "account", "values": {"product": "Acme Cloud"}}


def test_the_stored_form_of_a_request_can_be_sent_again(world: HandlerWorld) -> None:
    """A blueprint with the types that it was expanded to: as the ledger, the queue and a history show it."""
    caller = Caller(world)
    first = caller.post(BLUEPRINT)
    [(record, _)] = world.ledger.requests.values()
    stored = json.loads(record.body)
    assert stored["custom_object_types"]

    again = caller.post(stored)
    assert (first.status, again.status) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = caller.post({**stored, "request_id": "b-2"})
    assert (other.status, other.body["outcome"]["result"]) == (200, "unchanged")
