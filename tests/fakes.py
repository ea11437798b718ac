"""The world outside the core, in memory, under the same conditions as the real one.

Tests look at what it holds, never at how it was called. tests/integration/service/test_ledger.py holds MemoryLedger
and the real ledger to the same promises.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from provisioner.contract import CustomObjectType, CustomObjectTypeSpec, Outcome, ProvisioningRequest
from provisioner.errors import Busy, Kind, MaybeCreated, Refused
from provisioner.provision import Provisioner, Wait
from provisioner.records import Lease, RequestRecord, RequestState

START = 1_800_000_000.0


@dataclass
class Clock:
    """Stands still until it is told to go."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def a_request(request_id: str = "signup-8841", name: str = "Account", **further: Any) -> ProvisioningRequest:
    """``further``: other keys of the request, or ``spec`` for further keys of its type."""
    spec = {"name": name, "name_plural": f"{name}s", **further.pop("spec", {})}
    return ProvisioningRequest.model_validate(
        {"tenant": "acme", "request_id": request_id, "custom_object_type": spec, **further}
    )


@dataclass
class MemoryLedger:
    """One table's worth of memory."""

    clock: Clock
    lease_seconds: float = 90
    requests: dict[str, tuple[RequestRecord, ProvisioningRequest]] = field(default_factory=dict)
    types: dict[tuple[str, str], Lease] = field(default_factory=dict)
    leased_until: dict[tuple[str, str], float] = field(default_factory=dict)
    ended: dict[tuple[str, str], int] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)

    def accept(self, request: ProvisioningRequest, expected_after: float = 420) -> RequestRecord:
        if request.id in self.requests:
            record, known = self.requests[request.id]
            if known.fingerprint != request.fingerprint:
                raise Refused(Kind.REQUEST_CONFLICT, "used before")
            return record
        record = RequestRecord(request.id, request.tenant, request.request_id, RequestState.ACCEPTED, self.clock())
        self.requests[request.id] = record, request
        return replace(record, fresh=True)

    def find(self, request_key: str) -> tuple[RequestRecord, ProvisioningRequest] | None:
        return self.requests.get(request_key)

    def lease(self, record: RequestRecord, request: ProvisioningRequest) -> Lease:
        where = _type_of(request)
        until = self.leased_until.get(where, 0)
        if until >= self.clock():
            raise Busy("leased", min(until - self.clock(), 2))
        known = self.types.get(where, Lease(*where, attempt=0, intents=()))
        lease = replace(known, attempt=known.attempt + 1, intents=(*known.intents, record.id))
        self.types[where], self.leased_until[where] = lease, self.clock() + self.lease_seconds
        return replace(lease, doubt_since=until, absences=0, looked_at=0) if until else lease

    def is_suspect(self, record: RequestRecord, request: ProvisioningRequest) -> bool:
        where = _type_of(request)
        return where in self.types and record.id in self.types[where].intents

    def end(self, after: Lease) -> None:
        where = (after.tenant, after.key)
        if self.ended.get(where) == after.attempt:
            return
        self._need(after)
        del self.leased_until[where]
        self.types[where], self.ended[where] = after, after.attempt

    def settle(self, record: RequestRecord, outcome: Outcome, after: Lease | None = None) -> Outcome:
        stored, request = self.requests[record.id]
        if stored.outcome is None and after:
            self._need(after)
        if after:
            self.end(after)
        if stored.outcome:
            return stored.outcome
        self.requests[record.id] = replace(stored, outcome=outcome, state=RequestState.SETTLED), request
        return outcome

    def paused_until(self, tenant: str) -> float:
        return self.pauses.get(tenant, 0)

    def pause(self, tenant: str, until: float) -> None:
        self.pauses[tenant] = max(until, self.paused_until(tenant))

    def count_wait(self, record: RequestRecord, seconds: float) -> None:
        self._change(record, waits=self.requests[record.id][0].waits + 1)

    def announced(self, record: RequestRecord) -> None:
        self._change(record, state=RequestState.ANNOUNCED)

    def _change(self, record: RequestRecord, **changes: Any) -> None:
        stored, request = self.requests[record.id]
        self.requests[record.id] = replace(stored, **changes), request

    def _need(self, lease: Lease) -> None:
        where = (lease.tenant, lease.key)
        if where not in self.leased_until or self.types[where].attempt != lease.attempt:
            raise Busy("the lease was lost", 2)


def _type_of(request: ProvisioningRequest) -> tuple[str, str]:
    return request.tenant, request.custom_object_type.natural_key


