"""The records of the ledger, and how they change.

A request's item:

    (none) ──accept──► accepted ──settle──► settled ──publish──► announced
                          │  ▲
                          └──┘ defer (counted; nothing else changes)

A resource's item: one for each type of a tenant and one for each shared field, by its natural key, kept for good:

    free ──lease──► leased ──settle──► known (its id in Close)      and known ──lease──► leased, again
     ▲                │  │
     └──release───────┘  └──in doubt──► unknown ──lease──► leased (observes; creates when absence is conclusive)
       (no write can
        still land)      an expired lease means the same as unknown: its holder died, perhaps after a create

A request leases all of its resources before it observes them, and releases them together. Each write that it sends
under a lease has an *operation* key: create the type (or shared field) itself, create one of its fields, or associate
it with a shared field.

The lease *is* the intent to create: the write that takes it adds its request to ``intents``. An intent is removed only
by a holder that knows the result of every write it sent. Extra intents therefore mean: a previous holder died, and any
of its creates may still land. A holder that survives a lost response records the operation as in doubt. Every later
write is fenced by the lease's fencing token, which no two leases of a resource share.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Self

from provisioner.contract.outcome import Outcome

CREATE_RESOURCE = "create"
"""The operation that creates the type, or the shared field, itself."""

ABSENCE_LAGS = 2
"""After this many list lags, an observation without a resource proves that it was not created."""

MAX_QUEUE_DELAY_SECONDS = 900
"""The longest delay of a message in SQS. A longer deferral has no message: the sweeper requeues the request."""


class RequestState(StrEnum):
    ACCEPTED = "accepted"
    SETTLED = "settled"
    ANNOUNCED = "announced"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request in the ledger. Times are Unix seconds. ``fresh``: this call accepted it."""

    id: str
    tenant: str
    request_id: str
    state: RequestState
    accepted_at: float
    deferrals: int = 0
    pending_reason: str | None = None
    sweeps: int = 0
    outcome: Outcome | None = None
    tenant_last_missing_at: float = 0  # when its tenant last had no credential
    fresh: bool = False

    @property
    def runnable_since(self) -> float:
        """When the retry deadline starts; time spent waiting for the tenant is excluded."""
        return max(self.accepted_at, self.tenant_last_missing_at)


class ResourceKind(StrEnum):
    TYPE = "type"
    SHARED_FIELD = "shared field"


class ResourceKey(NamedTuple):
    """The address of one resource: a type or a shared field of a tenant. ``name``: its natural key."""

    kind: ResourceKind
    tenant: str
    name: str


class InDoubt(NamedTuple):
    """Creates that may still land. ``since``: the latest time at which one was sent (Unix seconds)."""

    since: float
    requests: tuple[str, ...]  # the requests that sent them, one entry for each create
    lost: int = 0  # how many of them were certainly sent and got no response

    def next_observation(self, now: float, lag: float) -> float | None:
        """Return when to observe next: one lag after the last create, then two lags; None after that."""
        return next((moment for moment in self._moments(lag) if moment > now), None)

    def last_observation(self, now: float, lag: float) -> float:
        """Return the earliest valid time of an observation: the latest of these moments that has passed, else 0."""
        return max((moment for moment in self._moments(lag) if moment <= now), default=0)

    def _moments(self, lag: float) -> list[float]:
        return [self.since + lags * lag for lags in range(1, ABSENCE_LAGS + 1)]


class Provenance(StrEnum):
    """The origin of the result of an operation."""

    CREATED = "created"
    OBSERVED = "observed"  # one of these requests created it, and then lost the response or died
    RECOVERED = "recovered"  # this request observed its own creation
    UPDATED = "updated"


