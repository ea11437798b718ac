"""Leases: the right to work on one resource, and what the ledger remembers of it.

A resource's item: one for each type of an organization and each shared field, by its natural key, kept for good:

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

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Self

from provisioner.ledger.in_doubt import ABSENCE_LAGS, InDoubt, conclusive_from, last_observation, sent_since

CREATE_RESOURCE = "create"
"""The operation that creates the type, or the shared field, itself."""

MAX_OBSERVATIONS = 4
"""Desired states of one resource whose observations are remembered side by side."""


class ResourceKind(StrEnum):
    TYPE = "type"
    SHARED_FIELD = "shared field"


class ResourceKey(NamedTuple):
    """The address of one resource: a type or a shared field of an organization. ``name``: its natural key.

    ``organization`` is Close's id of it, never the tenant: two tenants may hold keys of one organization.
    """

    kind: ResourceKind
    organization: str
    name: str


class Provenance(StrEnum):
    """The origin of the result of an operation."""

    CREATED = "created"
    OBSERVED = "observed"  # one of these requests may have created it, and then lost the response or died
    ATTRIBUTED = "attributed"  # this request certainly sent its create, and has not reported it yet
    RECOVERED = "recovered"  # this request observed its own creation
    UPDATED = "updated"


class AppliedWrite(NamedTuple):
    """A recent write of this service. ``at``: the latest time at which it can have happened (Unix seconds)."""

    close_id: str
    at: float
    how: Provenance
    requests: tuple[str, ...]  # that wrote it or, when it was observed, that may have

    @property
    def is_unclaimed(self) -> bool:
        """Whether its requests have not reported it yet: they may have created it."""
        return self.how in {Provenance.OBSERVED, Provenance.ATTRIBUTED}

    def forgotten(self) -> Self:
        """The same without its time and its requests: all that is left of it is the id."""
        return self._replace(at=0, requests=())


class Seen(NamedTuple):
    """An observation: a request with the same desired state may settle from it. ``at``: when Close was read.

    ``answer``: its outcome as JSON, without what belongs to one request; "" beside the first resource of a request.
    """

    at: float
    answer: str = ""


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """The ledger's record of one resource, with or without its lease. Times are Unix seconds.

    ``fencing_token``: the token of the last lease; 0 if the resource was never leased.
    """

    resource: ResourceKey
    fencing_token: int = 0
    orphaned: tuple[InDoubt, ...] = ()  # of holders that died: any of their creates may still land; oldest first
    in_doubt: Mapping[str, tuple[InDoubt, ...]] = field(default_factory=dict)  # by operation; oldest first
    writes: Mapping[str, AppliedWrite] = field(default_factory=dict)  # by operation
    close_id: str | None = None  # the last known id of the type or shared field in Close
    last_observed_at: float = 0
    reads_valid_from: float = 0  # reads of Close before this time are too old
    observations: Mapping[str, Seen] = field(default_factory=dict)  # by fingerprint of the desired state

    @property
    def is_certain(self) -> bool:
        """Whether no create may still land. As long as the lease is held, its holder may create."""
        return not self.orphaned and not self.in_doubt

    @property
    def last_written_at(self) -> float:
        """When this service last wrote to it, as far as that is remembered."""
        return max((each.at for each in self.writes.values()), default=0)

    def seen(self, fingerprint: str, since: float) -> Seen | None:
        """Return the observation of this desired state, if it is not older and everything is certain."""
        found = self.observations.get(fingerprint)
        return found if found and found.at > since and self.is_certain else None

    def with_seen(self, fingerprint: str, seen: Seen, since: float) -> Self:
        """Remember the observation beside the last ones that are not older."""
        others = [(key, each) for key, each in self.observations.items() if key != fingerprint and each.at > since]
        latest = sorted(others, key=lambda item: item[1].at)[1 - MAX_OBSERVATIONS :]
        return replace(self, observations={**dict(latest), fingerprint: seen})

    def without_observations(self) -> Self:
        """Forget them all, before a write makes them old."""
        return replace(self, observations={})

    def in_doubt_about(self, operation: str) -> tuple[InDoubt, ...]:
        """Every create of this operation that may still land, oldest first."""
        return tuple(sorted({*self.in_doubt.get(operation, ()), *self.orphaned}))

    def was_written_by(self, request: str) -> bool:
        """Whether this request is known to have sent a write here, whatever its result."""
        in_doubt = (each for entries in self.in_doubt.values() for each in entries)
        return any(each.request == request for each in in_doubt) or any(
            request in write.requests for write in self.writes.values()
        )

    def own_write(self, operation: str, request: str) -> AppliedWrite | None:
        """Return the write of this operation if this request is known to have sent it."""
        write = self.writes.get(operation)
        return write if write and not write.is_unclaimed and request in write.requests else None

    def may_have_created(self, request: str) -> bool:
        """Whether a create of this request may still land, or may have made what was observed since."""
        in_doubt = [*self.orphaned, *(each for entries in self.in_doubt.values() for each in entries)]
        unclaimed = [write for write in self.writes.values() if write.is_unclaimed]
        return any(each.request == request for each in in_doubt) or any(request in each.requests for each in unclaimed)

    def with_in_doubt(self, operation: str, request: str, now: float) -> Self:
        """Record that a create was sent and its response was lost."""
        entries = (*self.in_doubt_about(operation), InDoubt(now, request, lost=True))
        return replace(self, in_doubt={**self.in_doubt, operation: entries})

    def with_write(self, operation: str, write: AppliedWrite) -> Self:
        """Record the write, and clear any in-doubt entry of its operation. A new resource has no earlier writes."""
        is_new = operation == CREATE_RESOURCE and write.how is Provenance.CREATED
        writes = {**({} if is_new else self.writes), operation: write}
        known = replace(self, in_doubt=self._without(operation), writes=writes)
        if operation != CREATE_RESOURCE:
            return known
        return replace(known, close_id=write.close_id, last_observed_at=write.at)

    def with_observed_id(self, close_id: str, now: float) -> Self:
        """Record that the type or shared field itself was observed."""
        return replace(self, in_doubt=self._without(CREATE_RESOURCE), close_id=close_id, last_observed_at=now)

    def leased(self, before: float) -> Self:
        """The record as its new holder finds it. A holder that died may have written: then no observation counts."""
        pruned = self.pruned(before)
        return pruned.without_observations() if self.orphaned else pruned

    def pruned(self, before: float) -> Self:
        """Drop what is older than ``before``: who wrote it, and what was in doubt. The ids of what exists stay: by its
        id a field is known again that was renamed, or that Close stores under another spelling.
        """
        return replace(
            self.doubting_since(before),
            writes={
                operation: write if write.at > before else write.forgotten()
                for operation, write in self.writes.items()
                if write.at > before or (write.how is not Provenance.UPDATED and operation != CREATE_RESOURCE)
            },
        )

    def doubting_since(self, before: float, or_by: str = "") -> Self:
        """Drop the creates in doubt that were sent before that time, unless by this request."""
        in_doubt = {operation: sent_since(entries, before, or_by) for operation, entries in self.in_doubt.items()}
        return replace(
            self,
            orphaned=sent_since(self.orphaned, before, or_by),
            in_doubt={operation: entries for operation, entries in in_doubt.items() if entries},
        )

    def ids_only(self) -> Self:
        """The ids of what exists, and nothing of when it was written or what is in doubt."""
        writes = {operation: write.forgotten() for operation, write in self.writes.items()}
        return replace(self, orphaned=(), in_doubt={}, writes=writes, last_observed_at=0, reads_valid_from=0)

    def oldest_valid_read(self, operations: Iterable[str], now: float, lag: float) -> float:
        """The time before which a read of Close says nothing about these operations (Unix seconds)."""
        limits = (last_observation(self.in_doubt_about(operation), now, lag) for operation in operations)
        return max([self.reads_valid_from, *limits])

    def orphans_ruled_out(self, observed_at: float, lag: float, undecided: Collection[str] = ()) -> Self:
        """Drop the orphaned creates if Close was observed late enough for all of them to show.

        Those of the requests that are ``undecided`` stay: their results may be there under other names.
        """
        conclusive = max((each.since for each in self.orphaned), default=0) + ABSENCE_LAGS * lag
        if not self.orphaned or observed_at < conclusive:
            return self
        kept = tuple(each for each in self.orphaned if each.request in undecided)
        return replace(self, orphaned=kept, reads_valid_from=conclusive)

    def with_absence(self, operation: str, lag: float) -> Self:
        """Drop the creates of this operation that are in doubt, since Close was observed late enough without them.

        No earlier read of Close counts from now on.
        """
        conclusive = conclusive_from(self.in_doubt.get(operation, ()), lag)
        valid_from = max(self.reads_valid_from, conclusive)
        return replace(self, in_doubt=self._without(operation), reads_valid_from=valid_from)

    def _without(self, operation: str) -> dict[str, tuple[InDoubt, ...]]:
        return {name: entries for name, entries in self.in_doubt.items() if name != operation}


class Lease(NamedTuple):
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
        return self._replace(record=record)