LOST = "the create happens, its answer gets lost"
LOST_BEFORE = "the create gets lost on its way"


@dataclass
class MemoryClose:
    """One Close organisation. ``faults`` strike the creates to come, one each: LOST, LOST_BEFORE or an exception."""

    clock: Clock
    lag: float = 0
    existing: list[CustomObjectType] = field(default_factory=list)
    listed_from: dict[str, float] = field(default_factory=dict)
    faults: list[str | Exception] = field(default_factory=list)
    list_fails: Exception | None = None
    made: int = 0

    def add(self, name: str, **further: Any) -> CustomObjectType:
        """Somebody made it in Close. ``further``: other keys of the type."""
        self.made += 1
        plain = {"id": f"cotype_{self.made}", "name": name, "name_plural": f"{name}s", "api_create_only": False}
        date = datetime.fromtimestamp(self.clock(), UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        made = {"date_created": date, "organization_id": "orga_acme"}
        created = CustomObjectType.model_validate({**plain, **made, **further})
        self.existing.append(created)
        return created

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.existing]

    def listed(self) -> list[CustomObjectType]:
        if self.list_fails:
            raise self.list_fails
        return [each for each in self.existing if self.listed_from.get(each.id, 0) <= self.clock()]

    def create(self, spec: CustomObjectTypeSpec) -> CustomObjectType:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault == LOST_BEFORE:
            raise MaybeCreated("no answer")
        created = self.add(**spec.wanted())
        self.listed_from[created.id] = self.clock() + self.lag
        if fault == LOST:
            raise MaybeCreated("no answer")
        return created


@dataclass
class MemoryOrganization:
    """A batch's look at MemoryClose: the list is read once, and again only when it must be newer."""

    close: MemoryClose
    refusal: Exception | None = None
    seen: list[CustomObjectType] | None = None
    seen_at: float = 0

    def open(self) -> None:
        if self.refusal:
            raise self.refusal

    def types(self, not_before: float) -> Sequence[CustomObjectType]:
        if self.seen is None or self.seen_at < not_before:
            self.seen, self.seen_at = self.close.listed(), self.close.clock()
        return self.seen

    def type(self, close_id: str) -> CustomObjectType | None:
        return next((each for each in self.close.existing if each.id == close_id), None)

    def create(self, spec: CustomObjectTypeSpec) -> CustomObjectType:
        created = self.close.create(spec)
        if self.seen is not None:
            self.seen.append(created)
        return created


@dataclass
class MemoryOutcomes:
    """A topic that remembers: (event id, outcome). ``fails`` is raised instead, if it is set."""

    events: list[tuple[str, Outcome]] = field(default_factory=list)
    types: list[tuple[str, Outcome]] = field(default_factory=list)
    fails: Exception | None = None

    def publish(self, event_id: str, outcome: Outcome) -> None:
        if self.fails:
            raise self.fails
        self.events.append((event_id, outcome))

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        self.types.append((event_id, outcome))


class World:
    """The use case with all of its surroundings in memory."""

    def __init__(self, list_lag: float = 60, wait_limit: float = 20_000) -> None:
        self.clock = Clock()
        self.ledger = MemoryLedger(self.clock)
        self.close = MemoryClose(self.clock)
        self.outcomes = MemoryOutcomes()
        self.provisioner = Provisioner(self.ledger, self.outcomes, list_lag, wait_limit, self.clock)

    def organization(self, refusal: Exception | None = None) -> MemoryOrganization:
        return MemoryOrganization(self.close, refusal)

    def carry_out(self, request: ProvisioningRequest, organization: MemoryOrganization | None = None) -> Outcome | Wait:
        """As each door does it: accept, then carry out."""
        return self.provisioner.carry_out(self.ledger.accept(request), request, organization or self.organization())

    def settle(self, request: ProvisioningRequest, runs: int = 10) -> tuple[Outcome, int]:
        """Carry out until it is settled, past every wait. Answers the outcome, and how many runs it took."""
        for run in range(1, runs + 1):
            result = self.carry_out(request)
            if isinstance(result, Outcome):
                return result, run
            self.clock.advance(result.seconds + 0.001)
        raise AssertionError(f"not settled after {runs} runs: {result}")

    def lease_and_vanish(self, request: ProvisioningRequest) -> None:
        """Somebody works on the request's type, and nothing more is heard of them."""
        self.ledger.lease(self.ledger.accept(request), request)


def kind_of(outcome: Outcome) -> str:
    """The name of the outcome's problem."""
    assert outcome.problem
    return outcome.problem.type.rpartition(":")[2]
