"""A request is accepted in the ledger first, then sent to the queue."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from provisioner.contract.errors import Rejected
from provisioner.contract.request import UNKNOWN_REQUESTER, ProvisioningRequest, Requester
from provisioner.ledger.acceptance import SettledAtOnce
from provisioner.ledger.models import RequestRecord
from provisioner.messaging.outbox import DELIVERY_SECONDS, Accepted, Outbox
from tests.fakes import Clock, MemoryLedger, a_request
from tests.handlers import MemoryQueue


class RecordingLedger(MemoryLedger):
    """A ledger that records after how many seconds each request is overdue."""

    overdue_after: float = 0

    def accept(
        self,
        request: ProvisioningRequest,
        expected_after: float = 420,
        requester: Requester = UNKNOWN_REQUESTER,
        settled: SettledAtOnce | None = None,
    ) -> RequestRecord:
        self.overdue_after = expected_after
        return super().accept(request, expected_after, requester)


@pytest.fixture
def ledger() -> RecordingLedger:
    return RecordingLedger(Clock())


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


def outbox(ledger: Any, queue: Any) -> Outbox[RequestRecord]:
    return Outbox(ledger, queue)


@pytest.mark.parametrize("delay", [0, 30])
def test_a_new_request_is_stored_and_sent_after_its_delay(
    ledger: RecordingLedger, queue: MemoryQueue, delay: float
) -> None:
    accepted = outbox(ledger, queue).accept(a_request(), delay)

    assert accepted.queue_error is None
    assert list(ledger.requests) == [accepted.record.id]
    assert [(tenant, seconds) for _, tenant, seconds in queue.waiting] == [("acme", delay)]
    assert ledger.overdue_after == delay + DELIVERY_SECONDS


def test_a_repeated_request_is_not_sent_again(ledger: RecordingLedger, queue: MemoryQueue) -> None:
    outbox(ledger, queue).accept(a_request())

    assert outbox(ledger, queue).accept(a_request()) == Accepted(ledger.requests[a_request().id][0])
    assert len(queue.waiting) == 1


def test_a_request_that_the_ledger_rejects_is_not_sent(ledger: RecordingLedger, queue: MemoryQueue) -> None:
    outbox(ledger, queue).accept(a_request())

    with pytest.raises(Rejected):
        outbox(ledger, queue).accept(a_request(name="Other"))

    assert len(queue.waiting) == 1


@pytest.mark.parametrize(
    "error", [ClientError({"Error": {}}, "SendMessage"), EndpointConnectionError(endpoint_url="https://queue")]
)
def test_settled_a_stored_request_outlives_a_failure_of_the_queue(
    ledger: RecordingLedger, queue: MemoryQueue, error: Exception
) -> None:
    queue.fails = error

    accepted = outbox(ledger, queue).accept(a_request())

    assert accepted.queue_error is error
    assert list(ledger.requests) == [accepted.record.id]
