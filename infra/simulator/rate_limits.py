"""Rate limits per key and per organization, and every known form of their headers."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Self

from infra.simulator.api.responses import Response, error_response, json_response
from infra.simulator.options import Options, RateLimitHeader, RetryAfter, TooManyBody


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The number of requests per endpoint group (method and resource) in a window of time."""

    requests: int
    window_seconds: float

    def times(self, factor: int) -> Self:
        return type(self)(self.requests * factor, self.window_seconds)


GENEROUS = RateLimit(100_000, 8.0)
"""The limit of a key that has none of its own."""

ORGANIZATION_FACTOR = 3
"""The limit of an organization is three times that of a key (Close's documentation of rate limits)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a caller's window at the Unix time ``at``. ``reset`` is in seconds from then."""

    limit: int
    remaining: int
    reset: float
    at: float
    exceeded: bool = False


@dataclass(slots=True)
class Windows:
    """The running windows. Callers hold the state's lock."""

    _running: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def count(self, group: str, limits: dict[str, RateLimit], now: float) -> Standing:
        """Count one request for each limit, and return the standing with the fewest requests left."""
        standings = [self._count((holder, group), limit, now) for holder, limit in limits.items()]
        return min(standings, key=lambda standing: (not standing.exceeded, standing.remaining))

    def clear(self) -> None:
        self._running.clear()

    def _count(self, window: tuple[str, str], limit: RateLimit, now: float) -> Standing:
        ends, used = self._running.get(window, (0.0, 0))
        if ends <= now:
            ends, used = now + limit.window_seconds, 0
        self._running[window] = (ends, used + 1)
        remaining = max(0, limit.requests - used - 1)
        return Standing(limit.requests, remaining, ends - now, now, exceeded=used + 1 > limit.requests)


def rate_limit_headers(standing: Standing, spelling: RateLimitHeader) -> dict[str, str]:
    limit, remaining = standing.limit, standing.remaining
    whole, decimal = str(math.ceil(standing.reset)), f"{standing.reset:.6f}"
    match spelling:
        case "commas" | "commas_decimal":
            reset = decimal if spelling == "commas_decimal" else whole
            return {"RateLimit": f"limit={limit}, remaining={remaining}, reset={reset}"}
        case "semicolons" | "semicolons_decimal":
            reset = decimal if spelling == "semicolons_decimal" else whole
            return {"RateLimit": f"limit={limit}; remaining={remaining}; reset={reset}"}
        case "separate":
            values = {"Limit": str(limit), "Remaining": str(remaining), "Reset": whole}
            return {f"RateLimit-{name}": value for name, value in values.items()}
        case "legacy":
            values = {"limit": str(limit), "remaining": str(remaining), "reset": decimal}
            return {f"x-rate-limit-{name}": value for name, value in values.items()}
        case "ietf":
            return {"RateLimit": f'"default";r={remaining};t={whole}', "RateLimit-Policy": f'"default";q={limit};w=8'}
        case "absent":
            return {}


def too_many_requests(
    standing: Standing,
    options: Options,
    header: RateLimitHeader | None = None,
    retry_after: RetryAfter | None = None,
    body: TooManyBody | None = None,
) -> Response:
    """Return a 429 in the form of the options, or of the three arguments after them."""
    headers = rate_limit_headers(standing, header or options.rate_limit_header)
    match retry_after or options.retry_after:
        case "seconds":
            headers["Retry-After"] = str(math.ceil(standing.reset))
        case "date":
            # HTTP dates have whole seconds. Rounded down, the date would be in the past for the last second.
            now = datetime.fromtimestamp(standing.at, UTC).replace(microsecond=0)
            moment = now + timedelta(seconds=math.ceil(standing.reset) + 1)
            headers["Retry-After"] = format_datetime(moment, usegmt=True)
    return _body(standing, body or options.too_many_body).with_headers(headers)


def _body(standing: Standing, form: TooManyBody) -> Response:
    match form:
        case "error":
            return error_response(429, "API call count exceeded for this window")
        case "legacy":
            detail = {
                "message": "API call count exceeded for this window",
                "rate_reset": round(standing.reset, 6),
                "rate_limit": standing.limit,
                "rate_window": 8,
                "rate_limit_type": "key",
                "rate_endpoint_group": "0" * 32,
            }
            return json_response({"error": detail}, 429)
        case "object":
            return json_response({}, 429)
        case "empty":
            return Response(429)
