"""Questions and actions about provisioning requests, with typed answers."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from close_provisioner.client.answers import Answer, Listed, Problem
from close_provisioner.client.transport import Question, Transport

ROUTE = "provisioning-requests"
LARGEST_PAGE = 200


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


class Summary(Answer):
    """A request as lists show it. ``what``: its blueprint, or the names of its types."""

    id: str
    tenant: str
    request_id: str
    state: str
    result: str | None = None
    problem: str | None = None
    entry_point: str | None = None
    requested_by: str | None = None
    what: str | None = None
    accepted_at: str
    settled_at: str | None = None
    attempts: int = 0
    deferrals: int = 0
    waits_because: str | None = None
    next_at: str | None = None
    retry_of: str | None = None
    retried_as: str | None = None

    @property
    def name(self) -> str:
        return f"{self.tenant}/{self.request_id}"

    @property
    def is_bad(self) -> bool:
        return self.result in {"failed", "unresolved"}


class CloseCall(Answer):
    """One call at Close. ``status``: None if no response arrived."""

    method: str
    path: str
    status: int | None = None
    ms: float | None = None
    error: str | None = None


class Attempt(Answer):
    """One attempt of the service to carry out a request.

    ``interrupted``: the attempts before it that were killed or failed unexpectedly, and have no entry.
    """

    attempt: int
    started_at: str
    ms: float | None = None
    entry_point: str | None = None
    lambda_request_id: str | None = None
    trace_id: str | None = None
    interrupted: int = 0
    calls: tuple[CloseCall, ...] = ()
    ended: str | None = None
    reason: str | None = None
    seconds: float | None = None


def lost_before(attempt: Attempt) -> str:
    """Say that attempts before this one left no entry; empty if none was lost."""
    if not attempt.interrupted:
        return ""
    times = "once" if attempt.interrupted == 1 else f"{attempt.interrupted} times"
    return f"begun {times} before, and killed or failed unexpectedly: the worker's log says more"


class Explanation(Answer):
    """Why a request is in its state, and the next step of the operator."""

    because: str
    next: str


class History(Summary):
    """A request with everything that is known about it."""

    history: tuple[Attempt, ...] = ()
    body: Mapping[str, Any] | None = None
    outcome: Outcome | None = None
    explanation: Explanation | None = None
    retained_until: str | None = None


class Retry(Answer):
    """A new request that repeats another one."""

    id: str
    request_id: str
    tenant: str
    retry_of: str


class Resolution(Answer):
    """The content of Close's lists about the types of an unresolved request."""

    id: str
    tenant: str
    request_id: str
    there: bool
    types: tuple[Mapping[str, Any], ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """The requests to list. Times are RFC 3339."""

    tenant: str | None = None
    states: Sequence[str] = ()
    results: Sequence[str] = ()
    problems: Sequence[str] = ()
    sources: Sequence[str] = ()
    since: str | None = None
    until: str | None = None

    def as_query(self) -> dict[str, Any]:
        """Return the query of the route."""
        return {
            "tenant": self.tenant,
            "state": list(self.states),
            "result": list(self.results),
            "problem": list(self.problems),
            "source": list(self.sources),
            "since": self.since,
            "until": self.until,
        }


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

    def newest(self, chosen: Filter, limit: int) -> Iterator[Summary]:
        """Yield requests, the newest first."""
        cursor: str | None = None
        while limit > 0:
            shown, cursor = self.page(chosen, min(limit, LARGEST_PAGE), cursor)
            yield from shown[:limit]
            limit -= len(shown)
            if cursor is None:
                return

    def page(self, chosen: Filter, limit: int, cursor: str | None) -> tuple[list[Summary], str | None]:
        """Return the requests of one page, and the cursor of the next."""
        page = Listed.read(self.transport.get(ROUTE, **chosen.as_query(), limit=limit, cursor=cursor))
        return [Summary.read(each) for each in page.data], page.next

    def history(self, key: str) -> History:
        """Return a request with everything that is known about it."""
        return History.read(self.transport.get(ROUTE, key, "history"))

    def retry(self, key: str, reason: str | None, body: Mapping[str, Any] | None = None) -> Retry:
        """Send a request again under a new, linked id: unchanged, or with an edited body."""
        asked = {"reason": reason, "body": body}
        given = {name: value for name, value in asked.items() if value is not None}
        return Retry.read(self.transport.post(ROUTE, key, "retries", body=given))

    def resolve(self, key: str, *, there: bool, reason: str) -> Resolution:
        """Take what a person saw in Close for an unresolved request."""
        body = {"there": there, "reason": reason}
        return Resolution.read(self.transport.post(ROUTE, key, "resolutions", body=body))
