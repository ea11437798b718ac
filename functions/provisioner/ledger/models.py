"""What the ledger remembers, and how it changes.

A request's item:

    (none) ──accept──► accepted ──settle──► settled ──publish──► announced
                          │  ▲
                          └──┘ wait (counted; nothing else changes)

A unit's item: one for each type of a tenant and one for each shared field, by its natural key, kept for good:

    free ──lease──► leased ──settle──► known (its id in Close)      and known ──lease──► leased, again
     ▲                │  │
     └──give back─────┘  └──in doubt──► unknown ──lease──► leased (looks, and creates when that is conclusive)
       (surely nothing
        is at large)      an expired lease is the same as unknown: its holder was killed, perhaps after a create

A request leases all of its units before it looks, and gives them back together. What it creates under a lease are
*things*: the type (or shared field) itself, the type's fields, and its associations with shared fields.

The lease *is* the intent to create: the write that takes it adds its request to ``intents``, and only somebody who
surely knows what became of all that this holder sent takes it off again. So whoever holds the lease and reads more than
its own intent knows that a create of a killed holder may be at large, of any thing of the unit. A holder that lives
and loses an answer knows better: it leaves a doubt about that very thing. Every write after the lease is fenced by
``fencing_token``, which no two leases of a unit share.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Self

from provisioner.contract.outcome import Outcome

CREATE_RESOURCE = "itself"
"""The thing that is the type, or the shared field, of a unit."""

ABSENCE_LAGS = 2
"""After this many lags a look that does not find what may have been created is conclusive."""

MAX_QUEUE_DELAY_SECONDS = 900
"""SQS holds a message back for so long at most. A longer wait has no message: the sweeper knows when it is over."""


class RequestState(StrEnum):
    ACCEPTED = "accepted"
    SETTLED = "settled"
    ANNOUNCED = "announced"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as the ledger has it. Times are Unix seconds. ``fresh``: it was first seen just now."""

    id: str
    tenant: str
    request_id: str
    state: RequestState
    accepted_at: float
    deferrals: int = 0
    pending_reason: str | None = None
    sweeps: int = 0
    outcome: Outcome | None = None
    tenant_last_missing_at: float = 0  # when its tenant was last looked for, and had no credential
    fresh: bool = False

    @property
    def runnable_since(self) -> float:
        """Since when it could be worked on: the time that it waited for its tenant is not held against it."""
        return max(self.accepted_at, self.tenant_last_missing_at)


class ResourceKind(StrEnum):
    TYPE = "type"
    SHARED_FIELD = "shared field"


class ResourceKey(NamedTuple):
    """What one lease is about: a type or a shared field of a tenant, by its natural key."""

    kind: ResourceKind
    tenant: str
    name: str


class InDoubt(NamedTuple):
    """Creates that may be at large. ``since``: none of them was sent later (Unix seconds)."""

    since: float
    requests: tuple[str, ...]  # whose creates these are, one entry for each
    lost: int = 0  # how many of them were surely sent, and their answers lost

    def next_look(self, now: float, lag: float) -> float | None:
        """When to look next: a lag after the last create was sent, and once more a lag later; None after that."""
        return next((moment for moment in self._moments(lag) if moment > now), None)

    def last_look(self, now: float, lag: float) -> float:
        """A look must not be older than this to count: the latest of these moments that has passed, else 0."""
        return max((moment for moment in self._moments(lag) if moment <= now), default=0)

    def _moments(self, lag: float) -> list[float]:
        return [self.since + look * lag for look in range(1, ABSENCE_LAGS + 1)]


class Provenance(StrEnum):
    """How a thing came to be as it is."""

    CREATED = "created"
    OBSERVED = "found"  # by somebody; one of these requests created it, and lost the answer or was killed
    RECOVERED = "recovered"  # this request found what it created itself
    UPDATED = "updated"


