"""Upstream senders and the webhooks handler, with its dependencies in memory."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from infra.local.signing import signed_headers
from infra.local.webhook_events import scheme_name
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.request import UNKNOWN_REQUESTER, ProvisioningRequest, Requester
from provisioner.handlers.webhooks import Webhooks, report_unusable_secret
from provisioner.ingest.ingest import Ingest
from provisioner.ingest.mapping import Source
from provisioner.ingest.signing_keys import make_signing_keys_cache
from provisioner.ingest.sources import FOLDER, Sources
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.received_events import ReceivedEvent
from provisioner.ledger.waitlist import Waiters
from tests.fakes import Clock, MemoryLedger, MemoryTopic
from tests.handlers import MemoryQueue
from tests.http_caller import Answer
from tests.unit.credentials.test_tenants import MemorySecrets
from tests.unit.ingest.test_signatures import SECRETS as SECRET_OF_SCHEME

PRESETS = ("auth0", "chargebee", "clerk", "cloudevents", "paddle", "standard-webhooks", "stripe", "workos")
"""The sources that come with the project: only tests about the content of a source use these. All others cover every
source of the folder, so that one more needs no change to them."""

SOURCES = Sources()
EVENTS = [(path.parent.name, path.stem) for path in sorted((FOLDER / "fixtures").glob("*/*.json"))]
PRESET_EVENTS = [event for event in EVENTS if event[0] in PRESETS]


def found(source: str) -> Source:
    there = SOURCES.find(source)
    assert there
    return there


def scheme_of(source: str) -> str:
    """Return the name of the source's signature scheme."""
    return scheme_name(found(source))


SECRETS = {name: SECRET_OF_SCHEME[scheme_of(name)] for name in SOURCES.names()}


def fixture(source: str, event: str) -> bytes:
    return (FOLDER / "fixtures" / source / f"{event}.json").read_bytes()


@dataclass
class MemoryRejected:
    """Rejected events: their reasons by key."""

    known: dict[str, str] = field(default_factory=dict)

    def is_known(self, key: str) -> bool:
        return key in self.known

    def remember(self, key: str, source: str, event_id: str, reason: str) -> None:
        self.known[key] = f"{source}/{event_id}: {reason}"


@dataclass
class MemoryEventLedger:
    """The ledger in memory, for the request of one event. ``events``: fingerprints and request keys, by event key."""

    ledger: MemoryLedger
    events: dict[str, tuple[str, str]]
    event: ReceivedEvent

    def answer(self) -> RequestRecord | None:
        fingerprint, request_key = self.events.get(self.event.key, ("", ""))
        return self.ledger.find(request_key) if fingerprint == self.event.fingerprint else None

    def find(self, request_key: str) -> RequestRecord | None:
        return self.ledger.find(request_key)

    def accept(
        self, request: ProvisioningRequest, expected_after: float = 420, requester: Requester = UNKNOWN_REQUESTER
    ) -> RequestRecord:
        if answer := self.answer():
            return answer
        known = self.events.get(self.event.key)
        if known and known[0] != self.event.fingerprint and request.id not in self.ledger.requests:
            raise Rejected(ProblemType.REQUEST_CONFLICT, "sent before")
        record = self.ledger.accept(request, expected_after, requester)
        if record.fresh:
            self.events[self.event.key] = self.event.fingerprint, request.id
        return record


@dataclass
class MemoryWaitlist:
    """Keys of waiting requests, by tenant, and how many were ever added."""

    requests: dict[str, set[str]] = field(default_factory=dict)
    additions: int = 0

    def add(self, tenant: str, request_key: str) -> None:
        self.requests.setdefault(tenant, set()).add(request_key)
        self.additions += 1

    def read(self, tenant: str) -> Waiters:
        return Waiters(sorted(self.requests.get(tenant, ())), self.additions)

    def remove(self, tenant: str, waiters: Waiters) -> None:
        if self.additions == waiters.additions:
            self.requests[tenant] -= set(waiters.request_keys)


class Upstream:
    """All senders, and the handler that they deliver to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.monotonic = Clock(0)
        self.ledger = MemoryLedger(self.clock)
        self.queue = MemoryQueue()
        self.topic = MemoryTopic()
        self.rejected = MemoryRejected()
        self.waitlist = MemoryWaitlist()
        self.sources = SOURCES
        held = {name: json.dumps({"secrets": [secret]}) for name, secret in SECRETS.items()}
        self.secrets = MemorySecrets(**held)
        parts: dict[str, Any] = {"ledger": self.ledger, "queue": self.queue, "topic": self.topic}
        parts |= {"rejected": self.rejected, "waitlist": self.waitlist}
        parts |= {"event_ledger": partial(MemoryEventLedger, self.ledger, {})}
        self.ingest = Ingest(sources=self.sources, clock=self.clock, **parts)
        scheme_of = self.sources.scheme_of
        keys = make_signing_keys_cache(self.secrets, "prefix", self.monotonic, scheme_of, report_unusable_secret)
        self.handler = Webhooks(self.ingest, keys, self.clock)

    def deliver(
        self,
        source: str,
        body: bytes,
        *,
        secret: str | None = None,
        delivery_id: str = "msg_1",
        change: Callable[[dict[str, Any]], object] = lambda _headers: None,
    ) -> Answer:
        """``change`` may change the headers once they are signed: values are lists, as API Gateway keeps them apart."""
        secrets = [secret or SECRETS[source]]
        signed = signed_headers(scheme_of(source), secrets, body, now=self.clock(), delivery_id=delivery_id)
        headers = {name.title(): [value] for name, value in signed.items()}
        change(headers)
        return self.post(source, body, headers)

    def post(self, source: str, body: bytes, headers: Mapping[str, list[str]]) -> Answer:
        event = {
            "resource": "/v1/webhooks/{source}",
            "path": f"/v1/webhooks/{source}",
            "httpMethod": "POST",
            "headers": {name: values[-1] for name, values in headers.items() if values} or None,
            "multiValueHeaders": dict(headers) or None,
            "queryStringParameters": None,
            "pathParameters": {"source": source},
            "requestContext": {"stage": "live", "requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}},
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        answer = self.handler.answer(event)
        assert answer.keys() == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert answer["headers"]["Cache-Control"] == "no-store"
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))
