"""What an answer of Close, or the lack of one, means. Pure: one function maps every case to the error tree.

Sources: Close's pages on response codes and rate limits (developer.close.com), its published OpenAPI, its open-source
server libraries and its official Python client. No message text is ever matched on: two dialects are known.
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

from provisioner.contract.errors import (
    ErrorDetail,
    OutcomeUnknown,
    ProblemType,
    ProvisioningError,
    RateLimited,
    Rejected,
    Unavailable,
)

# The connection was never made, so nothing can have reached Close. httpx reports a failed TLS handshake and a name
# that does not resolve as ConnectError too.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

DEFAULT_WAIT_SECONDS = 2.0  # what Close's own client waits when a 429 names no time
MAX_WAIT_SECONDS = 900.0

MAX_DETAILS = 50
MAX_DEPTH = 20  # of nested field errors; Close nests two or three deep
MAX_TEXT = 300
CLOSE_KEY = re.compile(r"api_[A-Za-z0-9]+\.[A-Za-z0-9.]+")


@dataclass(frozen=True, slots=True)
class CloseResponse:
    """An HTTP answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def failure(
    method: str, answer: CloseResponse | httpx.RequestError, secret: str = "", *, of_types: bool = True
) -> ProvisioningError | None:
    """What is now true of Close; None when the answer is a success. ``secret`` is struck out of Close's own words.

    ``of_types``: the resource is that of all types, which is always there for whoever may use it. Pointers of errors
    are relative to what was sent.
    """
    writes = method != "GET"
    if isinstance(answer, httpx.RequestError):
        return _silence(writes, answer)
    status = answer.status
    if 200 <= status < 300:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited("Close asks to wait (429)", rate_limit_seconds(answer))
    # 408: Close's proxy is known to say so while the work goes on behind it. Codes that nobody documents count as
    # unknown too: only what is known to be final is final.
    open_question = (
        OutcomeUnknown(f"Close answered the write with {status}, which leaves open whether it happened")
        if writes
        else Unavailable(f"Close answered {status}")
    )
    if writes and not of_types and status == HTTPStatus.NOT_FOUND:
        return Unavailable("what was to be written to is not there any more (404)")
    return _refusal(method, answer, secret) or open_question


def _silence(writes: bool, error: httpx.RequestError) -> ProvisioningError:
    how = type(error).__name__
    if not writes or isinstance(error, NEVER_SENT):
        return Unavailable(f"Close could not be reached ({how})")
    return OutcomeUnknown(f"the write was sent, and its answer got lost ({how})")


def _refusal(method: str, answer: CloseResponse, secret: str) -> Rejected | None:
    status = answer.status
    message, errors = _words(answer.json(), secret)
    said = f" Close says: {message}" if message else ""
    match status:
        case 400 | 413 | 415 | 422 if method != "GET":
            return Rejected(
                ProblemType.SPEC_REJECTED, f"Close answered {status}.{said}", close_status=status, errors=errors
            )
        case 401:
            kind = ProblemType.CREDENTIAL_REJECTED
            who = (
                "The key or token is wrong or revoked, or its user's role lacks the permission to manage "
                "customizations. An administrator of the Close organization can mend it."
            )
        case 402:
            kind = ProblemType.PLAN_LIMIT
            who = "The organization's plan does not allow (more) Custom Object Types. Its owner can change the plan."
        case 403:
            kind = ProblemType.PERMISSION_MISSING
            who = (
                "The role of the key's user lacks the permission to manage customizations, or the organization's "
                "plan has no Custom Objects. An administrator of the Close organization can mend it."
            )
        case 404 if method == "POST":
            kind = ProblemType.PLAN_LIMIT
            who = (
                "Close shows no Custom Object Types to this organization: its plan may not have them. "
                "The organization's owner can change the plan."
            )
        case 400 | 404 | 405 | 410 | 415 | 422:
            kind = ProblemType.CLOSE_MISCONFIGURED
            who = "Whoever runs this service should check the setting CLOSE_API_URL."
        case redirect if method == "GET" and 300 <= redirect < 400:
            kind = ProblemType.CLOSE_MISCONFIGURED
            who = "Redirects are not followed. Whoever runs this service should check the setting CLOSE_API_URL."
        case _:
            return None
    return Rejected(kind, f"Close answered {status}. {who}{said}", close_status=status, errors=errors)


def _words(document: Any, secret: str) -> tuple[str, tuple[ErrorDetail, ...]]:
    """Close's own words: ``{"error": …}`` or ``{"errors": […], "field-errors": {…}}``, nested at will, or none."""
    if not isinstance(document, dict):
        return "", ()
    error = document.get("error")
    general = [*_texts(error.get("message") if isinstance(error, dict) else error), *_texts(document.get("errors"))]
    details = [
        ErrorDetail(pointer=_struck(pointer, secret), detail=_struck(text, secret))
        for pointer, text in islice(_faults(document.get("field-errors"), ""), MAX_DETAILS)
    ]
    return _struck("; ".join(general), secret), tuple(details)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _faults(value: Any, pointer: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """(JSON pointer, text) of every field error; a list's items are faults of the field, or of its entries."""
    if isinstance(value, str):
        yield pointer, value
    elif depth == MAX_DEPTH:
        return
    elif isinstance(value, dict):
        for name, inner in value.items():
            step = "" if name == "errors" else f"/{str(name).replace('~', '~0').replace('/', '~1')}"
            yield from _faults(inner, f"{pointer}{step}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _faults(inner, pointer if isinstance(inner, str) else f"{pointer}/{index}", depth + 1)


def _struck(text: str, secret: str) -> str:
    text = text.replace(secret, "…") if secret else text
    return CLOSE_KEY.sub("…", text)[:MAX_TEXT]


def rate_limit_seconds(answer: CloseResponse, now: datetime | None = None) -> float:
    """How long a 429 asks to wait, in seconds, whichever of the known ways it says so. Never longer than 15 minutes.

    ``RateLimit: limit=100, remaining=0, reset=5`` is documented; semicolons, decimals, quotes and the newer ``t=`` are
    seen in the wild; then Retry-After (seconds or a date), two older headers, and the body of before 2024.
    """
    candidates = [
        _reset(answer.headers.get("ratelimit", "")),
        _retry_after(answer.headers.get("retry-after", ""), now or datetime.now(UTC)),
        _seconds(answer.headers.get("ratelimit-reset", "")),
        _seconds(answer.headers.get("x-rate-limit-reset", "")),
        _old_body(answer.json()),
    ]
    found = next((each for each in candidates if each is not None), DEFAULT_WAIT_SECONDS)
    return min(found, MAX_WAIT_SECONDS)


def exhausted_seconds(answer: CloseResponse) -> float | None:
    """How long until the limit's next window, where this answer says that nothing of this one is left."""
    header = answer.headers.get("ratelimit", "")
    return _reset(header) if _part(header, {"remaining", "r"}) == 0 else None


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


def _old_body(document: Any) -> float | None:
    error = document.get("error") if isinstance(document, dict) else None
    return _seconds(error.get("rate_reset")) if isinstance(error, dict) else None