class AppliedWrite(NamedTuple):
    """What this service did to one thing lately. ``at``: when, at the latest (Unix seconds)."""

    close_id: str
    at: float
    how: Provenance
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one unit, and what was known of it when it was taken. Times are Unix seconds."""

    resource: ResourceKey
    fencing_token: int
    orphaned: InDoubt | None = None  # earlier holders who were killed: any thing of theirs may be at large
    in_doubt: Mapping[str, InDoubt] = field(default_factory=dict)  # by thing
    writes: Mapping[str, AppliedWrite] = field(default_factory=dict)  # by thing
    close_id: str | None = None  # the type's or field's id in Close, when this service knew it last
    last_observed_at: float = 0
    reads_valid_from: float = 0  # what was read at Close before this time does not count here

    def in_doubt_about(self, operation: str) -> tuple[InDoubt, ...]:
        """Every doubt that a create of this thing may be at large."""
        return tuple(doubt for doubt in (self.orphaned, self.in_doubt.get(operation)) if doubt)

    def in_doubt_requests(self, operation: str) -> tuple[str, ...]:
        """The requests whose creates of this thing may be at large, one entry for each create."""
        return tuple(request for doubt in self.in_doubt_about(operation) for request in doubt.requests)

    def was_written_by(self, request: str) -> bool:
        """Whether this request is known to have written something here, whatever became of it."""
        doubted = any(request in doubt.requests for doubt in self.in_doubt.values())
        return doubted or any(request in made.requests for made in self.writes.values())

    def may_have_created(self, request: str) -> bool:
        """Whether a create of this request may be at large, or may have made what somebody saw since."""
        in_doubt = [*self.in_doubt.values(), *((self.orphaned,) if self.orphaned else ())]
        found = [made for made in self.writes.values() if made.how is Provenance.OBSERVED]
        return any(request in each.requests for each in (*in_doubt, *found))

    def with_in_doubt(self, operation: str, request: str, now: float) -> Self:
        """A create of this thing was sent, and may or may not have happened."""
        lost = sum(doubt.lost for doubt in self.in_doubt_about(operation)) + 1
        requests = (*self.in_doubt_requests(operation), request)
        return replace(self, in_doubt={**self.in_doubt, operation: InDoubt(now, requests, lost)})

    def has(self, operation: str, made: AppliedWrite) -> Self:
        """It was created, found or changed: what this ends is every doubt about this thing."""
        in_doubt = {name: doubt for name, doubt in self.in_doubt.items() if name != operation}
        known = replace(self, in_doubt=in_doubt, writes={**self.writes, operation: made})
        return (
            replace(known, close_id=made.close_id, last_observed_at=made.at) if operation == CREATE_RESOURCE else known
        )

    def knows(self, close_id: str, now: float) -> Self:
        """The type or shared field itself was seen."""
        in_doubt = {name: doubt for name, doubt in self.in_doubt.items() if name != CREATE_RESOURCE}
        return replace(self, in_doubt=in_doubt, close_id=close_id, last_observed_at=now)

    def pruned(self, before: float) -> Self:
        """What was doubted or done before this time says nothing any more."""
        return replace(
            self,
            orphaned=self.orphaned if self.orphaned and self.orphaned.since > before else None,
            in_doubt={operation: doubt for operation, doubt in self.in_doubt.items() if doubt.since > before},
            writes={operation: made for operation, made in self.writes.items() if made.at > before},
        )

    def not_before(self, operations: Iterable[str], now: float, lag: float) -> float:
        """A look must not be older than this to say anything about these things."""
        in_doubt = (doubt.last_look(now, lag) for operation in operations for doubt in self.in_doubt_about(operation))
        return max([self.reads_valid_from, *in_doubt])

    def looked(self, at: float, lag: float) -> Self:
        """Close was looked at: after so many lags, all that killed holders sent is to be seen from now on."""
        if self.orphaned is None or at < self.orphaned.since + ABSENCE_LAGS * lag:
            return self
        return replace(self, orphaned=None, reads_valid_from=self.orphaned.since + ABSENCE_LAGS * lag)
