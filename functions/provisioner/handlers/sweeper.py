"""The schedule: requeue the requests that are overdue.

Some were accepted but not settled: a message was lost, or a function died before it sent one. Others were settled but
not published. The worker finishes both.
"""

from provisioner.handlers.cold_start import once

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from provisioner.handlers.request_log import request_keys
from provisioner.ledger.models import RequestState
from provisioner.service import Service
from provisioner.settings import Settings
from provisioner.telemetry import emit, logger

PAGE = 500  # requests listed at once
MARGIN_SECONDS = 10  # left to finish in when a sweep stops for lack of time


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(_event: dict[str, Any], context: Any) -> dict[str, int]:
    """Return how many requests of each kind were requeued, and how many are left."""
    return _service().sweep(lambda: context.get_remaining_time_in_millis() / 1000)


@once
def _service() -> "Sweeper":
    return Sweeper(Service.from_settings(Settings.from_env()))


@dataclass(frozen=True, slots=True)
class Sweeper:
    """The handler without Lambda."""

    service: Service

    def sweep(self, time_left: Callable[[], float]) -> dict[str, int]:
        """Put overdue requests back on the queue, the longest overdue first, as long as there is time."""
        found: list[str | None] = []
        backlog = 0
        overdue = self._overdue()
        for key in overdue:
            if time_left() <= MARGIN_SECONDS:
                backlog = 1 + sum(1 for _ in islice(overdue, PAGE))  # at least: counting all of them takes time, too
                break
            found.append(self._requeue(key))
        counts = {kind: found.count(kind) for kind in ("Unsettled", "Unannounced", "RequeueFailed")}
        counts["Backlog"] = backlog
        emit(counts)
        logger.info("swept", extra=counts)
        return counts

    def _overdue(self) -> Iterator[str | None]:
        """Yield the keys of overdue requests, and None when they cannot be listed: the next sweep finds the others."""
        try:
            yield from self.service.ledger.overdue(PAGE)
        except Exception:
            logger.exception("could not list the overdue requests")
            yield None

    def _requeue(self, request_key: str | None) -> str | None:
        """Put one request back on the queue. A failure leaves the others alone."""
        if request_key is None:
            return "RequeueFailed"
        try:
            accepted = self.service.ledger.find(request_key)
            if accepted is None or accepted.state is RequestState.ANNOUNCED:  # the index lags behind the table
                return None
            # Sent before it is postponed: a crash in between sends the request twice, but never loses it.
            self.service.queue.send(accepted.body, accepted.tenant, accepted.deferrals)
            self.service.ledger.postpone(accepted)
        except Exception:
            logger.exception("could not be requeued", extra={"id": request_key})
            return "RequeueFailed"
        if accepted.tenant_last_missing_at and not accepted.outcome:
            return None  # it waited for its tenant, so it was overdue without a fault
        logger.warning("requeued", extra=request_keys(accepted))
        return "Unannounced" if accepted.outcome else "Unsettled"
