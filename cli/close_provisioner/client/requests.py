"""Questions and actions about provisioning requests, with typed answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from close_provisioner.client.answers import Answer, Problem
from close_provisioner.client.transport import Question, Transport

ROUTE = "provisioning-requests"


class FieldOutcome(Answer):
    """The result of one field."""

    name: str
    result: str
    id: str | None = None


class TypeOutcome(Answer):
    """The result of one type."""

    name: str
    result: str
    id: str | None = None
    fields: tuple[FieldOutcome, ...] = ()
    steps: tuple[str, ...] = ()
    differences: tuple[Mapping[str, Any], ...] = ()
    blocked: tuple[Mapping[str, Any], ...] = ()
    other_matches: tuple[str, ...] = ()


class Outcome(Answer):
    """The final result of a request."""

    tenant: str
    request_id: str
    result: str
    types: tuple[TypeOutcome, ...] = ()
    problem: Problem | None = None
    attempts: int = 0
    settled_at: str = ""

    @property
    def is_good(self) -> bool:
        return self.result not in {"failed", "unresolved"}


class RequestState(Answer):
    """A request, and its outcome once it is settled."""

    id: str
    tenant: str
    request_id: str
    state: str
    outcome: Outcome | None = None
    pending_reason: str | None = None


def request_key(tenant: str, request_id: str) -> str:
    """Return the id of a request: the first 32 hex digits of ``printf tenant/request_id | sha256sum``."""
    return hashlib.sha256(f"{tenant}/{request_id}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests of one stack."""

    transport: Transport

    def submit(self, body: Mapping[str, Any]) -> RequestState:
        """Send a request, and return at once: it is stored, and the service works on it."""
        reply = self.transport.ask(Question("POST", (ROUTE,), body, headers={"Prefer": "respond-async"}, settled=True))
        return RequestState.read(reply.body)

    def state(self, key: str) -> RequestState:
        """Return the present state of the request."""
        return RequestState.read(self.transport.get(ROUTE, key))
