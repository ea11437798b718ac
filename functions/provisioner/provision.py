"""The use case behind every door: this type shall exist in that organisation, once, and its request shall be settled.

    accept ──► carry_out: lease ──► look ──► take it, create it, wait, or give up ──► settle ──► publish

Always in this order: the lease before the look, the look before the create, the outcome stored before it is published.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from provisioner import verdict
from provisioner.contract import (
    CustomObjectType,
    CustomObjectTypeSpec,
    Outcome,
    Problem,
    ProvisioningRequest,
    Result,
    type_key,
)
from provisioner.errors import Busy, Kind, MaybeCreated, NotCreated, Refused, problem
from provisioner.plan import matching
from provisioner.records import Lease, RequestRecord, RequestState

MAX_LOST = 2  # a create whose answer got lost may be sent again once
MAX_INTENTS = 4  # a create of a killed holder, who perhaps never sent it, may be followed by more
LOOKS = 2  # and only after this many looks, a lag apart, did not find it
DOUBT_ENDS_SECONDS = 24 * 3600  # after a day no create is on its way any more: what the list shows is what there is
BACKOFF_SECONDS = (5, 10, 20, 40, 80, 160, 300)  # after a failure for which Close named no time


class Ledger(Protocol):
    """What was asked and what is known, kept for good. Every method raises on what it cannot do."""

    def accept(self, request: ProvisioningRequest) -> RequestRecord:
        """Remember the request, or find it. Raises ``Refused`` when its id was used for other content."""

    def lease(self, record: RequestRecord, request: ProvisioningRequest) -> Lease:
        """Take the type's lease. Raises ``Busy`` while another holds it."""

    def is_suspect(self, record: RequestRecord, request: ProvisioningRequest) -> bool:
        """Whether a create of this very request may be at large."""

    def end(self, after: Lease) -> None:
        """Give the lease back, and remember what is now known of the type."""

    def settle(self, record: RequestRecord, outcome: Outcome, after: Lease | None = None) -> Outcome:
        """Store the outcome and what is now known of the type, together. Answers the outcome that stands."""

    def count_wait(self, record: RequestRecord, seconds: float) -> None:
        """Count a wait of the request."""

    def announced(self, record: RequestRecord) -> None:
        """The outcome was published."""


class Organization(Protocol):
    """One tenant's organisation at Close."""

    def open(self) -> None:
        """Have the credential at hand. Raises ``Refused`` when there is none."""

    def types(self, not_before: float) -> Sequence[CustomObjectType]:
        """All types, from a list read at ``not_before`` (Unix seconds) or later."""

    def type(self, close_id: str) -> CustomObjectType | None:
        """One type, asked for by its id."""

    def create(self, spec: CustomObjectTypeSpec) -> CustomObjectType:
        """Send the create, once. Raises ``MaybeCreated`` when its answer got lost."""


