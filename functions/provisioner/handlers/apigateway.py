"""API Gateway's proxy events (REST API, payload version 1.0): how to read one, and how to respond to it."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from provisioner.contract.errors import Problem, ProblemType, Rejected, make_problem
from provisioner.contract.request import MAX_BODY_BYTES

RETRY_AFTER_SECONDS = 5
QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")  # RFC 9110, section 12.4.2
FORM_FIELD = b"payload="

type Response = dict[str, Any]


def headers_of(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return all values of each header, by its name in lower case."""
    many = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    headers: dict[str, list[str]] = {}
    for name, values in many.items():
        headers.setdefault(name.lower(), []).extend(values)
    return headers


def query_of(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return all values of each query parameter."""
    return dict(event.get("multiValueQueryStringParameters") or {})


def principal_of(event: Mapping[str, Any]) -> str | None:
    """Return the ARN of the IAM principal that signed the call, as the gateway verified it."""
    found: str | None = event.get("requestContext", {}).get("identity", {}).get("userArn")
    return found


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


def unwrapped_form(body: bytes) -> bytes:
    """Return the JSON in a form's field ``payload``, which is how GitHub sends events by default; else the body itself.

    The body decides, since its Content-Type is not signed. No JSON begins like such a form.
    """
    if not body.startswith(FORM_FIELD):
        return body
    value = body.removeprefix(FORM_FIELD).partition(b"&")[0]
    return unquote_to_bytes(value.replace(b"+", b" "))


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
    """Return whether the Accept header prefers text/plain to JSON (RFC 9110, section 12.5.1).

    Of two media types with equal quality, the one that is named first is preferred; JSON, if neither is named.
    """
    accepted = _accepted(headers)
    text, json_ = (_quality(accepted, each) for each in ("text/plain", "application/json"))
    named = [each for each, _ in accepted if each in {"text/plain", "text/*", "application/json", "application/*"}]
    return text > json_ or (text == json_ > 0 and bool(named) and named[0].startswith("text/"))


def _accepted(headers: Mapping[str, list[str]]) -> list[tuple[str, float]]:
    """Return the media ranges of the Accept header in order, with their qualities. Skip those without a valid one."""
    ranges = [each.split(";") for value in headers.get("accept", []) for each in value.split(",")]
    found = []
    for media_range, *parameters in ranges:
        named = [each.partition("=") for each in parameters]
        texts = [text.strip() for name, _, text in named if name.strip().lower() == "q"] or ["1"]
        if QUALITY.fullmatch(texts[0]):
            found.append((media_range.strip().lower(), float(texts[0])))
    return found


def _quality(accepted: list[tuple[str, float]], media_type: str) -> float:
    """Return the quality of the most specific range that the media type is in; 0 if it is in none."""
    for media_range in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        qualities = [quality for each, quality in accepted if each == media_range]
        if qualities:
            return max(qualities)
    return 0


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


def unavailable(
    detail: str = "The request may or may not have been accepted. Send it again with the same id.",
) -> Response:
    """Return a 503 that shows the caller nothing of the failure."""
    problem = make_problem(ProblemType.UNAVAILABLE, detail)
    return rejection_response(problem, {"Retry-After": str(RETRY_AFTER_SECONDS)})
