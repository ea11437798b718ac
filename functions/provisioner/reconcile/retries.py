"""Decide whether to retry or to give up: the schedules of retries and their deadlines."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.ledger.models import MAX_QUEUE_DELAY_SECONDS, RequestRecord
from provisioner.reconcile.ports import Ledger

BACKOFF_SECONDS = (5, 10, 20, 40, 80, 160, 300)
"""Waits between tries when Close gives no time to wait."""

TENANT_BACKOFF_SECONDS = (10, 30, 60, 120, 300, 900, 1800, 3600, 7200, 10_800)
"""Waits between checks for the credential of a tenant that has none yet."""


class TenantMissing(Unavailable):
    """The tenant has no credential yet, and its request waits for one."""


class Deferred(NamedTuple):
    """An unsettled request, to be reconciled again after ``seconds``. ``deferrals`` counts this deferral."""

    seconds: float
    reason: str
    deferrals: int = 0

    @property
    def exceeds_queue_delay(self) -> bool:
        """Whether the wait exceeds the longest delay of the queue."""
        return self.seconds > MAX_QUEUE_DELAY_SECONDS


class Retries(NamedTuple):
    """The policy of retries. Both limits are in seconds, ``clock`` returns Unix seconds."""

    ledger: Ledger
    clock: Callable[[], float]
    wait_limit: float
    tenant_wait_limit: float

    def defer(self, record: RequestRecord, error: RetryLater | Unavailable) -> Deferred | Rejected:
        """Record and return a deferral, or return the final error once the deadline has passed."""
        return self._await_tenant(record, error) if isinstance(error, TenantMissing) else self._back_off(record, error)

    def defer_past_deadline(self, record: RequestRecord, error: RetryLater) -> Deferred:
        """Record a deferral even past the deadline: another run of this request is working on it."""
        seconds = retry_seconds(record, error)
        return Deferred(seconds, str(error), self.ledger.record_deferral(record, seconds, str(error)))

    def _back_off(self, record: RequestRecord, error: RetryLater | Unavailable) -> Deferred | Rejected:
        seconds = retry_seconds(record, error)
        if self.clock() + seconds <= record.runnable_since + self.wait_limit:
            return Deferred(seconds, str(error), self.ledger.record_deferral(record, seconds, str(error)))
        detail = (
            f"Gave up after {_duration(self.wait_limit)}. Last error: {error}. Send a new request once it is fixed."
        )
        return Rejected(ProblemType.DEADLINE_EXCEEDED, detail)

    def _await_tenant(self, record: RequestRecord, error: Unavailable) -> Deferred | Rejected:
        """Wait longer each time, and check a last time at the deadline."""
        left = record.accepted_at + self.tenant_wait_limit - self.clock()
        if left > 0:
            seconds = max(min(_step(TENANT_BACKOFF_SECONDS, record) * random.uniform(0.8, 1), left), 1)  # noqa: S311
            return Deferred(seconds, str(error), self.ledger.record_tenant_deferral(record, seconds, str(error)))
        detail = f"{error} Gave up after waiting {_duration(self.tenant_wait_limit)} for it."
        return Rejected(ProblemType.TENANT_NOT_FOUND, detail)


def retry_seconds(record: RequestRecord, error: RetryLater | Unavailable) -> float:
    """Return the wait before the next try: the error's own, at least a second, or else the schedule's."""
    if isinstance(error, RetryLater):
        return max(error.seconds, 1)
    return _step(BACKOFF_SECONDS, record) * random.uniform(0.8, 1.2)  # noqa: S311


def _step(schedule: Sequence[float], record: RequestRecord) -> float:
    return schedule[min(record.deferrals, len(schedule) - 1)]


def _duration(seconds: float) -> str:
    """Return the duration in the largest unit that divides it: "3 days", "6 hours", "90 seconds"."""
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            number = seconds / size
            return f"{number:g} {name}{'' if number == 1 else 's'}"
    return f"{seconds:g} seconds"
