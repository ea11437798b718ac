"""Parse a body into a ProvisioningRequest, or reject it with a pointer to every fault."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected
from provisioner.contract.request import MAX_BODY_BYTES, MAX_POINTER, ProvisioningRequest

MAX_ERRORS = 50
KNOWN_KEY = re.compile(r"[a-z_]+")
MAX_NAME = 60  # quoted characters of a key

MESSAGES = {
    "extra_forbidden": "unknown key",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} item",
}
"""By pydantic's error types. Its other messages are used unchanged; these would name Python's types."""


def parse_request(
    body: str | bytes, *, key: str | None = None, fallback_id: str | None = None, allow_expanded_blueprint: bool = False
) -> ProvisioningRequest:
    """Return the request in a body. Raises ``Rejected`` (INVALID_REQUEST, BODY_TOO_LARGE).

    ``key``: the Idempotency-Key header; a ``request_id`` in the body must equal it. ``fallback_id``: the request id of
    a body without one. ``allow_expanded_blueprint``: accept a blueprint with its types, as this service's own messages
    have it.
    """
    document = parse_json_object(body)
    request_id = document.get("request_id", key)
    if key is not None and request_id != key:
        _invalid(ErrorDetail(pointer="/request_id", detail="differs from the Idempotency-Key header"))
    if request_id is None and "request_id" not in document:
        request_id = fallback_id
    if request_id is not None:
        document["request_id"] = request_id
    try:
        # Strict, so that "yes" is not a boolean and 7 not a string; through JSON, so that a list is a tuple.
        request = ProvisioningRequest.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        _invalid(*_details(error.errors(include_input=False, include_url=False), document)[:MAX_ERRORS])
    if request.blueprint and not request.types:
        request = _expanded(request)
    elif request.blueprint and not allow_expanded_blueprint:
        _invalid(ErrorDetail(pointer="/custom_object_types", detail="must not be combined with a blueprint"))
    if len(request.to_json()) > MAX_BODY_BYTES:  # in the stored form: ASCII, its blueprint expanded
        detail = f"A request must have at most {MAX_BODY_BYTES} bytes in ASCII, with its blueprint expanded."
        raise Rejected(ProblemType.BODY_TOO_LARGE, detail)
    return request


def _expanded(request: ProvisioningRequest) -> ProvisioningRequest:
    from provisioner.contract.blueprints import expand  # noqa: PLC0415 - requests without one start faster

    return expand(request)


def parse_json_object(body: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a body. Raises ``Rejected`` (INVALID_REQUEST, BODY_TOO_LARGE)."""
    if len(body) > MAX_BODY_BYTES:
        raise Rejected(ProblemType.BODY_TOO_LARGE, f"A request must have at most {MAX_BODY_BYTES} bytes.")
    try:
        text = body if isinstance(body, str) else body.decode()
        document = json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_reject_duplicates)
    except (ValueError, RecursionError) as error:
        _invalid(ErrorDetail(pointer="", detail=f"invalid JSON: {_json_fault(body, error)}"))
    if not isinstance(document, dict):
        _invalid(ErrorDetail(pointer="", detail="must be a JSON object"))
    return document


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise PydanticCustomError("duplicate_key", "duplicate key {key}", {"key": repr(name[:MAX_NAME])})
        document[name] = value
    return document


def _reject_constant(constant: str) -> NoReturn:
    raise PydanticCustomError("json_constant", "{constant} is not allowed", {"constant": constant})


def _json_fault(body: str | bytes, error: Exception) -> str:
    match error:
        case _ if not body:
            return "the body is empty"
        case json.JSONDecodeError(msg=reason, lineno=line, colno=column):
            return f"{reason.partition(' (')[0]}, at line {line}, column {column}"
        case UnicodeError():
            return "not UTF-8"
        case RecursionError():
            return "nested too deeply"
        case PydanticCustomError():
            return error.message()
    return "a number is too long"


def _details(faults: Sequence[Any], document: Mapping[str, Any]) -> list[ErrorDetail]:
    """Return one detail for each place. A value that may have several types has one message for each of them."""
    messages: dict[str, list[str]] = {}
    for fault in faults:
        at_place = messages.setdefault(_pointer(fault, document), [])
        if (message := _message(fault)) not in at_place:
            at_place.append(message)
    return [ErrorDetail(pointer=pointer, detail=", or ".join(each)) for pointer, each in messages.items()]


def _pointer(fault: Any, document: Any) -> str:
    """Return the pointer into the body. A step that does not exist there is a missing key, or names a type."""
    pointer, node = "", document
    for step in fault["loc"]:
        exists = step in node if isinstance(node, dict) else isinstance(node, list) and isinstance(step, int)
        is_missing = isinstance(node, dict) and KNOWN_KEY.fullmatch(str(step))
        node = node[step] if exists else None
        if exists or is_missing:
            pointer += f"/{str(step).replace('~', '~0').replace('/', '~1')}"
    return pointer[:MAX_POINTER]  # the caller's own keys may be as long as the body


def _message(fault: Any) -> str:
    if fault["loc"] == ("request_id",) and fault["type"] == "missing":
        return "is required, here or as the Idempotency-Key header"
    if message := MESSAGES.get(fault["type"]):
        return message.format(**fault["ctx"]) if "ctx" in fault else message
    return str(fault["msg"]).removeprefix("Value error, ")


def _invalid(*errors: ErrorDetail) -> NoReturn:
    faults = "; ".join(f"{each.pointer or 'the body'}: {each.detail}" for each in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    raise Rejected(ProblemType.INVALID_REQUEST, f"{faults}{more}.", errors=errors)