class AppliedWrite(NamedTuple):
    """A recent write of this service. ``at``: the latest time at which it can have happened (Unix seconds)."""

    close_id: str
    at: float
    how: Provenance
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """The ledger's record of one resource, with or without its lease. Times are Unix seconds.

    ``fencing_token``: the token of the last lease; 0 if the resource was never leased.
    """

    resource: ResourceKey
    fencing_token: int = 0
    orphaned: InDoubt | None = None  # of holders that died: any of their creates may still land
    in_doubt: Mapping[str, InDoubt] = field(default_factory=dict)  # by operation
    writes: Mapping[str, AppliedWrite] = field(default_factory=dict)  # by operation
    close_id: str | None = None  # the last known id of the type or shared field in Close
    last_observed_at: float = 0
    reads_valid_from: float = 0  # reads of Close before this time are too old

    def in_doubt_about(self, operation: str) -> tuple[InDoubt, ...]:
        """Return the entries by which a create of this operation may still land."""
        return tuple(each for each in (self.orphaned, self.in_doubt.get(operation)) if each)

    def in_doubt_requests(self, operation: str) -> tuple[str, ...]:
        """Return the requests whose creates of this operation may still land, one entry for each create."""
        return tuple(request for each in self.in_doubt_about(operation) for request in each.requests)

    def was_written_by(self, request: str) -> bool:
        """Return whether this request is known to have sent a write here, with any result."""
        in_doubt = any(request in each.requests for each in self.in_doubt.values())
        return in_doubt or any(request in write.requests for write in self.writes.values())

    def own_write(self, operation: str, request: str) -> AppliedWrite | None:
        """Return the write of this operation if this request is known to have sent it."""
        write = self.writes.get(operation)
        return write if write and write.how is not Provenance.OBSERVED and request in write.requests else None

    def may_have_created(self, request: str) -> bool:
        """Return whether a create of this request may still land, or may explain a resource observed since."""
        in_doubt = [*self.in_doubt.values(), *((self.orphaned,) if self.orphaned else ())]
        observed = [write for write in self.writes.values() if write.how is Provenance.OBSERVED]
        return any(request in each.requests for each in (*in_doubt, *observed))

    def with_in_doubt(self, operation: str, request: str, now: float) -> Self:
        """Record that a create was sent and its response was lost."""
        lost = sum(each.lost for each in self.in_doubt_about(operation)) + 1
        requests = (*self.in_doubt_requests(operation), request)
        return replace(self, in_doubt={**self.in_doubt, operation: InDoubt(now, requests, lost)})

    def with_write(self, operation: str, write: AppliedWrite) -> Self:
        """Record the write, and clear any in-doubt entry of its operation."""
        known = replace(self, in_doubt=self._without(operation), writes={**self.writes, operation: write})
        if operation != CREATE_RESOURCE:
            return known
        return replace(known, close_id=write.close_id, last_observed_at=write.at)

    def with_observed_id(self, close_id: str, now: float) -> Self:
        """Record that the type or shared field itself was observed."""
        return replace(self, in_doubt=self._without(CREATE_RESOURCE), close_id=close_id, last_observed_at=now)

    def pruned(self, before: float) -> Self:
        """Drop entries older than ``before``."""
        return replace(
            self,
            orphaned=self.orphaned if self.orphaned and self.orphaned.since > before else None,
            in_doubt={operation: each for operation, each in self.in_doubt.items() if each.since > before},
            writes={operation: write for operation, write in self.writes.items() if write.at > before},
        )

    def oldest_valid_read(self, operations: Iterable[str], now: float, lag: float) -> float:
        """Return the earliest time of a read of Close that counts for these operations (Unix seconds)."""
        limits = (
            each.last_observation(now, lag) for operation in operations for each in self.in_doubt_about(operation)
        )
        return max([self.reads_valid_from, *limits])

    def orphans_ruled_out(self, observed_at: float, lag: float) -> Self:
        """Drop the orphaned creates if Close was observed late enough to show all of them."""
        if self.orphaned is None or observed_at < self.orphaned.since + ABSENCE_LAGS * lag:
            return self
        return replace(self, orphaned=None, reads_valid_from=self.orphaned.since + ABSENCE_LAGS * lag)

    def _without(self, operation: str) -> dict[str, InDoubt]:
        return {name: each for name, each in self.in_doubt.items() if name != operation}


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to work on one resource for a limited time. ``record``: the record of the resource.

    The ledger rejects writes that carry the fencing token of an earlier lease.
    """

    record: ResourceRecord

    @property
    def resource(self) -> ResourceKey:
        return self.record.resource

    @property
    def fencing_token(self) -> int:
        return self.record.fencing_token

    def with_record(self, record: ResourceRecord) -> Self:
        """Return the same lease with a new record of its resource."""
        return replace(self, record=record)
