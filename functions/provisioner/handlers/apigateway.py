"""API Gateway's proxy events (REST API, payload version 1.0) and the answers to them, for every HTTP door."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from provisioner.contract.errors import Problem, ProblemType, Rejected, make_problem
from provisioner.contract.request import MAX_BODY_BYTES

RETRY_AFTER_SECONDS = 5

type Response = dict[str, Any]


def headers_of(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """All values of each header, by its name in lower case."""
    many = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    headers: dict[str, list[str]] = {}
    for name, values in many.items():
        headers.setdefault(name.lower(), []).extend(values)
    return headers


def body_of(event: Mapping[str, Any]) -> bytes:
    """The very bytes that were sent. Raises ``Refused`` when there are too many of them."""
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return _within_bounds(body.encode("utf-8", "surrogatepass"))
    if len(body) > (MAX_BODY_BYTES + 3) * 4 // 3:  # so that what is too large need not be decoded to know it
        raise _too_large()
    try:
        return _within_bounds(base64.b64decode(body))
    except binascii.Error:
        raise Rejected(ProblemType.INVALID_REQUEST, "The body did not arrive whole.") from None


def _within_bounds(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> Rejected:
    return Rejected(ProblemType.BODY_TOO_LARGE, f"A body takes at most {MAX_BODY_BYTES} bytes.")


def response(status: int, document: dict[str, Any] | str, headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})},
        "body": document if isinstance(document, str) else json.dumps(document, ensure_ascii=False),
        "isBase64Encoded": False,
    }


def problem_response(status: int, document: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return response(status, document, {"Content-Type": "application/problem+json", **(headers or {})})


def refusal_response(fault: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return problem_response(fault.status, fault.model_dump(mode="json"), headers)


def unavailable() -> Response:
    """Nothing of what failed is shown to the caller; asking again under the same id is safe."""
    fault = make_problem(
        ProblemType.UNAVAILABLE, "Please send it again, under the same id: it is not known whether it was accepted."
    )
    return refusal_response(fault, {"Retry-After": str(RETRY_AFTER_SECONDS)})
