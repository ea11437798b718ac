"""The use case behind every door: these types shall exist in that organisation, once, and their request be settled.

    accept ──► carry_out: lease ──► look ──► plan ──► do its steps, wait, or give up ──► settle ──► publish

Always in this order: the leases before the look, the look before any create, the outcome stored before it is published.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from provisioner import verdict
from provisioner.apply import Organization, Run, Unknowable
from provisioner.contract import Outcome, Problem, ProvisioningRequest, Result, type_key
from provisioner.errors import Busy, Kind, NotCreated, Refused, problem
from provisioner.look import Look
from provisioner.plan import Plan, things_of
from provisioner.plan_view import as_json
from provisioner.planning import plan
from provisioner.records import PARKED_SECONDS, Lease, RequestRecord, RequestState, Unit
from provisioner.spec import natural_key

REMEMBERED_SECONDS = 24 * 3600  # after a day no create is on its way any more: what the list shows is what there is
TENANT_GAPS_SECONDS = (10, 30, 60, 120, 300, 900, 1800, 3600, 7200, 10_800)  # between looks for a tenant's credential
BACKOFF_SECONDS = (5, 10, 20, 40, 80, 160, 300)  # after a failure for which Close named no time


class Ledger(Protocol):
    """What was asked and what is known, kept for good. Every method raises on what it cannot do."""

    def accept(self, request: ProvisioningRequest) -> RequestRecord:
        """Remember the request, or find it. Raises ``Refused`` when its id was used for other content."""

    def lease(self, record: RequestRecord, unit: Unit) -> Lease:
        """Take the unit's lease. Raises ``Busy`` while another holds it."""

    def known(self, unit: Unit) -> Lease:
        """What is known of the unit, whoever holds its lease: to be looked at, and not to be given back."""

    def settled_as(self, record: RequestRecord) -> Outcome | None:
        """The outcome that the request has by now, if it has one."""

    def end(self, after: Iterable[Lease]) -> None:
        """Give the leases back, and remember what is now known of their units."""

    def settle(
        self, record: RequestRecord, outcome: Outcome, after: Sequence[Lease] = (), read: Iterable[Lease] = ()
    ) -> Outcome:
        """Store the outcome and what is now known of its units, together. Answers the outcome that stands.

        Raises ``Busy`` if one of the leases is lost, or if anybody took the lease of a unit that was only ``read``.
        """

    def count_wait(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a wait of the request. Answers how many there are by now."""

    def await_tenant(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a wait of the request for its tenant; it may be ended at any time. Answers as ``count_wait`` does."""

    def announced(self, record: RequestRecord) -> None:
        """The outcome was published."""


class Outcomes(Protocol):
    """The topic."""

    def publish(self, event_id: str, outcome: Outcome) -> None: ...

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        """What is now known of a type, after its request had to be given up as unresolved."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The request is not settled; it wants to be carried out again after ``seconds``. It is its ``waits``-th wait."""

    seconds: float
    reason: str
    waits: int = 0

    @property
    def is_parked(self) -> bool:
        """Whether it is too long for a message to be held back for it."""
        return self.seconds > PARKED_SECONDS


@dataclass(frozen=True, slots=True)
class Provisioner:
    """Times are Unix seconds, durations seconds."""

    ledger: Ledger
    outcomes: Outcomes
    list_lag: float
    wait_limit: float
    clock: Callable[[], float]
    tenant_wait_limit: float = 3 * 86_400

    def carry_out(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization
    ) -> Outcome | Wait:
        """Settle and announce the request, or say how long to wait. May be called again at any time, by anybody.

        Any exception leaves the request accepted or unannounced and, if it held the lease, the type in doubt: safe to
        repeat.
        """
        outcome = record.outcome
        if outcome is None:
            try:
                outcome = self._work(record, request, organization)
            except (Busy, NotCreated) as error:
                is_early = isinstance(error, _TenantMissing)
                postpone = self._await_tenant if is_early else self._postpone
                postponed = postpone(record, request, organization, error)
                if isinstance(postponed, Wait):
                    return postponed
                outcome = postponed
        self._announce(record, outcome)
        return outcome

    def plan(self, request: ProvisioningRequest, organization: Organization) -> Plan:
        """What would be done for this request, by Close as it is now. Nothing is written anywhere.

        Raises ``Refused``, ``NotCreated`` or ``Busy``.
        """
        organization.open()
        known = {unit: Lease(unit, attempt=0, close_id=self._known_id(unit)) for unit in things_of(request)}
        look = Look(request, organization, known, self.list_lag, self.clock(), self._known_id)
        return plan(request, look.seen(), look.type_ids)

    def follow_up(self, record: RequestRecord, request: ProvisioningRequest, organization: Organization) -> Wait | None:
        """Somebody sent an unresolved request again: find out what became of its type, by the same rules as ever.

        The request's outcome stays what it was. A type that is found, or created where the rules allow it, is announced
        as an event of its own.
        """
        try:
            self._work(record, request, organization)
        except (Busy, NotCreated) as error:
            return Wait(_seconds(record, error), str(error))
        return None

    def give_up(self, record: RequestRecord, request: ProvisioningRequest, reason: str) -> Outcome:
        """Settle as unresolved what could not be settled otherwise, so that nobody waits for ever."""
        outcome = record.outcome or self.ledger.settle(
            record, verdict.unresolved(record, request, reason, self.clock())
        )
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
        except Refused as refusal:
            if refusal.kind is Kind.TENANT_UNKNOWN and request.wait_for_tenant:
                raise _TenantMissing(str(refusal)) from None
            return self._fail(record, request, organization, refusal.problem)
        leases = self._lease(record, request)
        run = self._run(record, request, organization, leases)
        try:
            outcome = self._bring_about(run)
        except Refused as refusal:
            outcome = self._refused(run, refusal)
        except (Busy, NotCreated):
            self.ledger.end(run.given_back())
            raise
        stands = self.ledger.settle(record, outcome, run.given_back())
        if stands.result is Result.UNRESOLVED and outcome.result is not Result.UNRESOLVED:
            self._tell_of_types(record, outcome)
        return stands

    def _lease(self, record: RequestRecord, request: ProvisioningRequest) -> dict[Unit, Lease]:
        """All that the request is about, or nothing: whoever comes second does not hold up others meanwhile."""
        taken: dict[Unit, Lease] = {}
        for unit in things_of(request):
            try:
                taken[unit] = self.ledger.lease(record, unit)
            except Busy:
                self.ledger.end(taken.values())
                raise
        before = self.clock() - REMEMBERED_SECONDS
        return {unit: lease.without_old(before) for unit, lease in taken.items()}

    def _bring_about(self, run: Run) -> Outcome:
        """Look and plan; then, where nothing stands against it, do what is planned."""
        planned = run.look()
        if fault := verdict.exists(run) or verdict.blocked(run):
            return self._ended(run, fault)
        if planned.steps and (stands := self._settled_meanwhile(run.record)):
            return stands
        run.carry_out(planned.steps)
        return verdict.succeeded(run, self.clock())

    def _settled_meanwhile(self, record: RequestRecord) -> Outcome | None:
        """What another run settled, perhaps as failed, must not be created. A follow-up does not ask.

        The leases are held by now, and whoever settles without them checks that nobody took them: no run can settle
        this request as failed between this look and our create.
        """
        return self.ledger.settled_as(record) if record.outcome is None else None

    def _tell_of_types(self, record: RequestRecord, outcome: Outcome) -> None:
        """The request's outcome stays unresolved; what is now known of its types is an event for each."""
        for each in outcome.types:
            if each.id:
                key = type_key(record.tenant, natural_key(each.name), each.id)
                self.outcomes.publish_type(key, outcome.model_copy(update={"types": (each,)}))

    def _refused(self, run: Run, refusal: Refused) -> Outcome:
        if isinstance(refusal, Unknowable):
            return verdict.unresolved(run.record, run.request, str(refusal), self.clock(), run)
        return self._ended(run, refusal.problem)

    def _ended(self, run: Run, fault: Problem) -> Outcome:
        """While a create of this very request may be at large, nobody may say that it failed."""
        if any(lease.is_suspect(run.record.id) for lease in run.given_back()):
            return verdict.unresolved(run.record, run.request, fault.detail, self.clock(), run)
        outcome = verdict.failed(run.record, fault, self.clock(), run)
        if run.plan and fault.type == Kind.PLAN_STALE.uri:
            return outcome.model_copy(update={"plan": as_json(run.plan)})
        return outcome

    def _postpone(
        self,
        record: RequestRecord,
        request: ProvisioningRequest,
        organization: Organization,
        error: Busy | NotCreated,
    ) -> Outcome | Wait:
        """Wait as long as we were asked to or, where nobody said, a little longer each time; but not for ever."""
        seconds = _seconds(record, error)
        if self.clock() + seconds <= record.could_begin_at + self.wait_limit:
            return Wait(seconds, str(error), self.ledger.count_wait(record, seconds, str(error)))
        detail = f"It was tried for {self.wait_limit:.0f} seconds. The last time: {error}."
        return self._give_up_waiting(record, request, organization, problem(Kind.GAVE_UP, detail))

    def _await_tenant(
        self,
        record: RequestRecord,
        request: ProvisioningRequest,
        organization: Organization,
        error: Busy | NotCreated,
    ) -> Outcome | Wait:
        """A signup may come before its key is stored: wait longer each time, and look a last time when time is up."""
        left = record.accepted_at + self.tenant_wait_limit - self.clock()
        if left > 0:
            step = min(record.waits, len(TENANT_GAPS_SECONDS) - 1)
            seconds = max(min(TENANT_GAPS_SECONDS[step] * random.uniform(0.8, 1), left), 1)  # noqa: S311
            return Wait(seconds, str(error), self.ledger.await_tenant(record, seconds, str(error)))
        detail = f"{error} It was waited for, {self.tenant_wait_limit / 86_400:g} days long."
        return self._give_up_waiting(record, request, organization, problem(Kind.TENANT_UNKNOWN, detail))

    def _give_up_waiting(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization, fault: Problem
    ) -> Outcome | Wait:
        """Fail, unless another run is at it just now."""
        try:
            return self._fail(record, request, organization, fault)
        except Busy as busy:
            seconds = _seconds(record, busy)
            return Wait(seconds, str(busy), self.ledger.count_wait(record, seconds, str(busy)))

    def _fail(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization, fault: Problem
    ) -> Outcome:
        """Settle without a lease: what earlier runs of this request did is in the ledger, and is told.

        Raises ``Busy`` if another run takes a lease meanwhile: it may create, and then this did not fail.
        """
        known = {unit: self.ledger.known(unit) for unit in things_of(request)}
        outcome = self._ended(self._run(record, request, organization, known), fault)
        return self.ledger.settle(record, outcome, read=known.values())

    def _run(
        self,
        record: RequestRecord,
        request: ProvisioningRequest,
        organization: Organization,
        leases: dict[Unit, Lease],
    ) -> Run:
        return Run(record, request, organization, leases, self.list_lag, self.clock, self._known_id)

    def _known_id(self, unit: Unit) -> str | None:
        return self.ledger.known(unit).close_id


def _seconds(record: RequestRecord, error: Busy | NotCreated) -> float:
    """How long to wait before the next try: at least a second, so that no wait runs in circles."""
    if isinstance(error, Busy):
        return max(error.seconds, 1)
    step = min(record.waits, len(BACKOFF_SECONDS) - 1)
    return BACKOFF_SECONDS[step] * random.uniform(0.8, 1.2)  # noqa: S311


class _TenantMissing(NotCreated):
    """The tenant has no credential here yet, and its request waits for one."""
