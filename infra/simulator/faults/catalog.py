"""The table of faults: the effect and the parameters of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from infra.simulator.faults import effects
from infra.simulator.faults.effects import MakeEffect, Parameters
from infra.simulator.options import RateLimitHeader, RetryAfter, TooManyBody

_VALUES: Mapping[str, tuple[object, ...]] = {
    "header": (None, *get_args(RateLimitHeader)),
    "retry_after": (None, *get_args(RetryAfter)),
    "too_many_body": (None, *get_args(TooManyBody)),
    "body": ("text", "html", "json", "empty"),
    "how": ("reset", "close"),
}


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault. ``work`` says when the request is executed: never, first, after the wait, or later, when the
    client has its response. A fault that works first strikes only requests that succeed.
    """

    summary: str
    work: Literal["never", "first", "after_wait", "later"]
    effect: MakeEffect
    parameters: Parameters = field(default_factory=dict)

    def complete(self, given: Parameters) -> dict[str, Any]:
        """Return all parameters, defaults included. Raises ``ValueError`` for an unknown one or an invalid value."""
        takes = {**self.parameters, **({"list_lag_seconds": None} if self.work == "first" else {})}
        for name, value in given.items():
            if name not in takes:
                raise ValueError(f"unknown parameter {name!r}; known: {', '.join(sorted(takes)) or 'none'}")
            if not _fits(name, value, takes[name]):
                raise ValueError(f"parameter {name!r} cannot be {value!r}")
        return {**takes, **given}


def _fits(name: str, value: object, default: object) -> bool:
    if name in _VALUES:
        return value in _VALUES[name]
    if name == "status":
        return type(value) is int and 300 <= value <= 599
    if isinstance(default, bool | str):
        return isinstance(value, type(default))
    return _is_amount(value) or (value is None and default is None)


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


_PROXY = {"body": "text", "retry_after_seconds": None, "seconds": 0}
_STATUSES = (408, 500, 502, 503, 504)
_TOO_MANY = {"limit": 100, "remaining": 0, "reset": 1.0, "header": None, "retry_after": None, "too_many_body": None}

KINDS: Mapping[str, FaultKind] = {
    "create_then_hang_up": FaultKind(
        "executes the request, then ends the connection without a response",
        "first",
        effects.hang_up,
        {"how": "reset", "seconds": 0},
    ),
    "create_then_never_answer": FaultKind(
        "executes the request, then sends nothing until the client disconnects", "first", effects.hold, {"seconds": 120}
    ),
    "create_then_cut_short": FaultKind(
        "executes the request, then ends the connection within the response", "first", effects.cut
    ),
    **{
        f"create_then_{status}": FaultKind(
            f"executes the request, then responds with {status}", "first", effects.proxy_status(status), _PROXY
        )
        for status in _STATUSES
    },
    **{
        f"{status}_before": FaultKind(
            f"responds with {status}, without executing the request", "never", effects.proxy_status(status), _PROXY
        )
        for status in _STATUSES
    },
    "hang_up_before": FaultKind(
        "ends the connection, without executing the request", "never", effects.hang_up, {"how": "reset", "seconds": 0}
    ),
    "never_answer": FaultKind(
        "sends nothing until the client disconnects, without executing the request",
        "never",
        effects.hold,
        {"seconds": 120},
    ),
    "late_create": FaultKind(
        "responds with 408 at once, and executes the request some seconds later",
        "later",
        effects.late,
        {"seconds": 1, "status": 408},
    ),
    "slow": FaultKind(
        "waits, then executes the request, also if the client has disconnected",
        "after_wait",
        effects.slow,
        {"seconds": 1},
    ),
    "list_lag": FaultKind(
        "executes the request, but the list does not show the object for some time",
        "first",
        effects.unchanged,
        {"list_lag_seconds": 5},
    ),
    "success_without_id": FaultKind(
        "executes the request; the response has no id, and no Location unless asked for",
        "first",
        effects.without_id,
        {"location": False},
    ),
    "garbage_json": FaultKind("executes the request; the response is half of its JSON", "first", effects.garbage_json),
    "html_error": FaultKind(
        "responds with an HTML page, without executing the request", "never", effects.html_error, {"status": 502}
    ),
    "create_then_html_error": FaultKind(
        "executes the request, then responds with an HTML page", "first", effects.html_error, {"status": 502}
    ),
    "redirect": FaultKind(
        "responds with a redirect, by default to /elsewhere/",
        "never",
        effects.redirect,
        {"status": 307, "location": ""},
    ),
    "429": FaultKind("responds with 429 in the requested form", "never", effects.too_many, _TOO_MANY),
    "401": FaultKind("responds as to a revoked key", "never", effects.unauthorized),
    "402": FaultKind("responds that the plan's limit is reached", "never", effects.payment_required),
    "403": FaultKind("responds that the role lacks the permission", "never", effects.forbidden),
}
