"""The records of the ledger, and how they change.

A request's item:

    (none) ──accept──► accepted ──settle──► settled ──publish──► announced
                          │  ▲
                          └──┘ defer (counted; nothing else changes)
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from provisioner.contract.outcome import Outcome
from provisioner.contract.request import UNKNOWN_REQUESTER, ProvisioningRequest, Requester
from provisioner.ledger.history import Run

MAX_QUEUE_DELAY_SECONDS = 900
"""The longest delay of a message in SQS. A longer deferral has no message: the sweeper requeues the request."""


class RequestState(StrEnum):
    ACCEPTED = "accepted"
    SETTLED = "settled"
    ANNOUNCED = "announced"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request in the ledger. Times are Unix seconds. ``fresh``: this call accepted it.

    ``has_begun``: a run of it was about to write to Close, by a plan that was not rejected.
    """

    id: str
    tenant: str
    request_id: str
    state: RequestState
    accepted_at: float
    body: str = field(repr=False)  # the accepted request in JSON, its blueprint expanded
    deferrals: int = 0
    pending_reason: str | None = None
    sweeps: int = 0
    outcome: Outcome | None = None
    tenant_last_missing_at: float = 0  # when its tenant last had no credential
    is_retry: bool = False  # a person asked for it, in place of another one
    fresh: bool = False
    has_begun: bool = False
    requester: Requester = UNKNOWN_REQUESTER
    history: tuple[str, ...] = field(default=(), repr=False)  # the entries of earlier attempts (history.py)
    run: Run | None = field(default=None, repr=False, compare=False)  # the attempt that works on it now

    @property
    def runnable_since(self) -> float:
        """When the retry deadline starts; time spent waiting for the tenant is excluded."""
        return max(self.accepted_at, self.tenant_last_missing_at)

    @property
    def has_succeeded(self) -> bool:
        """Whether it knows that everything it asked for exists."""
        return self.outcome is not None and self.outcome.succeeded

    @property
    def accepted(self) -> ProvisioningRequest:
        """The accepted request."""
        return ProvisioningRequest.model_validate_json(self.body)

    def accepted_request(self, sent: ProvisioningRequest) -> ProvisioningRequest:
        """Return the request that was accepted. A message that was ``sent`` for it later may hold other types."""
        return sent if self.fresh else self.accepted


class TenantRecord(NamedTuple):
    """The organization that the ledger remembers for a tenant, by Close's id. None: it never worked for the tenant.

    ``earlier``: those that it worked in before the tenant's secret named another one.
    """

    tenant: str
    organization: str | None = None
    earlier: tuple[str, ...] = ()
    paused_until: float = 0  # Close must not be called before (Unix seconds): met before the organization was known

    @property
    def organizations(self) -> tuple[str, ...]:
        """All of them, the present one first."""
        return (*((self.organization,) if self.organization else ()), *self.earlier)
