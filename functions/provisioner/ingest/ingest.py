"""Takes what upstream senders tell, for the doors of webhooks and of events: no Close, and nothing that reaches it.

    an event ──► mapping ──► a request ──► ledger ──► queue         (answered before anything is provisioned)
                    └── broken ──► announced as failed ──► remembered

Memory and work are one thing: an event is known from the moment its request is in the ledger, and whatever is in the
ledger is carried out. Nothing else remembers events, so none can be remembered and lost.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.contract.errors import Problem, ProblemType, Rejected, make_problem
from provisioner.contract.outcome import Outcome, Result, message_key
from provisioner.contract.parsing import parse_json_object, parse_request
from provisioner.contract.request import ProvisioningRequest
from provisioner.ingest.mapping import Ignored, Source, event_id, to_request
from provisioner.ingest.sources import Sources
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.rejected_events import RejectedEvents
from provisioner.ledger.store import Ledger
from provisioner.ledger.waitlist import TenantWaitlist
from provisioner.messaging.queue import Queue
from provisioner.messaging.topic import Topic
from provisioner.settings import Settings

ON_QUEUE_SECONDS = 60  # a message is delivered well within this time


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is in the ledger. ``queued``: and on the queue; if not, the sweeper will put it there."""

    record: RequestRecord
    queued: bool = True


class EventRejected(Exception):
    """What arrived cannot be understood, or not be taken. ``announced``: just now, and not when it came before."""

    def __init__(self, fault: Problem, *, announced: bool) -> None:
        super().__init__(fault.detail)
        self.problem = fault
        self.announced = announced


@dataclass(frozen=True, slots=True)
class Ingest:
    """The parts behind the doors of webhooks and events, made from the settings."""

    sources: Sources
    ledger: Ledger
    queue: Queue
    topic: Topic
    broken: RejectedEvents
    waiting: TenantWaitlist
    clock: Callable[[], float]

    @classmethod
    def from_settings(cls, settings: Settings, client: Callable[[str], Any], clock: Callable[[], float]) -> Self:
        """``client`` makes AWS's clients by their service's name, ``clock`` gives Unix seconds."""
        dynamodb, table, days = client("dynamodb"), settings.ledger_table_name, settings.request_retention_days
        return cls(
            sources=Sources(),
            ledger=Ledger(dynamodb, table, settings.lease_seconds, days, clock),
            queue=Queue(client("sqs"), settings.provisioning_queue_url, settings.dead_letter_queue_url),
            topic=Topic(client("sns"), settings.outcomes_topic_arn, settings.event_source),
            broken=RejectedEvents(dynamodb, table, days, clock),
            waiting=TenantWaitlist(dynamodb, table, days, clock),
            clock=clock,
        )

    def take(self, source: Source, event: bytes, delivery_id: str | None = None) -> Accepted | Ignored:
        """Store and queue the request that the event means. Raises ``Broken`` when it cannot be told what that is.

        ``delivery_id``: the delivery's, where it is signed.
        """
        request_id, tenant = hashlib.sha256(event).hexdigest(), None
        try:
            document = parse_json_object(event)
            request_id = event_id(source, document, delivery_id) or request_id
            body = to_request(source, document, delivery_id)
            if isinstance(body, Ignored):
                return body
            tenant = body["tenant"]
            return self.submit(parse_request(json.dumps(body)))
        except Rejected as rejection:
            raise self.report(source.name, request_id, tenant, rejection) from None

    def submit(self, request: ProvisioningRequest) -> Accepted:
        """Store and queue the request. What is stored already is, or was, on the queue: it is not put there again.

        Raises ``Refused`` (REQUEST_CONFLICT).
        """
        record = self.ledger.accept(request, expected_after=ON_QUEUE_SECONDS)
        if not record.fresh:
            return Accepted(record)
        try:
            self.queue.send(request.to_json(), request.tenant, record.deferrals)
        except (BotoCoreError, ClientError):
            return Accepted(record, queued=False)
        return Accepted(record)

    def wake(self, tenant: str) -> list[str]:
        """The tenant has a credential now, or another: whoever waits for one goes on the queue at once.

        Answers their keys. Queued before they are taken off the list: should this die in between, all are queued again.
        """
        woken = []
        keys = self.waiting.of(tenant)
        for key in keys:
            found = self.ledger.find(key)
            if found and found[0].outcome is None:
                self.queue.send(found[1].to_json(), tenant, found[0].deferrals)
                woken.append(key)
        if keys:
            self.waiting.remove(tenant, keys)
        return woken

    def report(self, sender: str, request_id: str, tenant: str | None, rejection: Rejected) -> EventRejected:
        """Announce it as failed, so that somebody hears of it; first that, so that no death in between hides it."""
        key = message_key(f"{sender}/{request_id}")
        fault = _fault_of_event(rejection)
        if self.broken.is_known(key):
            return EventRejected(fault, announced=False)
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat()
        outcome = Outcome(
            tenant=tenant or "unknown", request_id=request_id, result=Result.FAILED, problem=fault, settled_at=now
        )
        self.topic.publish(key, outcome)
        self.broken.remember(key, sender, request_id, fault.detail)
        return EventRejected(fault, announced=True)


def _fault_of_event(rejection: Rejected) -> Problem:
    """A request that is not valid was made here, of an event: it is the event that cannot be understood."""
    fault = rejection.problem
    if rejection.kind is ProblemType.INVALID_REQUEST:
        return make_problem(ProblemType.INVALID_EVENT, fault.detail, errors=fault.errors)
    return fault
