"""Interpret a response of Close, or the lack of one. Pure: one function maps every case to the error tree.

Sources: Close's pages on response codes and rate limits (developer.close.com), its published OpenAPI, its open-source
server libraries and its official Python client. Message texts never decide: two dialects of them are known.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import islice
from typing import Any

import httpx

from provisioner.close.redaction import redact
from provisioner.contract.errors import (
    ErrorDetail,
    OutcomeUnknown,
    ProblemType,
    ProvisioningError,
    RateLimited,
    Rejected,
    Unavailable,
)

# Without a connection, nothing can have reached Close. httpx also reports a failed TLS handshake and a failed name
# resolution as ConnectError.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

DEFAULT_WAIT_SECONDS = 2.0  # the wait of Close's own client when a 429 gives no time
MAX_WAIT_SECONDS = 900.0

MAX_DETAILS = 50
MAX_DEPTH = 20  # of nested field errors; Close nests two or three deep
MAX_TEXT = 300
WRAPPERS = {"errors", "field-errors"}  # keys around errors at any depth, which the body that was sent does not have


@dataclass(frozen=True, slots=True)
class CloseResponse:
    """An HTTP response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, or None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def failure(
    method: str, response: CloseResponse | httpx.RequestError, secret: str = "", *, is_collection: bool = True
) -> ProvisioningError | None:
    """Return the error that a response stands for, or None for a success. ``secret`` is redacted from Close's messages.

    ``is_collection``: the path is the collection of all types, which exists for every key that may use it. Error
    pointers are relative to the body that was sent.
    """
    writes = method != "GET"
    if isinstance(response, httpx.RequestError):
        return _no_response(writes, response)
    status = response.status
    if 200 <= status < 300:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited("Close rate-limited this tenant (429)", rate_limit_seconds(response))
    # 408: Close's proxy may return it while the work goes on. Undocumented codes leave the result unknown too: only a
    # response that is documented as final is final.
    unknown = (
        OutcomeUnknown(f"Close returned {status} to a write, which may or may not have happened")
        if writes
        else Unavailable(f"Close returned {status}")
    )
    if writes and not is_collection and status == HTTPStatus.NOT_FOUND:
        return Unavailable("the type or field to update no longer exists (404)")
    return _rejection(method, response, secret) or unknown


def _no_response(writes: bool, error: httpx.RequestError) -> ProvisioningError:
    how = type(error).__name__
    if not writes or isinstance(error, NEVER_SENT):
        return Unavailable(f"Close could not be reached ({how})")
    return OutcomeUnknown(f"the write was sent, but its response was lost ({how})")


def _rejection(method: str, response: CloseResponse, secret: str) -> Rejected | None:
    status = response.status
    message, errors = _error_messages(response.json(), secret)
    quoted = f" Close says: {message}" if message else ""
    match status:
        case 400 | 413 | 415 | 422 if method != "GET":
            kind = ProblemType.SPEC_REJECTED
            advice = "Fix the spec and send a new request."
        case 401:
            kind = ProblemType.CREDENTIAL_REJECTED
            advice = (
                "The key or token is wrong or revoked, or its user's role lacks the permission to manage "
                "customizations. Ask an administrator of the Close organization to fix it."
            )
        case 402:
            kind = ProblemType.PLAN_LIMIT
            advice = "The organization's plan allows no more Custom Object Types. Ask its owner to change the plan."
        case 403:
            kind = ProblemType.PERMISSION_MISSING
            advice = (
                "The role of the key's user lacks the permission to manage customizations, or the organization's "
                "plan has no Custom Objects. Ask an administrator of the Close organization to fix it."
            )
        case 404 if method == "POST":
            kind = ProblemType.PLAN_LIMIT
            advice = (
                "Close offers no Custom Object Types to this organization: its plan may not include them. "
                "Ask the owner of the Close organization to change the plan."
            )
        case 400 | 404 | 405 | 410 | 415 | 422:
            kind = ProblemType.CLOSE_MISCONFIGURED
            advice = "Ask the operator of this service to check the setting CLOSE_API_URL."
        case redirect if method == "GET" and 300 <= redirect < 400:
            kind = ProblemType.CLOSE_MISCONFIGURED
            advice = "Redirects are not followed. Ask the operator of this service to check the setting CLOSE_API_URL."
        case _:
            return None
    return Rejected(kind, f"Close returned {status}. {advice}{quoted}", close_status=status, errors=errors)


