"""API Gateway's proxy events (REST API, payload version 1.0): how to read one, and how to respond to it."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from provisioner.contract.errors import Problem, ProblemType, Rejected, make_problem
from provisioner.contract.request import MAX_BODY_BYTES

RETRY_AFTER_SECONDS = 5

type Response = dict[str, Any]


def headers_of(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return all values of each header, by its name in lower case."""
    many = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    headers: dict[str, list[str]] = {}
    for name, values in many.items():
        headers.setdefault(name.lower(), []).extend(values)
    return headers


def body_of(event: Mapping[str, Any]) -> bytes:
    """Return the exact bytes of the body. Raise ``Rejected`` if they are too many or truncated."""
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return _within_bounds(body.encode("utf-8", "surrogatepass"))
    if len(body) > (MAX_BODY_BYTES + 3) * 4 // 3:  # before decoding, which would copy a body that is too large
        raise _too_large()
    try:
        return _within_bounds(base64.b64decode(body))
    except binascii.Error:
        raise Rejected(ProblemType.INVALID_REQUEST, "The body is truncated: it is not complete base64.") from None


def _within_bounds(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> Rejected:
    return Rejected(ProblemType.BODY_TOO_LARGE, f"The body must be at most {MAX_BODY_BYTES} bytes.")


def check_media_type(headers: Mapping[str, list[str]]) -> None:
    """Raise ``Rejected`` unless the Content-Type is JSON or absent."""
    for value in headers.get("content-type", []):
        media_type = value.partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise Rejected(ProblemType.UNSUPPORTED_MEDIA_TYPE, "Send the request as application/json.")


def idempotency_key(headers: Mapping[str, list[str]]) -> str | None:
    """Return the Idempotency-Key, quoted (as in the IETF draft) or bare. Raise ``Rejected`` for two different keys."""
    values = {value.strip().removeprefix('"').removesuffix('"') for value in headers.get("idempotency-key", [])}
    if len(values) > 1:
        raise Rejected(ProblemType.INVALID_REQUEST, "Send one Idempotency-Key, not several.")
    return values.pop() if values else None


def prefers_async(headers: Mapping[str, list[str]]) -> bool:
    """Return whether the Prefer header holds respond-async (RFC 7240)."""
    return any(
        each.strip().lower() == "respond-async"
        for value in headers.get("prefer", [])
        for each in re.split("[,;]", value)
    )


def prefers_text(headers: Mapping[str, list[str]]) -> bool:
    """Return whether the Accept header names text/plain before JSON."""
    accepted = [
        each.partition(";")[0].strip().lower() for value in headers.get("accept", []) for each in value.split(",")
    ]
    return next((each for each in accepted if each in {"text/plain", "application/json", "*/*"}), "") == "text/plain"


def response(status: int, document: dict[str, Any] | str, headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})},
        "body": document if isinstance(document, str) else json.dumps(document, ensure_ascii=False),
        "isBase64Encoded": False,
    }


def problem_response(status: int, document: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return response(status, document, {"Content-Type": "application/problem+json", **(headers or {})})


def rejection_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return problem_response(problem.status, problem.model_dump(mode="json"), headers)


def unavailable() -> Response:
    """Return a 503 that shows the caller nothing of the failure."""
    problem = make_problem(
        ProblemType.UNAVAILABLE, "The request may or may not have been accepted. Send it again with the same id."
    )
    return rejection_response(problem, {"Retry-After": str(RETRY_AFTER_SECONDS)})
