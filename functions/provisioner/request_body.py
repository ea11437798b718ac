"""From the bytes of a body to a ProvisioningRequest, or one precise refusal that points at every fault."""

import json
from typing import Any, NoReturn

from pydantic import ValidationError

from provisioner.contract import MAX_BODY_BYTES, ErrorDetail, ProvisioningRequest
from provisioner.errors import Kind, Refused

MAX_ERRORS = 50
MAX_POINTER = 300


def read_request(
    body: str | bytes, *, key: str | None = None, fallback_id: str | None = None, may_be_filled_in: bool = False
) -> ProvisioningRequest:
    """The request that a body holds. Raises ``Refused`` (INVALID_REQUEST, BODY_TOO_LARGE).

    ``key``: the Idempotency-Key that came beside the body; it and a ``request_id`` in the body must agree.
    ``fallback_id``: the request id of a body that brings none. ``may_be_filled_in``: it may be one of our own messages,
    its blueprint filled in.
    """
    document = json_object(body)
    request_id = document.get("request_id", key)
    if key is not None and request_id != key:
        _invalid(ErrorDetail(pointer="/request_id", detail="differs from the Idempotency-Key header"))
    if request_id is None and "request_id" not in document:
        request_id = fallback_id
    if request_id is not None:
        document["request_id"] = request_id
    try:
        # Strict, so that "yes" is no boolean and 7 no text; through JSON, so that a list is a tuple.
        request = ProvisioningRequest.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        _invalid(*(_detail(each) for each in error.errors(include_input=False, include_url=False)[:MAX_ERRORS]))
    if request.blueprint and not request.types:
        request = _filled_in(request)
    elif request.blueprint and not may_be_filled_in:
        _invalid(ErrorDetail(pointer="/custom_object_types", detail="come from the blueprint: give one of the two"))
    if len(request.to_json()) > MAX_BODY_BYTES:  # as it is kept: in ASCII, its blueprint filled in
        raise Refused(Kind.BODY_TOO_LARGE, f"A request takes at most {MAX_BODY_BYTES} bytes, in ASCII.")
    return request


def _filled_in(request: ProvisioningRequest) -> ProvisioningRequest:
    from provisioner.blueprints import filled_in  # noqa: PLC0415 - most requests bring their types, and start sooner

    return filled_in(request)


def json_object(body: str | bytes) -> dict[str, Any]:
    """The JSON object that a body holds. Raises ``Refused`` (INVALID_REQUEST, BODY_TOO_LARGE)."""
    if len(body) > MAX_BODY_BYTES:
        raise Refused(Kind.BODY_TOO_LARGE, f"A request takes at most {MAX_BODY_BYTES} bytes.")
    try:
        text = body if isinstance(body, str) else body.decode()
        document = json.loads(text, parse_constant=_not_json, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        _invalid(ErrorDetail(pointer="", detail="is not JSON (RFC 8259, UTF-8, no key twice)"))
    if not isinstance(document, dict):
        _invalid(ErrorDetail(pointer="", detail="must be a JSON object"))
    return document


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _detail(error: Any) -> ErrorDetail:
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in error["loc"])
    detail = str(error["msg"]).removeprefix("Value error, ")
    pointer = pointer[:MAX_POINTER]  # a key of the caller's choice may be as long as the body
    if pointer == "/request_id" and error["type"] == "missing":
        detail = "is required, here or as the Idempotency-Key header"
    return ErrorDetail(pointer=pointer, detail=detail)


def _invalid(*errors: ErrorDetail) -> NoReturn:
    faults = "; ".join(f"{each.pointer or 'the body'}: {each.detail}" for each in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    raise Refused(Kind.INVALID_REQUEST, f"{faults}{more}.", errors=errors)
