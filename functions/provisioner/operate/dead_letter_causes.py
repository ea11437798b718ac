"""Why a message was given up, and whether sending it again can succeed. Pure, but for a read of the ledger.

provisioning   not a request, or of another request's id (the worker sends these)    │ edit, resubmit, or drop
               a request on which the service failed five times (SQS moves these)    │ redrive, unless it is settled
events         an event that a rule could not deliver, or the function failed on     │ redrive
"""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from provisioner.contract.errors import Rejected
from provisioner.contract.outcome import Result
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.validation import BlueprintRejected
from provisioner.ledger.models import RequestRecord
from provisioner.messaging.dead_letters import DeadLetter
from provisioner.messaging.envelopes import request_in, sender_of

EVENT_KEYS = {"detail-type", "detail", "source", "id"}
MAX_BODY = 20_000  # shown characters of a body


class Cause(StrEnum):
    """Dead-letter messages of one cause are handled alike."""

    NOT_A_REQUEST = "not-a-request"
    TRUNCATED = "truncated"  # its body was too long to be kept whole
    SERVICE_FAILED = "service-failed"  # five times in a row
    SETTLED = "settled"  # its request has a final outcome, which sending it again would not change
    NOT_DELIVERED = "not-delivered"  # an event that did not reach its function, or failed there
    NOT_AN_EVENT = "not-an-event"


class Judged(NamedTuple):
    """A dead-letter message with its cause. ``reason``: in words. ``request``: the one in it, or None."""

    message: DeadLetter
    cause: Cause
    reason: str
    tenant: str | None = None
    request_id: str | None = None
    request: ProvisioningRequest | None = None
    event: Mapping[str, Any] | None = None

    @property
    def is_redrivable(self) -> bool:
        return self.cause in {Cause.SERVICE_FAILED, Cause.NOT_DELIVERED}


def judge(message: DeadLetter, find: Callable[[str], RequestRecord | None]) -> Judged:
    """Return the dead-letter message with its cause. ``find`` returns the request of that id from the ledger."""
    return _judge_event(message) if message.queue == "events" else _judge_request(message, find)


def _judge_request(message: DeadLetter, find: Callable[[str], RequestRecord | None]) -> Judged:
    told = message.attributes.get("reason", "")
    message_id = message.attributes.get("message_id", message.id)
    if "truncated" in message.attributes:
        return Judged(message, Cause.TRUNCATED, told)
    try:
        request = request_in(message.body, message_id)
    except BlueprintRejected as rejection:
        return Judged(message, Cause.NOT_A_REQUEST, str(rejection), *_names(rejection.request))
    except Rejected as rejection:
        tenant, request_id = sender_of(message.body, message_id)
        return Judged(message, Cause.NOT_A_REQUEST, told or str(rejection), _known(tenant), request_id)
    record = find(request.id)
    names = _names(request)
    if record and record.accepted_request(request).fingerprint != request.fingerprint:
        reason = "Another request has its tenant and request id. Send it again under a new request id."
        return Judged(message, Cause.NOT_A_REQUEST, told or reason, *names, request)
    if record and record.outcome and record.outcome.result is not Result.UNRESOLVED:
        return Judged(message, Cause.SETTLED, f"The request is settled: {record.outcome.result}.", *names, request)
    return Judged(message, Cause.SERVICE_FAILED, told or _failed(record), *names, request)


def _failed(record: RequestRecord | None) -> str:
    """Describe a message that the service failed on."""
    if record is None:
        return "The service failed on it five times, before it was in the ledger."
    state = "its outcome is unresolved" if record.outcome else "it is not settled yet"
    return f"The service failed on it five times; {state}."


def _judge_event(message: DeadLetter) -> Judged:
    event = event_in(message.body)
    if event is None:
        return Judged(message, Cause.NOT_AN_EVENT, "It is not an event of EventBridge.")
    code, text = (message.attributes.get(name) for name in ("ERROR_CODE", "ERROR_MESSAGE"))
    how = f"the rule could not deliver it: {code}, {text}" if code else "the events function failed on it"
    return Judged(message, Cause.NOT_DELIVERED, f"{event['detail-type']}: {how}.", event=event)


def event_in(body: str) -> Mapping[str, Any] | None:
    """Return the event of EventBridge in a message: alone, as rules send it, or in Lambda's record of a failure."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, dict) and "requestPayload" in document:
        document = document["requestPayload"]
    is_event = isinstance(document, dict) and document.keys() >= EVENT_KEYS
    return document if is_event else None


def as_json(judged: Judged, first_seen: str | None) -> dict[str, Any]:
    """Return what the list of dead-letter messages shows of one."""
    message = judged.message
    return {
        "id": message.id,
        "queue": message.queue,
        "cause": judged.cause,
        "reason": judged.reason,
        "tenant": judged.tenant,
        "request_id": judged.request_id,
        "first_seen": first_seen,
        "body": message.body[:MAX_BODY],
        "truncated": len(message.body) > MAX_BODY or "truncated" in message.attributes,
        "redrivable": judged.is_redrivable,
    }


def _names(request: ProvisioningRequest) -> tuple[str, str]:
    return request.tenant, request.request_id


def _known(tenant: str) -> str | None:
    return None if tenant == "unknown" else tenant