class Outcomes(Protocol):
    """The topic."""

    def publish(self, event_id: str, outcome: Outcome) -> None: ...

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        """What is now known of a type, after its request had to be given up as unresolved."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The request is not settled; it wants to be carried out again after ``seconds``."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Provisioner:
    """Times are Unix seconds, durations seconds."""

    ledger: Ledger
    outcomes: Outcomes
    list_lag: float
    wait_limit: float
    clock: Callable[[], float]

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
                postponed = self._postpone(record, request, error)
                if isinstance(postponed, Wait):
                    return postponed
                outcome = postponed
        self._announce(record, outcome)
        return outcome

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
        """One look, and at most one create. Raises ``Busy`` or ``NotCreated``, the lease given back."""
        try:
            organization.open()
        except Refused as refusal:
            return self.ledger.settle(record, self._failed(record, request, refusal.problem))
        lease = self._without_old_doubt(self.ledger.lease(record, request))
        try:
            outcome, found = self._bring_about(record, request, organization, lease)
        except Refused as refusal:
            outcome, found = self._refused(record, request, lease, refusal), None
        except MaybeCreated as error:
            self.ledger.end(lease.in_doubt(self.clock()))
            raise Busy(f"{error}; waiting until Close's list is sure to show it", self.list_lag) from error
        except _Absent as absent:
            self.ledger.end(replace(lease, absences=absent.absences, looked_at=absent.looked_at).given_back())
            raise
        except (Busy, NotCreated):
            self.ledger.end(lease.given_back())
            raise
        stands = self.ledger.settle(record, outcome, self._after(lease, record, outcome, found))
        if found and stands.result is Result.UNRESOLVED:
            self.outcomes.publish_type(type_key(record.tenant, lease.key, found.id), outcome)
        return stands

    def _after(self, lease: Lease, record: RequestRecord, outcome: Outcome, found: CustomObjectType | None) -> Lease:
        """What is known of the type once this holder is done with it."""
        if found is None:
            return lease.given_back()
        makers = (record.id,) if outcome.result in {Result.CREATED, Result.RECOVERED} else lease.suspects
        return lease.known(found.id, self.clock(), makers)

    def _bring_about(
        self, record: RequestRecord, request: ProvisioningRequest, organization: Organization, lease: Lease
    ) -> tuple[Outcome, CustomObjectType]:
        """Look; then take what is there, or create it."""
        found = self._look(organization, lease)
        if found:
            return verdict.taken(record, request, lease, found, self.clock()), found[0]
        if lease.suspects:
            self._need_another_look(lease)
        created = organization.create(request.custom_object_type)
        return verdict.created(record, created, self.clock()), created

    def _look(self, organization: Organization, lease: Lease) -> list[CustomObjectType]:
        now, not_before = self.clock(), 0.0
        if lease.suspects:
            not_before = max(lease.doubt_since, lease.looked_at) + self.list_lag
            if now < not_before:
                raise Busy("a create may be under way at Close", not_before - now)
        found = matching(organization.types(not_before), lease.key, lease.close_id)
        if found or lease.close_id is None:
            return found
        # The list does not show what we know to be there: it lags, or somebody deleted the type in Close.
        existing = organization.type(lease.close_id)
        if existing is None and now < lease.known_at + self.list_lag:
            raise Busy("Close does not show yet what was there just now", lease.known_at + self.list_lag - now)
        return [existing] if existing else []

    def _need_another_look(self, lease: Lease) -> None:
        """An earlier create may be at large and was not found. Returns when it may be sent once more, else raises."""
        absences = lease.absences + 1
        if absences < LOOKS:
            raise _Absent(absences, self.clock(), self.list_lag)
        if lease.lost >= MAX_LOST or len(lease.suspects) >= MAX_INTENTS:
            raise _Unknowable(
                Kind.UNRESOLVED,
                f"Up to {len(lease.suspects)} creates were sent, their answers got lost, and Close's list shows none.",
            )

    def _without_old_doubt(self, lease: Lease) -> Lease:
        """After a day no create is on its way any more: what the list shows is what there is."""
        if lease.suspects and self.clock() > lease.doubt_since + DOUBT_ENDS_SECONDS:
            return lease.without_suspects()
        return lease

    def _refused(self, record: RequestRecord, request: ProvisioningRequest, lease: Lease, refusal: Refused) -> Outcome:
        if isinstance(refusal, _Unknowable) or record.id in lease.suspects:
            return verdict.unresolved(record, request, str(refusal), self.clock())
        return verdict.failed(record, refusal.problem, self.clock())

    def _postpone(
        self, record: RequestRecord, request: ProvisioningRequest, error: Busy | NotCreated
    ) -> Outcome | Wait:
        """Wait as long as we were asked to or, where nobody said, a little longer each time; but not for ever."""
        seconds = _seconds(record, error)
        if self.clock() + seconds <= record.accepted_at + self.wait_limit:
            self.ledger.count_wait(record, seconds)
            return Wait(seconds, str(error))
        detail = f"It was tried for {self.wait_limit:.0f} seconds. The last time: {error}."
        return self.ledger.settle(record, self._failed(record, request, problem(Kind.GAVE_UP, detail)))

    def _failed(self, record: RequestRecord, request: ProvisioningRequest, fault: Problem) -> Outcome:
        """While a create of this very request may be at large, nobody may say that it failed."""
        if self.ledger.is_suspect(record, request):
            return verdict.unresolved(record, request, fault.detail, self.clock())
        return verdict.failed(record, fault, self.clock())


def _seconds(record: RequestRecord, error: Busy | NotCreated) -> float:
    """How long to wait before the next try: at least a second, so that no wait runs in circles."""
    if isinstance(error, Busy):
        return max(error.seconds, 1)
    step = min(record.waits, len(BACKOFF_SECONDS) - 1)
    return BACKOFF_SECONDS[step] * random.uniform(0.8, 1.2)  # noqa: S311


class _Absent(Busy):
    """The look did not find a create that may be at large."""

    def __init__(self, absences: int, looked_at: float, seconds: float) -> None:
        super().__init__("a create whose answer got lost is not to be seen at Close yet", seconds)
        self.absences = absences
        self.looked_at = looked_at


class _Unknowable(Refused):
    """All permitted creates were sent and lost, and none of them is to be seen."""
