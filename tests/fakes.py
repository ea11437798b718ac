"""In-memory stand-ins for the ledger, the topic and the clock, with the conditions of the real ones.

Tests check what they hold, never how they were called. tests/integration/service/test_ledger.py holds MemoryLedger
and the real ledger to the same guarantees.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from provisioner.close.list_cache import Organization
from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import UNKNOWN_REQUESTER, ProvisioningRequest, Requester
from provisioner.ledger.acceptance import SettledAtOnce
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import Lease, ResourceKey, ResourceRecord
from provisioner.ledger.models import RequestRecord, RequestState, TenantRecord
from provisioner.reconcile.plan import resources_to_lock
from provisioner.reconcile.provisioner import Job, Provisioner
from provisioner.reconcile.retries import Deferred
from tests.close import SimulatedClose

START = 1_800_000_000.0
ORGANIZATION = "orga_acme"


@dataclass
class Clock:
    """A clock that stands still until a test advances it."""

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
    """A ledger in memory."""

    clock: Callable[[], float]
    lease_seconds: float = 90
    requests: dict[str, tuple[RequestRecord, ProvisioningRequest]] = field(default_factory=dict)
    resources: dict[ResourceKey, ResourceRecord] = field(default_factory=dict)
    intents: dict[ResourceKey, tuple[InDoubt, ...]] = field(default_factory=dict)
    leased_until: dict[ResourceKey, float] = field(default_factory=dict)
    released: dict[ResourceKey, int] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)
    tenants: dict[str, TenantRecord] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def accept(
        self,
        request: ProvisioningRequest,
        expected_after: float = 420,
        requester: Requester = UNKNOWN_REQUESTER,
        settled: SettledAtOnce | None = None,
    ) -> RequestRecord:
        if request.id in self.requests:
            record, known = self.requests[request.id]
            if known.fingerprint != request.fingerprint:
                raise Rejected(ProblemType.REQUEST_CONFLICT, "used before")
            return replace(record, has_begun=record.id in self.begun)
        body = request.to_json()
        record = RequestRecord(
            *(request.id, request.tenant, request.request_id, RequestState.ACCEPTED, self.clock(), body),
            requester=requester,
        )
        if settled:
            record = replace(record, state=RequestState.SETTLED, outcome=settled.outcome)
        self.requests[request.id] = record, request
        return replace(record, fresh=True)

    def find(self, request_key: str) -> RequestRecord | None:
        return self.requests[request_key][0] if request_key in self.requests else None

    def lease(self, record: RequestRecord, resource: ResourceKey) -> Lease:
        until = self.leased_until.get(resource, 0)
        if until >= self.clock():
            raise RetryLater("leased", min(until - self.clock(), 2))
        known = self.resources.get(resource, ResourceRecord(resource))
        orphaned = self.intents.get(resource, ())
        leased = replace(known, fencing_token=known.fencing_token + 1, orphaned=orphaned)
        until = self.clock() + self.lease_seconds
        self.resources[resource], self.leased_until[resource] = leased, until
        self.intents[resource] = (*orphaned, InDoubt(until, record.id))
        return Lease(leased)

    def read(self, resource: ResourceKey) -> ResourceRecord:
        known = self.resources.get(resource, ResourceRecord(resource))
        return replace(known, orphaned=self.intents.get(resource, ()))

    def begin(self, record: RequestRecord) -> Outcome | None:
        if (outcome := self.requests[record.id][0].outcome) is None:
            self.begun.add(record.id)
        return outcome

    def unbegin(self, record: RequestRecord) -> None:
        self.begun.discard(record.id)

    def settle_unbegun(self, record: RequestRecord, outcome: Outcome) -> Outcome | None:
        stored = self.requests[record.id][0].outcome
        return stored or (None if record.id in self.begun else self.settle(record, outcome))

    def release(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            if self.released.get(lease.resource) != lease.fencing_token:
                self._require(lease)
                del self.leased_until[lease.resource]
                self.resources[lease.resource], self.released[lease.resource] = lease.record, lease.fencing_token
                self.intents[lease.resource] = lease.record.orphaned

    def settle(
        self,
        record: RequestRecord,
        outcome: Outcome,
        release: Sequence[Lease] = (),
        unchanged: Iterable[ResourceRecord | TenantRecord] = (),
    ) -> Outcome:
        stored, request = self.requests[record.id]
        if stored.outcome is None:
            for lease in release:
                self._require(lease)
            if not all(self._is_unchanged(each) for each in unchanged):
                raise RetryLater("another run has the lease, or had it in the meantime", 2)
        self.release(release)
        if stored.outcome:
            return stored.outcome
        self.requests[record.id] = replace(stored, outcome=outcome, state=RequestState.SETTLED), request
        return outcome

    def tenant(self, tenant: str) -> TenantRecord:
        return self.tenants.get(tenant, TenantRecord(tenant))

    def bind(self, known: TenantRecord, organization: str) -> TenantRecord:
        if self.tenant(known.tenant).organization == known.organization:
            earlier = tuple(each for each in known.organizations if each != organization)
            self.tenants[known.tenant] = TenantRecord(known.tenant, organization, earlier)
        return self.tenant(known.tenant)

    def pause_tenant(self, tenant: str, until: float) -> None:
        self.tenants[tenant] = self.tenant(tenant)._replace(paused_until=until)

    def paused_until(self, organization: str) -> float:
        return self.pauses.get(organization, 0)

    def pause(self, organization: str, until: float) -> None:
        self.pauses[organization] = max(until, self.paused_until(organization))

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        deferrals = self.requests[record.id][0].deferrals + 1
        self._change(record, deferrals=deferrals, pending_reason=reason)
        return deferrals

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        self._change(record, tenant_last_missing_at=self.clock())
        return self.record_deferral(record, seconds, reason)

    def mark_published(self, record: RequestRecord) -> None:
        self._change(record, state=RequestState.ANNOUNCED)

    def _change(self, record: RequestRecord, **changes: Any) -> None:
        stored, request = self.requests[record.id]
        self.requests[record.id] = replace(stored, **changes), request

    def _is_unchanged(self, record: ResourceRecord | TenantRecord) -> bool:
        if isinstance(record, TenantRecord):
            return self.tenant(record.tenant).organization == record.organization
        return self.read(record.resource).fencing_token == record.fencing_token

    def _require(self, lease: Lease) -> None:
        if (
            lease.resource not in self.leased_until
            or self.resources[lease.resource].fencing_token != lease.fencing_token
        ):
            raise RetryLater("the lease was lost", 2)


@dataclass
class MemoryTopic:
    """A topic that keeps (event id, outcome). ``fails`` is raised instead, if it is set.

    ``refused``: the errors of single events, by id, where several are published together. ``batches``: how many were.
    """

    events: list[tuple[str, Outcome]] = field(default_factory=list)
    types: list[tuple[str, Outcome]] = field(default_factory=list)
    fails: Exception | None = None
    refused: dict[str, Exception] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)

    def publish(self, event_id: str, outcome: Outcome) -> None:
        if self.fails:
            raise self.fails
        self.events.append((event_id, outcome))

    def publish_all(self, outcomes: Mapping[str, Outcome]) -> dict[str, Exception]:
        if self.fails:
            return dict.fromkeys(outcomes, self.fails)
        refused = {each: self.refused[each] for each in outcomes if each in self.refused}
        self.events += [each for each in outcomes.items() if each[0] not in refused]
        self.batches += [len(outcomes)] if outcomes else []
        return refused

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        self.types.append((event_id, outcome))


class MemoryWorld:
    """The use case with its ledger, topic and clock in memory, and a simulated Close."""

    def __init__(self, list_lag: float = 60, wait_limit: float = 20_000, observation_max_age: float = 0) -> None:
        self.clock = Clock()
        self.ledger = MemoryLedger(self.clock)
        self.close = SimulatedClose(self.clock)
        self.topic = MemoryTopic()
        self.list_lag, self.wait_limit = list_lag, wait_limit
        self.provisioner = self.provisioner_of(observation_max_age)

    def provisioner_of(self, observation_max_age: float, pauses: Sequence[float] = ()) -> Provisioner:
        return Provisioner(
            self.ledger,
            self.topic,
            self.list_lag,
            self.wait_limit,
            self.clock,
            observation_max_age=observation_max_age,
            pauses=pauses,
        )

    def organization(self, rejection: Exception | None = None) -> Organization:
        """Return the organization for one batch. ``rejection``: raised in place of the credential."""
        return self.close.open(rejection)

    def reconcile(self, request: ProvisioningRequest, organization: Organization | None = None) -> Outcome | Deferred:
        """Accept the request, then reconcile, as each handler does."""
        return self.provisioner.reconcile(
            Job(self.ledger.accept(request), request, organization or self.organization())
        )

    def settle(self, request: ProvisioningRequest, runs: int = 10) -> tuple[Outcome, int]:
        """Reconcile until the request is settled, past every deferral. Return the outcome and the number of runs."""
        for run in range(1, runs + 1):
            result = self.reconcile(request)
            if isinstance(result, Outcome):
                return result, run
            self.clock.advance(result.seconds + 0.001)
        raise AssertionError(f"not settled after {runs} runs: {result}")

    def lease_and_vanish(self, request: ProvisioningRequest) -> None:
        """Lease the request's resources as a run that is then killed."""
        self.ledger.bind(self.ledger.tenant(request.tenant), ORGANIZATION)
        for resource in resources_to_lock(request, ORGANIZATION):
            self.ledger.lease(self.ledger.accept(request), resource)


def kind_of(outcome: Outcome) -> str:
    """The name of the outcome's problem."""
    assert outcome.problem
    return outcome.problem.type.rpartition(":")[2]
