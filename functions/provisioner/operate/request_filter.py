"""The query of a list of requests: which ones, and from where on. Pure."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from provisioner.contract.errors import ProblemType
from provisioner.contract.outcome import Result
from provisioner.contract.request import IDENTIFIER_PATTERN
from provisioner.ledger.request_lists import AFTER_ALL, ListedRequest, Span
from provisioner.operate.call import only_known, reject_parameter, single

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
SOURCE_PATTERN = r"[a-z0-9]+(-[a-z0-9]+)*"


class State(StrEnum):
    """The state of a request, as the operator sees it."""

    WAITING = "waiting"  # accepted, and not settled yet
    SETTLED = "settled"  # it has an outcome, which is not published yet
    ANNOUNCED = "announced"


ONE_OF = {
    "state": tuple(State),
    "result": tuple(Result),
    "problem": tuple(kind.value[0] for kind in ProblemType),
}
"""Parameters that may be given several times: a request with any of the values is listed."""

PARAMETERS = (*ONE_OF, "tenant", "source", "since", "until", "limit", "cursor")


class Position(NamedTuple):
    """A place in a list. A page begins after it: with requests accepted earlier, or at that moment with a lower id."""

    accepted_at: float
    id: str

    def as_cursor(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.accepted_at, self.id]).encode()).decode().rstrip("=")


class RequestFilter(NamedTuple):
    """The requests to list. Empty sets allow every value."""

    span: Span
    limit: int = DEFAULT_LIMIT
    after: Position | None = None
    tenant: str | None = None
    states: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    problems: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def is_later(self, request: ListedRequest) -> bool:
        """Return whether the request comes after the pages before this one."""
        return self.after is None or request.position < self.after

    def takes(self, request: ListedRequest, state: State) -> bool:
        """Return whether the request has one of the values that each parameter names."""
        return (
            _in(self.states, state)
            and _in(self.results, request.result)
            and _in(self.problems, request.problem)
            and (not self.sources or request.requested_by in {f"source:{each}" for each in self.sources})
        )


def parse_filter(query: Mapping[str, list[str]], oldest: float, now: float, tenant: str | None) -> RequestFilter:
    """Return the filter of a query. Raise ``Rejected`` with the parameter that is not valid.

    ``oldest``, ``now``: the ends of the list (Unix seconds). ``tenant``: that of the path, which a query cannot change.
    """
    only_known(query, PARAMETERS)
    after = position_in(single(query, "cursor"))
    until = min(time_in(query, "until", now), after.accepted_at if after else now)
    return RequestFilter(
        span=Span(max(time_in(query, "since", oldest), oldest), until),
        limit=limit_in(single(query, "limit")),
        after=after,
        tenant=_tenant(single(query, "tenant"), tenant),
        states=_choices(query, "state"),
        results=_choices(query, "result"),
        problems=_choices(query, "problem"),
        sources=_sources(query.get("source", [])),
    )


def _in(allowed: frozenset[str], value: str | None) -> bool:
    return not allowed or value in allowed


def _choices(query: Mapping[str, list[str]], name: str) -> frozenset[str]:
    given = frozenset(query.get(name, []))
    if given - set(ONE_OF[name]):
        reject_parameter(name, f"must be one of {', '.join(ONE_OF[name])}")
    return given


def _sources(given: list[str]) -> frozenset[str]:
    if any(not re.fullmatch(SOURCE_PATTERN, each) for each in given):
        reject_parameter("source", "must be the name of a source: lower case, with hyphens")
    return frozenset(given)


def _tenant(in_query: str | None, in_path: str | None) -> str | None:
    given = in_query if in_query is not None else in_path
    if given is not None and not re.fullmatch(IDENTIFIER_PATTERN, given):
        reject_parameter("tenant", "must be 1 to 128 letters, digits and . _ : -")
    if in_path not in {None, given}:
        reject_parameter("tenant", "differs from the tenant in the path")
    return given


def limit_in(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch("[1-9][0-9]{0,2}", text) or int(text) > MAX_LIMIT:
        reject_parameter("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def time_in(query: Mapping[str, list[str]], name: str, otherwise: float) -> float:
    text = single(query, name)
    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    return reject_parameter(name, "must be a time with its offset, such as 2026-11-27T08:00:00Z (RFC 3339)")


def position_in(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        accepted_at, request_key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if (
            isinstance(accepted_at, float)
            and 0 <= accepted_at < AFTER_ALL
            and re.fullmatch("[0-9a-f]{32}", request_key)
        ):
            return Position(accepted_at, request_key)
    except (ValueError, TypeError):
        pass
    return reject_parameter("cursor", "must be the value of next of the page before")
