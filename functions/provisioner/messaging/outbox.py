"""Accept a request: write it to the ledger, then send it to the queue. A request in the ledger is never lost."""

from typing import NamedTuple, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.contract.request import UNKNOWN_REQUESTER, ProvisioningRequest, Requester
from provisioner.contract.validation import BlueprintRejected
from provisioner.messaging.queue import Queue

DELIVERY_SECONDS = 60
"""SQS delivers a message well within this time after its delay; later than that, the sweeper requeues the request."""


class StoredRequest(Protocol):
    """The part of a ledger record that the outbox reads."""

    @property
    def fresh(self) -> bool: ...

    @property
    def body(self) -> str: ...

    @property
    def deferrals(self) -> int: ...

    def accepted_request(self, sent: ProvisioningRequest) -> ProvisioningRequest: ...


class RequestStore[R: StoredRequest](Protocol):
    """The part of the ledger that the outbox calls."""

    def accept(self, request: ProvisioningRequest, expected_after: float, requester: Requester) -> R: ...

    def find(self, request_key: str) -> R | None: ...


class Accepted[R: StoredRequest](NamedTuple):
    """A request in the ledger. ``queue_error``: why it is not on the queue; the sweeper then sends it."""

    record: R
    queue_error: Exception | None = None


class Outbox[R: StoredRequest](NamedTuple):
    """The ledger and the queue, written in this order."""

    ledger: RequestStore[R]
    queue: Queue

    def accept(
        self, request: ProvisioningRequest, delay_seconds: float = 0, requester: Requester = UNKNOWN_REQUESTER
    ) -> Accepted[R]:
        """Store the request and, if it is new, send it. Raise ``Rejected`` (REQUEST_CONFLICT) for other content."""
        record = self.ledger.accept(request, delay_seconds + DELIVERY_SECONDS, requester)
        error = self.send(record.body, request.tenant, record.deferrals, delay_seconds) if record.fresh else None
        return Accepted(record, error)

    def accepted_before(self, rejected: BlueprintRejected) -> R:
        """Return the accepted request that this one repeats, or raise the rejection: its blueprint changed since.

        The values of a blueprint are a part of the content, but its types are not.
        """
        found = self.ledger.find(rejected.request.id)
        if found is None or found.accepted_request(rejected.request).fingerprint != rejected.request.fingerprint:
            raise rejected
        return found

    def send(self, body: str, tenant: str, deferrals: int, delay_seconds: float) -> Exception | None:
        """Send a stored request to the queue, and return the error if SQS fails."""
        try:
            self.queue.send(body, tenant, deferrals, delay_seconds)
        except (BotoCoreError, ClientError) as error:
            failure: Exception = error
            return failure
        return None
