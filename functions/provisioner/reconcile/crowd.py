"""The requests of one tenant in one batch: those that desire the same share an answer, and wait once."""

from dataclasses import dataclass, field

from provisioner.contract.outcome import Outcome, moment
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.history import Invocation
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile.ports import Organization
from provisioner.reconcile.provisioner import Job, Provisioner


@dataclass(slots=True)
class Crowd:
    """The crowd of one batch. Not to be shared between threads."""

    provisioner: Provisioner
    organization: Organization
    _answers: dict[str, Outcome] = field(default_factory=dict)  # by desired state
    _waited: set[str] = field(default_factory=set)
    _remembered: set[str] = field(default_factory=set)

    def answer(self, request: ProvisioningRequest) -> Outcome | None:
        """Return the outcome of a new request, if it can be settled from memory. The ledger is read once for all.

        Every request of the batch was sent before that: so each takes effect when the ledger was read.
        """
        key = request.desired_fingerprint
        if key not in self._answers:
            found = self.provisioner.memory.answer(request, self.organization)
            if found is None:
                return None
            self._answers[key] = found
        now = moment(self.provisioner.clock())
        return self._answers[key].model_copy(update={"request_id": request.request_id, "settled_at": now})

    def job(self, record: RequestRecord, request: ProvisioningRequest, invocation: Invocation) -> Job:
        """Return the request's run. It pauses for no lease for which one of the batch has waited in vain."""
        may_pause = request.desired_fingerprint not in self._waited
        return Job(record, request, self.organization, invocation, may_pause)

    def remember_wait(self, request: ProvisioningRequest) -> None:
        """Record that the request was deferred."""
        self._waited.add(request.desired_fingerprint)

    def remember_outcome(self, request: ProvisioningRequest, outcome: Outcome) -> None:
        """Record that the request is settled."""
        if outcome.observed_at:
            self._remembered.add(request.desired_fingerprint)

    def settles_soon(self, record: RequestRecord, request: ProvisioningRequest) -> bool:
        """Return whether it is settled, or probably settles from memory: one before it that desires the same did."""
        return record.outcome is not None or request.desired_fingerprint in self._remembered
