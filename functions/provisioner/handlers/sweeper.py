"""The clock's door: puts back on the queue what is unfinished past its time.

That is what was accepted but not settled, its messages lost or its function killed before it sent one; and what was
settled but not announced. The worker finishes both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from provisioner.ledger.models import RequestState
from provisioner.service import Service
from provisioner.settings import Settings
from provisioner.telemetry import emit, logger

BATCH = 500  # of each sweep; what is more waits for the next one
MARGIN_SECONDS = 10  # what is left to do when a sweep stops for lack of time


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(_event: dict[str, Any], context: Any) -> dict[str, int]:
    """Answers how many requests of each kind were put back on the queue."""
    return _service().sweep(lambda: context.get_remaining_time_in_millis() / 1000)


@cache
def _service() -> "Sweeper":
    return Sweeper(Service.from_settings(Settings.from_env()))


@dataclass(frozen=True, slots=True)
class Sweeper:
    """The door, apart from Lambda."""

    service: Service

    def sweep(self, time_left: Callable[[], float]) -> dict[str, int]:
        """Put overdue requests back on the queue, the longest overdue first, as long as there is time."""
        found = [self._requeue(key) for key in self.service.ledger.overdue(BATCH) if time_left() > MARGIN_SECONDS]
        counts = {kind: found.count(kind) for kind in ("Unsettled", "Unannounced", "RequeueFailed")}
        emit(counts)
        logger.info("swept", extra=counts)
        return counts

    def _requeue(self, request_key: str) -> str | None:
        """One request that cannot be put back must not keep the others from it."""
        try:
            found = self.service.ledger.find(request_key)
            if found is None or found[0].state is RequestState.ANNOUNCED:  # the index lags behind the table
                return None
            accepted, request = found
            # Sent before it is expected back: should this die in between, the request is sent twice, never lost.
            self.service.queue.send(request.to_json(), accepted.tenant, accepted.deferrals)
            self.service.ledger.postpone(accepted)
        except Exception:
            logger.exception("could not be put back on the queue", extra={"id": request_key})
            return "RequeueFailed"
        if accepted.tenant_last_missing_at and not accepted.outcome:
            return None  # its wait for its tenant is over, and nothing went wrong
        seen = {"tenant": accepted.tenant, "request_id": accepted.request_id, "id": accepted.id}
        logger.warning("requeued", extra=seen)
        return "Unannounced" if accepted.outcome else "Unsettled"
