"""Requests inside the envelope of an AWS service: an SNS notification, or an EventBridge event.

A subscription without raw message delivery, and a rule without an input path, put one around each message.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from provisioner.contract.announced_as import announced_as, parse_leniently, resembles_request
from provisioner.contract.errors import ErrorDetail, Rejected
from provisioner.contract.faults import invalid
from provisioner.contract.request import MAX_BODY_BYTES, ProvisioningRequest, valid_identifier_or
from provisioner.contract.validation import BlueprintRejected, parse_json_object, request_of

MAX_ENVELOPES = 2  # an event that a rule sends to a topic, to which the queue subscribes
MAX_ENVELOPE_BYTES = 2 * MAX_BODY_BYTES + 8192  # SNS escapes every quote of the message


class Envelope(NamedTuple):
    """An envelope. ``part``: where it holds the message, in words."""

    part: str
    content: Any
    id: str


def envelope(document: object) -> Envelope | None:
    """Return the envelope that a JSON value is, if it is one."""
    if not isinstance(document, Mapping):
        return None
    if document.get("Type") == "Notification" and "TopicArn" in document and "Message" in document:
        return Envelope("the Message of an SNS notification", document["Message"], str(document.get("MessageId")))
    if {"detail-type", "detail", "source"} <= document.keys():
        return Envelope("the detail of an EventBridge event", document["detail"], str(document.get("id")))
    return None


def request_in(body: str, message_id: str) -> ProvisioningRequest:
    """Return the request in a message, or in the envelope in it. Raise ``Rejected`` if it holds none.

    A request without an id of its own has that of the envelope: it is the same whenever the message is delivered again.
    """
    document, found = parse_json_object(body, MAX_ENVELOPE_BYTES), message_id
    parts: list[str] = []
    try:
        while len(parts) < MAX_ENVELOPES and (around := envelope(document)):
            parts.append(around.part)
            found = valid_identifier_or(around.id, found)
            document = _content(around)
        if not parts and len(body) > MAX_BODY_BYTES:
            parse_json_object(body)
        return request_of(document, fallback_id=found, allow_expanded_blueprint=True)
    except Rejected as error:
        if not parts:
            raise
        rejection = error
    raise _inside(" in ".join(reversed(parts)), rejection)


def _inside(where: str, rejection: Rejected) -> Rejected:
    """Return the rejection with the place of the request before its reason. Its pointers are into the request."""
    if isinstance(rejection, BlueprintRejected):
        return rejection
    return Rejected(rejection.kind, f"In {where}: {rejection}", errors=rejection.problem.errors)


def _content(around: Envelope) -> dict[str, Any]:
    if isinstance(around.content, str):
        return parse_json_object(around.content)
    if not isinstance(around.content, dict):
        invalid(ErrorDetail(pointer="", detail="must be a JSON object"))
    return around.content


def sender_of(body: str, message_id: str) -> tuple[str, str]:
    """Return the tenant and the request id under which a message that holds no valid request is announced."""
    document, found = parse_leniently(body) if len(body) <= MAX_ENVELOPE_BYTES else None, message_id
    for _ in range(MAX_ENVELOPES):
        if around := envelope(document):
            found = valid_identifier_or(around.id, found)
            document = parse_leniently(around.content) if isinstance(around.content, str) else around.content
    return announced_as(document if resembles_request(document) else None, found)
