"""The use case behind every door: these types shall exist in that organization, once, and their request be settled.

    accept ──► carry_out: lease ──► look ──► plan ──► do its steps, wait, or give up ──► settle ──► publish

Always in this order: the leases before the look, the look before any create, the outcome stored before it is published.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from provisioner.contract.errors import Problem, ProblemType, Rejected, RetryLater, Unavailable, make_problem
from provisioner.contract.outcome import Outcome, Result, type_key
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import natural_key
from provisioner.ledger.models import MAX_QUEUE_DELAY_SECONDS, Lease, RequestRecord, RequestState, ResourceKey
from provisioner.reconcile import report
from provisioner.reconcile.apply import Execution, Indeterminate, Organization
from provisioner.reconcile.observe import Observer
from provisioner.reconcile.plan import Plan, resources_to_lock
from provisioner.reconcile.planner import plan
from provisioner.reconcile.render import plan_as_json

IN_DOUBT_RETENTION_SECONDS = (
    24 * 3600
)  # after a day no create is on its way any more: what the list shows is what there is
TENANT_BACKOFF_SECONDS = (
    10,
    30,
    60,
    120,
    300,
    900,
    1800,
    3600,
    7200,
    10_800,
)  # between looks for a tenant's credential
BACKOFF_SECONDS = (5, 10, 20, 40, 80, 160, 300)  # after a failure for which Close named no time


class Ledger(Protocol):
    """What was asked and what is known, kept for good. Every method raises on what it cannot do."""

    def accept(self, request: ProvisioningRequest) -> RequestRecord:
        """Remember the request, or find it. Raises ``Refused`` when its id was used for other content."""

    def lease(self, record: RequestRecord, resource: ResourceKey) -> Lease:
        """Take the unit's lease. Raises ``Busy`` while another holds it."""

    def known(self, resource: ResourceKey) -> Lease:
        """What is known of the unit, whoever holds its lease: to be looked at, and not to be given back."""

    def stored_outcome(self, record: RequestRecord) -> Outcome | None:
        """The outcome that the request has by now, if it has one."""

    def end(self, after: Iterable[Lease]) -> None:
        """Give the leases back, and remember what is now known of their units."""

    def settle(
        self, record: RequestRecord, outcome: Outcome, after: Sequence[Lease] = (), read: Iterable[Lease] = ()
    ) -> Outcome:
        """Store the outcome and what is now known of its units, together. Answers the outcome that stands.

        Raises ``Busy`` if one of the leases is lost, or if anybody took the lease of a unit that was only ``read``.
        """

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a wait of the request. Answers how many there are by now."""

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a wait of the request for its tenant; it may be ended at any time. Answers as ``count_wait`` does."""

    def announced(self, record: RequestRecord) -> None:
        """The outcome was published."""


