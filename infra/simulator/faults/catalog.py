"""The table of faults: what each does to a request, and what it takes."""

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
    """``work`` says when the request is really carried out: never, first, after the wait, or later, when the client
    has its answer. A fault that works first strikes only what succeeds: a refused create has nothing to lose.
    """

    summary: str
    work: Literal["never", "first", "after_wait", "later"]
    effect: MakeEffect
    parameters: Parameters = field(default_factory=dict)

    def complete(self, given: Parameters) -> dict[str, Any]:
        """All parameters, defaults included. Raises ``ValueError`` for one that this fault does not take."""
        takes = {**self.parameters, **({"list_lag_seconds": None} if self.work == "first" else {})}
        for name, value in given.items():
            if name not in takes:
                raise ValueError(f"no parameter {name!r}; this fault takes: {', '.join(sorted(takes)) or 'none'}")
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
        "carries it out, then ends the connection without a byte",
        "first",
        effects.hang_up,
        {"how": "reset", "seconds": 0},
    ),
    "create_then_never_answer": FaultKind(
        "carries it out, then holds the connection until the client goes", "first", effects.hold, {"seconds": 120}
    ),
    "create_then_cut_short": FaultKind("carries it out, then breaks off within the answer", "first", effects.cut),
    **{
        f"create_then_{status}": FaultKind(
            f"carries it out, then answers {status}", "first", effects.proxy_status(status), _PROXY
        )
        for status in _STATUSES
    },
    **{
        f"{status}_before": FaultKind(f"answers {status} only", "never", effects.proxy_status(status), _PROXY)
        for status in _STATUSES
    },
    "hang_up_before": FaultKind(
        "ends the connection without a byte", "never", effects.hang_up, {"how": "reset", "seconds": 0}
    ),
    "never_answer": FaultKind("holds the connection until the client goes", "never", effects.hold, {"seconds": 120}),
    "late_create": FaultKind(
        "answers 408 at once, and carries it out so many seconds later",
        "later",
        effects.late,
        {"seconds": 1, "status": 408},
    ),
    "slow": FaultKind(
        "waits, then carries it out, whether or not the client is still there",
        "after_wait",
        effects.slow,
        {"seconds": 1},
    ),
    "list_lag": FaultKind(
        "carries it out, but the list does not show it for so long",
        "first",
        effects.as_it_is,
        {"list_lag_seconds": 5},
    ),
    "success_without_id": FaultKind(
        "carries it out; the answer lacks the id (and Location, unless asked for)",
        "first",
        effects.without_id,
        {"location": False},
    ),
    "garbage_json": FaultKind("carries it out; the answer is half of its JSON", "first", effects.garbage_json),
    "html_error": FaultKind("answers an HTML page only", "never", effects.html_error, {"status": 502}),
    "create_then_html_error": FaultKind(
        "carries it out, then answers an HTML page", "first", effects.html_error, {"status": 502}
    ),
    "redirect": FaultKind(
        "answers a redirect, to /elsewhere/ unless told", "never", effects.redirect, {"status": 307, "location": ""}
    ),
    "429": FaultKind("answers 429 in the spelling asked for", "never", effects.too_many, _TOO_MANY),
    "401": FaultKind("answers as to a dead key", "never", effects.unauthorized),
    "402": FaultKind("answers that the plan's limit is reached", "never", effects.payment_required),
    "403": FaultKind("answers that the role may not", "never", effects.forbidden),
}
