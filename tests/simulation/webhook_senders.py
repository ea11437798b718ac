"""Upstream senders in a world: their events, as they sign and send them, and what EventBridge hands over."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from infra.local.webhook_events import Event

SOURCE = "stripe"
SIGNING_SECRET = "whsec_upstream.signs-with-this"
"""The secret that sender and service share, with a point in it like every secret of the simulation."""


@cache
def signup(tenant: str, event_id: str = "evt_1") -> Event:
    """A customer signs up at the sender. The event's id is the request's."""
    event = Event.of(SOURCE, "customer.created", tenant)
    return Event(event.source, {**event.document, "id": event_id}, "msg")


TYPES = frozenset({"account"})
"""Natural keys of the types that a signup is to bring about."""

NOBODYS = signup("not/a/tenant", "evt_nobody")
"""An event that is signed as it must be, and that names no tenant."""


def delivery(event: Event, now: float) -> dict[str, Any]:
    """Return the event that API Gateway passes on when the sender delivers at that time (Unix seconds)."""
    sent = event.sent([SIGNING_SECRET], now=now)
    return {
        "resource": "/v1/webhooks/{source}",
        "path": f"/v1/webhooks/{SOURCE}",
        "httpMethod": "POST",
        "headers": dict(sent.headers),
        "multiValueHeaders": {name: [value] for name, value in sent.headers.items()},
        "pathParameters": {"source": SOURCE},
        "queryStringParameters": None,
        "requestContext": {"path": f"/local/v1/webhooks/{SOURCE}", "requestId": "r", "stage": "local"},
        "body": base64.b64encode(sent.body).decode(),
        "isBase64Encoded": True,
    }


def requested(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request as a caller puts it on the bus."""
    return _on_bus("com.example.signups", "Provisioning Requested", request)


def told_by_partner(event: Event) -> dict[str, Any]:
    """The event, if the sender delivers over EventBridge."""
    return _on_bus("aws.partner/stripe.com/ed_test_1", str(event.document["type"]), event.document)


def secret_stored(name: str) -> dict[str, Any]:
    """CloudTrail tells that a secret was created."""
    detail = {"eventSource": "secretsmanager.amazonaws.com", "eventName": "CreateSecret"}
    return _on_bus("aws.secretsmanager", "AWS API Call via CloudTrail", {**detail, "requestParameters": {"name": name}})


def _on_bus(source: str, kind: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "event-1",
        "detail-type": kind,
        "source": source,
        "detail": json.loads(json.dumps(detail)),
    }