class Topic(Protocol):
    """The topic."""

    def publish(self, event_id: str, outcome: Outcome) -> None: ...

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        """What is now known of a type, after its request had to be given up as unresolved."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """The request is not settled; it wants to be carried out again after ``seconds``. It is its ``waits``-th wait."""

    seconds: float
    reason: str
    deferrals: int = 0

    @property
    def exceeds_queue_delay(self) -> bool:
        """Whether it is too long for a message to be held back for it."""
        return self.seconds > MAX_QUEUE_DELAY_SECONDS


@dataclass(frozen=True, slots=True)
class Provisioner:
    """Times are Unix seconds, durations seconds."""

    ledger: Ledger
    outcomes: Topic
    list_lag: float
    wait_limit: float
    clock: Callable[[], float]
    tenant_wait_limit: float = 3 * 86_400

    def reconcile(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization
    ) -> Outcome | Deferred:
        """Settle and announce the request, or say how long to wait. May be called again at any time, by anybody.

        Any exception leaves the request accepted or unannounced and, if it held the lease, the type in doubt: safe to
        repeat.
        """
        outcome = record.outcome
        if outcome is None:
            try:
                outcome = self._work(record, request, organization)
            except (RetryLater, Unavailable) as error:
                is_early = isinstance(error, _TenantMissing)
                postpone = self._await_tenant if is_early else self._postpone
                postponed = postpone(record, request, organization, error)
                if isinstance(postponed, Deferred):
                    return postponed
                outcome = postponed
        self._announce(record, outcome)
        return outcome

    def plan(self, request: ProvisioningRequest, organization: Organization) -> Plan:
        """What would be done for this request, by Close as it is now. Nothing is written anywhere.

        Raises ``Refused``, ``NotCreated`` or ``Busy``.
        """
        organization.open()
        known = {
            resource: Lease(resource, fencing_token=0, close_id=self._known_id(resource))
            for resource in resources_to_lock(request)
        }
        look = Observer(request, organization, known, self.list_lag, self.clock(), self._known_id)
        return plan(request, look.seen(), look.type_ids)

    def reconcile_unresolved(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization
    ) -> Deferred | None:
        """Somebody sent an unresolved request again: find out what became of its type, by the same rules as ever.

        The request's outcome stays what it was. A type that is found, or created where the rules allow it, is announced
        as an event of its own.
        """
        try:
            self._work(record, request, organization)
        except (RetryLater, Unavailable) as error:
            return Deferred(_seconds(record, error), str(error))
        return None

    def give_up(self, record: RequestRecord, request: ProvisioningRequest, reason: str) -> Outcome:
        """Settle as unresolved what could not be settled otherwise, so that nobody waits for ever."""
        outcome = record.outcome or self.ledger.settle(record, report.unresolved(record, request, reason, self.clock()))
        self._announce(record, outcome)
        return outcome

    def _announce(self, record: RequestRecord, outcome: Outcome) -> None:
        if record.state is not RequestState.ANNOUNCED:
            self.outcomes.publish(record.id, outcome)
            self.ledger.announced(record)

    def _work(self, record: RequestRecord, request: ProvisioningRequest, organization: Organization) -> Outcome:
        """One look, and what there is time for of what it shows to be missing.

        Raises ``Busy`` or ``NotCreated``, the leases given back.
        """
        try:
            organization.open()
        except Rejected as rejection:
            if rejection.kind is ProblemType.TENANT_NOT_FOUND and request.wait_for_tenant:
                raise _TenantMissing(str(rejection)) from None
            return self._fail(record, request, organization, rejection.problem)
        leases = self._lease(record, request)
        run = self._run(record, request, organization, leases)
        try:
            outcome = self._bring_about(run)
        except Rejected as rejection:
            outcome = self._refused(run, rejection)
        except (RetryLater, Unavailable):
            self.ledger.end(run.given_back())
            raise
        stands = self.ledger.settle(record, outcome, run.given_back())
        if stands.result is Result.UNRESOLVED and outcome.result is not Result.UNRESOLVED:
            self._tell_of_types(record, outcome)
        return stands

    def _lease(self, record: RequestRecord, request: ProvisioningRequest) -> dict[ResourceKey, Lease]:
        """All that the request is about, or nothing: whoever comes second does not hold up others meanwhile."""
        taken: dict[ResourceKey, Lease] = {}
        for resource in resources_to_lock(request):
            try:
                taken[resource] = self.ledger.lease(record, resource)
            except RetryLater:
                self.ledger.end(taken.values())
                raise
        before = self.clock() - IN_DOUBT_RETENTION_SECONDS
        return {resource: lease.pruned(before) for resource, lease in taken.items()}

    def _bring_about(self, run: Execution) -> Outcome:
        """Look and plan; then, where nothing stands against it, do what is planned."""
        planned = run.look()
        if fault := report.exists(run) or report.blocked(run):
            return self._ended(run, fault)
        if planned.steps and (stands := self._settled_meanwhile(run.record)):
            return stands
        run.reconcile(planned.steps)
        return report.succeeded(run, self.clock())

    def _settled_meanwhile(self, record: RequestRecord) -> Outcome | None:
        """What another run settled, perhaps as failed, must not be created. A follow-up does not ask.

        The leases are held by now, and whoever settles without them checks that nobody took them: no run can settle
        this request as failed between this look and our create.
        """
        return self.ledger.stored_outcome(record) if record.outcome is None else None

    def _tell_of_types(self, record: RequestRecord, outcome: Outcome) -> None:
        """The request's outcome stays unresolved; what is now known of its types is an event for each."""
        for each in outcome.types:
            if each.id:
                key = type_key(record.tenant, natural_key(each.name), each.id)
                self.outcomes.publish_type(key, outcome.model_copy(update={"types": (each,)}))

    def _refused(self, run: Execution, rejection: Rejected) -> Outcome:
        if isinstance(rejection, Indeterminate):
            return report.unresolved(run.record, run.request, str(rejection), self.clock(), run)
        return self._ended(run, rejection.problem)

    def _ended(self, run: Execution, fault: Problem) -> Outcome:
        """While a create of this very request may be at large, nobody may say that it failed."""
        if any(lease.may_have_created(run.record.id) for lease in run.given_back()):
            return report.unresolved(run.record, run.request, fault.detail, self.clock(), run)
        outcome = report.failed(run.record, fault, self.clock(), run)
        if run.plan and fault.type == ProblemType.PLAN_STALE.uri:
            return outcome.model_copy(update={"plan": plan_as_json(run.plan)})
        return outcome

    def _postpone(
        self,
        record: RequestRecord,
        request: ProvisioningRequest,
        organization: Organization,
        error: RetryLater | Unavailable,
    ) -> Outcome | Deferred:
        """Wait as long as we were asked to or, where nobody said, a little longer each time; but not for ever."""
        seconds = _seconds(record, error)
        if self.clock() + seconds <= record.runnable_since + self.wait_limit:
            return Deferred(seconds, str(error), self.ledger.record_deferral(record, seconds, str(error)))
        detail = f"It was tried for {self.wait_limit:.0f} seconds. The last time: {error}."
        return self._give_up_waiting(record, request, organization, make_problem(ProblemType.DEADLINE_EXCEEDED, detail))

    def _await_tenant(
        self,
        record: RequestRecord,
        request: ProvisioningRequest,
        organization: Organization,
        error: RetryLater | Unavailable,
    ) -> Outcome | Deferred:
        """A signup may come before its key is stored: wait longer each time, and look a last time when time is up."""
        left = record.accepted_at + self.tenant_wait_limit - self.clock()
        if left > 0:
            step = min(record.deferrals, len(TENANT_BACKOFF_SECONDS) - 1)
            seconds = max(min(TENANT_BACKOFF_SECONDS[step] * random.uniform(0.8, 1), left), 1)  # noqa: S311
            return Deferred(seconds, str(error), self.ledger.record_tenant_deferral(record, seconds, str(error)))
        detail = f"{error} It was waited for, {self.tenant_wait_limit / 86_400:g} days long."
        return self._give_up_waiting(record, request, organization, make_problem(ProblemType.TENANT_NOT_FOUND, detail))

    def _give_up_waiting(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization, fault: Problem
    ) -> Outcome | Deferred:
        """Fail, unless another run is at it just now."""
        try:
            return self._fail(record, request, organization, fault)
        except RetryLater as busy:
            seconds = _seconds(record, busy)
            return Deferred(seconds, str(busy), self.ledger.record_deferral(record, seconds, str(busy)))

    def _fail(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization, fault: Problem
    ) -> Outcome:
        """Settle without a lease: what earlier runs of this request did is in the ledger, and is told.

        Raises ``Busy`` if another run takes a lease meanwhile: it may create, and then this did not fail.
        """
        known = {resource: self.ledger.known(resource) for resource in resources_to_lock(request)}
        outcome = self._ended(self._run(record, request, organization, known), fault)
        return self.ledger.settle(record, outcome, read=known.values())

    def _run(
        self,
        record: RequestRecord,
        request: ProvisioningRequest,
        organization: Organization,
        leases: dict[ResourceKey, Lease],
    ) -> Execution:
        return Execution(record, request, organization, leases, self.list_lag, self.clock, self._known_id)

    def _known_id(self, resource: ResourceKey) -> str | None:
        return self.ledger.known(resource).close_id


def _seconds(record: RequestRecord, error: RetryLater | Unavailable) -> float:
    """How long to wait before the next try: at least a second, so that no wait runs in circles."""
    if isinstance(error, RetryLater):
        return max(error.seconds, 1)
    step = min(record.deferrals, len(BACKOFF_SECONDS) - 1)
    return BACKOFF_SECONDS[step] * random.uniform(0.8, 1.2)  # noqa: S311


class _TenantMissing(Unavailable):
    """The tenant has no credential here yet, and its request waits for one."""