def _error_messages(document: Any, secret: str) -> tuple[str, tuple[ErrorDetail, ...]]:
    """Return Close's error messages, from ``{"error": …}`` or a nested ``{"errors": […], "field-errors": {…}}``."""
    if not isinstance(document, dict):
        return "", ()
    error = document.get("error")
    general = [*_texts(error.get("message") if isinstance(error, dict) else error), *_texts(document.get("errors"))]
    details = [
        ErrorDetail(pointer=_redact(pointer, secret), detail=_redact(text, secret))
        for pointer, text in islice(_field_errors(document.get("field-errors"), ""), MAX_DETAILS)
    ]
    return _redact("; ".join(general), secret), tuple(details)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _field_errors(value: Any, pointer: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, message) of every field error. A list holds errors of the field, or of its entries."""
    if isinstance(value, str):
        yield pointer, value
    elif depth == MAX_DEPTH:
        return
    elif isinstance(value, dict):
        for name, inner in value.items():
            step = "" if name in WRAPPERS else f"/{str(name).replace('~', '~0').replace('/', '~1')}"
            yield from _field_errors(inner, f"{pointer}{step}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _field_errors(inner, pointer if isinstance(inner, str) else f"{pointer}/{index}", depth + 1)


def _redact(text: str, secret: str) -> str:
    return redact(text, secret)[:MAX_TEXT]


def rate_limit_seconds(response: CloseResponse, now: datetime | None = None) -> float:
    """Return how long a 429 asks to wait, in seconds, from any of the known notations. At most 15 minutes.

    ``RateLimit: limit=100, remaining=0, reset=5`` is documented; semicolons, decimals, quotes and the newer ``t=`` were
    observed. Then Retry-After (seconds or a date), two older headers, and the body from before 2024.
    """
    candidates = [
        _reset(response.headers.get("ratelimit", "")),
        _retry_after(response.headers.get("retry-after", ""), now or datetime.now(UTC)),
        _seconds(response.headers.get("ratelimit-reset", "")),
        _seconds(response.headers.get("x-rate-limit-reset", "")),
        _legacy_reset(response.json()),
    ]
    found = next((each for each in candidates if each is not None), DEFAULT_WAIT_SECONDS)
    return min(found, MAX_WAIT_SECONDS)


def exhausted_seconds(response: CloseResponse) -> float | None:
    """Return the seconds until the next window of the rate limit if this response exhausted the present one."""
    header = response.headers.get("ratelimit", "")
    return _reset(header) if _part(header, {"remaining", "r"}) == 0 else None


def rate_limit_left(headers: Mapping[str, str]) -> tuple[float, float] | None:
    """Return the limit and what remains of it in this window, from any of the known notations."""
    header, policy = headers.get("ratelimit", ""), headers.get("ratelimit-policy", "")
    limit = next((each for each in (_part(header, {"limit"}), _part(policy, {"q"})) if each is not None), None)
    remaining = _part(header, {"remaining", "r"})
    for prefix in ("ratelimit", "x-rate-limit"):
        limit = _seconds(headers.get(f"{prefix}-limit", "")) if limit is None else limit
        remaining = _seconds(headers.get(f"{prefix}-remaining", "")) if remaining is None else remaining
    return None if limit is None or remaining is None else (limit, remaining)


def _reset(header: str) -> float | None:
    return _part(header, {"reset", "t"})


def _part(header: str, names: set[str]) -> float | None:
    for part in re.split(r"[;,]", header):
        name, _, value = part.partition("=")
        if name.strip().lower() in names:
            return _seconds(value)
    return None


def _seconds(text: Any) -> float | None:
    try:
        value = float(str(text).strip().strip('"'))
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _retry_after(text: str, now: datetime) -> float | None:
    seconds = _seconds(text)
    if seconds is not None:
        return seconds
    try:
        return max((parsedate_to_datetime(text) - now).total_seconds(), 0)
    except (ValueError, TypeError):
        return None


def _legacy_reset(document: Any) -> float | None:
    error = document.get("error") if isinstance(document, dict) else None
    return _seconds(error.get("rate_reset")) if isinstance(error, dict) else None
