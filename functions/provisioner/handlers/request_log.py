"""The log lines about a request that several handlers write, with the keys to search for it."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.history import CloseCall, Invocation
from provisioner.ledger.models import RequestRecord
from provisioner.messaging.outbox import Accepted
from provisioner.telemetry import logger


def request_keys(request: RequestRecord | ProvisioningRequest) -> dict[str, str]:
    """Return the keys of a log line or a response that identify the request."""
    return {"tenant": request.tenant, "request_id": request.request_id, "id": request.id}


CLOSE_ANSWERS = {2: "CloseAnswered", 4: "CloseRefused", 5: "CloseFailed"}
"""The metrics that count Close's answers, by the first digit of their status."""


def close_answers(calls: Sequence[CloseCall]) -> list[str]:
    """Return the metric of each call to Close."""
    return [_answer(status) for _, _, status, _, _ in calls]


def _answer(status: int | None) -> str:
    if status is None:
        return "CloseLost"
    return "CloseRateLimited" if status == 429 else CLOSE_ANSWERS.get(status // 100, "CloseRefused")


def invocation_of(entry_point: str, receive_count: int = 1) -> Invocation:
    """Return the invocation, for a request's history: the log lines of it have the same ids.

    ``receive_count``: of its message. A message comes again only if the invocation before did not end it.
    """
    trace_id = os.environ.get("_X_AMZN_TRACE_ID", "").partition("Root=")[2].partition(";")[0]
    return Invocation(
        entry_point, logger.get_current_keys().get("function_request_id"), trace_id or None, receive_count - 1
    )


def log_queue_error(record: RequestRecord, error: Exception | None) -> None:
    """Log that a stored request is not on the queue yet."""
    if error:
        logger.error("the queue failed; the sweeper sends the request", exc_info=error, extra=request_keys(record))


def log_settled(outcome: Outcome, keys: Mapping[str, Any]) -> None:
    """Log an outcome and, of a failed request, its problem. ``keys``: those that identify the request."""
    problem = outcome.problem
    why = {"problem": problem.type, "reason": problem.detail} if problem else {}
    logger.info("settled", extra={**keys, "result": outcome.result, "attempts": outcome.attempts, **why})


def log_accepted(accepted: Accepted[RequestRecord], **keys: str) -> None:
    """Log an accepted event of a sender."""
    log_queue_error(accepted.record, accepted.queue_error)
    logger.info(
        "accepted" if accepted.record.fresh else "delivered again", extra={**keys, **request_keys(accepted.record)}
    )
