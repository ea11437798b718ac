"""Turn the events of upstream senders into requests, for the handlers of webhooks and events. Never reaches Close.

    an event ──► mapping ──► a request ──► ledger ──► queue      (the sender gets its response before Close is called)
                    └── rejected ──► published as failed ──► recorded

An event counts as received once its request is in the ledger, and every request in the ledger is reconciled. Both are
recorded in one write, so no event can be recorded and then lost. A known event is answered with its request, whatever
the mapping of today makes of it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from provisioner.contract.errors import Problem, ProblemType, Rejected, make_problem
from provisioner.contract.outcome import Outcome, Result, message_key
from provisioner.contract.request import Requester
from provisioner.contract.validation import BlueprintRejected, nesting_bounded, parse_json_object, request_of
from provisioner.ingest.mapping import Ignored, Source, event_id, to_request
from provisioner.ingest.sources import Sources
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.received_events import EventLedger, ReceivedEvent
from provisioner.ledger.rejected_events import RejectedEvents
from provisioner.ledger.store import Ledger
from provisioner.ledger.waitlist import TenantWaitlist
from provisioner.messaging.outbox import Accepted, Outbox
from provisioner.messaging.queue import Queue
from provisioner.messaging.topic import Topic
from provisioner.settings import Settings

DATA_KEYS = ("data", "content")
"""The key of an event's data: Chargebee says ``content``. An event that has none of them is compared as a whole."""

type AcceptedEvent = Accepted[RequestRecord]


class EventRejected(Exception):
    """An event that no request can be made of. ``published``: for the first time, not at an earlier delivery."""

    def __init__(self, problem: Problem, *, published: bool) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.published = published


@dataclass(frozen=True, slots=True)
class Ingest:
    """The parts that the handlers of webhooks and events share."""

    sources: Sources
    ledger: Ledger
    queue: Queue
    topic: Topic
    rejected: RejectedEvents
    waitlist: TenantWaitlist
    event_ledger: Callable[[ReceivedEvent], EventLedger]
    clock: Callable[[], float]

    @classmethod
    def from_settings(cls, settings: Settings, client: Callable[[str], Any], clock: Callable[[], float]) -> Self:
        """Return the parts. ``client`` makes an AWS client by its service's name, ``clock`` returns Unix seconds."""
        ledger = Ledger.from_settings(settings, client("dynamodb"), clock)
        table = (
            ledger.dynamodb,
            ledger.table,
            ledger.retention_days,
            clock,
        )  # one client: making it costs milliseconds
        return cls(
            sources=Sources(),
            ledger=ledger,
            queue=Queue.from_settings(settings, client("sqs")),
            topic=Topic.from_settings(settings, client("sns")),
            rejected=RejectedEvents(*table),
            waitlist=TenantWaitlist(*table),
            event_ledger=partial(EventLedger, ledger),
            clock=clock,
        )

    def ingest(
        self, source: Source, event: bytes, delivery_id: str | None = None, entry_point: str = "webhook"
    ) -> AcceptedEvent | Ignored:
        """Store and queue the request that the event maps to. Raise ``EventRejected`` if it maps to none.

        ``delivery_id``: the id of the delivery, if it is signed.
        """
        requester = Requester(entry_point, f"source:{source.name}")
        request_id, tenant, ledger = hashlib.sha256(event).hexdigest(), None, None
        try:
            with nesting_bounded():
                document = parse_json_object(event)
                if known_as := event_id(source, document, delivery_id):
                    request_id = known_as
                    ledger = self.event_ledger(_received(source, document, known_as))
                body = to_request(source, document, delivery_id)
            if isinstance(body, Ignored):
                return _known(ledger) or body
            tenant = body["tenant"]
            return self.submit(body, requester, ledger=ledger)
        except Rejected as rejection:
            if answer := _known(ledger):
                return answer
            names = (source.name, request_id, tenant)
            raise self.reject(names, _of_mapping(rejection) if tenant else rejection, requester) from None

    def submit(
        self,
        document: Mapping[str, Any],
        requester: Requester,
        *,
        fallback_id: str | None = None,
        ledger: EventLedger | None = None,
    ) -> AcceptedEvent:
        """Store and queue the request in a JSON object. Raise ``Rejected``: also for other content under a known id.

        ``fallback_id``: the request id of an object without one. ``ledger``: of the event that it was mapped from.
        """
        outbox = Outbox(ledger or self.ledger, self.queue)
        try:
            request = request_of(document, fallback_id=fallback_id)
        except BlueprintRejected as rejection:
            return Accepted(outbox.accepted_before(rejection))
        return outbox.accept(request, requester=requester)

    def resume_waiting(self, tenant: str) -> list[str]:
        """Queue the requests that wait for the tenant's credential, and return their keys.

        They are queued before they leave the waitlist: a crash in between queues them all again. They stay if a worker
        has put one back by then, because the credential is still missing: a secret may be created first and filled
        later.
        """
        resumed = []
        waiters = self.waitlist.read(tenant)
        for key in waiters.request_keys:
            found = self.ledger.find(key)
            if found and found.outcome is None:
                self.queue.send(found.body, tenant, found.deferrals)
                resumed.append(key)
        if waiters.request_keys:
            self.waitlist.remove(tenant, waiters)
        return resumed

    def reject(self, names: tuple[str, str, str | None], rejection: Rejected, requester: Requester) -> EventRejected:
        """Publish the failure, then record it: a crash in between repeats it rather than hides it.

        ``names``: of the sender, of the request, and of the tenant if the event names one.
        """
        sender, request_id, tenant = names
        key = message_key(f"{sender}/{request_id}")
        problem = _problem_of_event(rejection)
        if self.rejected.is_known(key):
            return EventRejected(problem, published=False)
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat()
        outcome = Outcome(
            tenant=tenant or "unknown", request_id=request_id, result=Result.FAILED, problem=problem, settled_at=now
        )
        self.topic.publish(key, outcome.asked_by(requester))
        self.rejected.remember(key, sender, request_id, problem.detail)
        return EventRejected(problem, published=True)


def _known(ledger: EventLedger | None) -> AcceptedEvent | None:
    """Return the request of an event that was received before. Its mapping may have been edited since."""
    record = ledger.answer() if ledger else None
    return Accepted(record) if record else None


def _received(source: Source, event: Mapping[str, Any], known_as: str) -> ReceivedEvent:
    """Return the event without what its sender may change between two deliveries, such as a count of deliveries."""
    data = next((event[name] for name in DATA_KEYS if name in event), event)
    content = json.dumps([source.kind.of(event), data], sort_keys=True)
    return ReceivedEvent(message_key(f"{source.name}/{known_as}"), hashlib.sha256(content.encode()).hexdigest())


def _of_mapping(rejection: Rejected) -> Rejected:
    """Return the rejection of a mapped request. Its pointers are not into the event, so they are in its text only."""
    if rejection.kind is not ProblemType.INVALID_REQUEST:
        return rejection
    return Rejected(ProblemType.INVALID_EVENT, f"The request that the source's mapping makes of the event: {rejection}")


def _problem_of_event(rejection: Rejected) -> Problem:
    """Return the problem of the event: a request made of it is invalid only if the event is."""
    problem = rejection.problem
    if rejection.kind is ProblemType.INVALID_REQUEST:
        return make_problem(ProblemType.INVALID_EVENT, problem.detail, errors=problem.errors)
    return problem
