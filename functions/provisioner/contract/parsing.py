"""From the bytes of a body to a ProvisioningRequest, or one precise refusal that points at every fault."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pydantic import ValidationError

from provisioner.contract.errors import (
    ErrorDetail,
    ProblemType,
    Rejected,
)
from provisioner.contract.request import (
    BLUEPRINT_PATTERN,
    DIGEST_PATTERN,
    IDENTIFIER_PATTERN,
    MAX_BODY_BYTES,
    MAX_POINTER,
    ProvisioningRequest,
)

MAX_ERRORS = 50
KNOWN_KEY = re.compile(r"[a-z_]+")
MAX_NAME = 60  # characters of a key that are quoted


def parse_request(
    body: str | bytes, *, key: str | None = None, fallback_id: str | None = None, allow_expanded_blueprint: bool = False
) -> ProvisioningRequest:
    """The request that a body holds. Raises ``Refused`` (INVALID_REQUEST, BODY_TOO_LARGE).

    ``key``: the Idempotency-Key that came beside the body; it and a ``request_id`` in the body must agree.
    ``fallback_id``: the request id of a body that brings none. ``may_be_filled_in``: it may be one of our own messages,
    its blueprint filled in.
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
        # Strict, so that "yes" is no boolean and 7 no text; through JSON, so that a list is a tuple.
        request = ProvisioningRequest.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        _invalid(*_details(error.errors(include_input=False, include_url=False), document)[:MAX_ERRORS])
    if request.blueprint and not request.types:
        request = _filled_in(request)
    elif request.blueprint and not allow_expanded_blueprint:
        _invalid(ErrorDetail(pointer="/custom_object_types", detail="come from the blueprint: give one of the two"))
    if len(request.to_json()) > MAX_BODY_BYTES:  # as it is kept: in ASCII, its blueprint filled in
        raise Rejected(ProblemType.BODY_TOO_LARGE, f"A request takes at most {MAX_BODY_BYTES} bytes, in ASCII.")
    return request


def _filled_in(request: ProvisioningRequest) -> ProvisioningRequest:
    from provisioner.contract.blueprints import expand  # noqa: PLC0415 - most requests bring their types, and start sooner

    return expand(request)


def parse_json_object(body: str | bytes) -> dict[str, Any]:
    """The JSON object that a body holds. Raises ``Refused`` (INVALID_REQUEST, BODY_TOO_LARGE)."""
    if len(body) > MAX_BODY_BYTES:
        raise Rejected(ProblemType.BODY_TOO_LARGE, f"A request takes at most {MAX_BODY_BYTES} bytes.")
    try:
        text = body if isinstance(body, str) else body.decode()
        document = json.loads(text, parse_constant=_not_json, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        _invalid(ErrorDetail(pointer="", detail=_no_json(body, error)))
    if not isinstance(document, dict):
        _invalid(ErrorDetail(pointer="", detail="must be a JSON object"))
    return document


class _NoJson(ValueError):
    """Its text is for the sender."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise _NoJson(f"is not JSON that could be read: it has the key {name[:MAX_NAME]!r} twice in one object")
        document[name] = value
    return document


def _not_json(constant: str) -> NoReturn:
    raise _NoJson(f"is not JSON: {constant} is no number there")


def _no_json(body: str | bytes, error: Exception) -> str:
    match error:
        case _ if not body:
            return "is not JSON: it is empty"
        case json.JSONDecodeError(msg=reason, lineno=line, colno=column):
            return f"is not JSON: {reason.partition(' (')[0]}, at line {line}, column {column}"
        case UnicodeError():
            return "is not JSON: it is not UTF-8"
        case RecursionError():
            return "is not JSON that could be read: it is nested too deeply"
        case _NoJson():
            return str(error)
    return "is not JSON that could be read: a number in it is too long"


IN_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is no key here",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "tuple_type": "must be a list",
    "too_long": "takes at most {max_length} entries, not {actual_length}",
    "too_short": "takes at least {min_length}",
    "string_too_long": "takes at most {max_length} characters",
    "string_too_short": "takes at least {min_length} characters",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}
"""By pydantic's names of what is wrong. The others speak for themselves."""

PATTERNS = {
    IDENTIFIER_PATTERN: "may hold letters without accents, digits and . _ : - only, 1 to 128 of them",
    BLUEPRINT_PATTERN: "is not the name of a blueprint: those are of lower-case letters, digits and hyphens",
    DIGEST_PATTERN: "is not the digest of a plan: 64 digits 0-9a-f",
}


def _details(faults: Sequence[Any], document: Mapping[str, Any]) -> list[ErrorDetail]:
    """One for each place. Where a value may be of several kinds, each kind has its own complaint about it."""
    said: dict[str, list[str]] = {}
    for fault in faults:
        words = said.setdefault(_pointer(fault, document), [])
        if (detail := _in_words(fault)) not in words:
            words.append(detail)
    return [ErrorDetail(pointer=pointer, detail=", or ".join(words)) for pointer, words in said.items()]


def _pointer(fault: Any, document: Any) -> str:
    """Into the body that was sent. A step that leads nowhere there is a missing key, or names a kind of value."""
    pointer, node = "", document
    for step in fault["loc"]:
        is_there = step in node if isinstance(node, dict) else isinstance(node, list) and isinstance(step, int)
        is_missing = isinstance(node, dict) and KNOWN_KEY.fullmatch(str(step))
        node = node[step] if is_there else None
        if is_there or is_missing:
            pointer += f"/{str(step).replace('~', '~0').replace('/', '~1')}"
    return pointer[:MAX_POINTER]  # a key of the caller's choice may be as long as the body


def _in_words(fault: Any) -> str:
    if fault["loc"] == ("request_id",) and fault["type"] == "missing":
        return "is required, here or as the Idempotency-Key header"
    context = fault.get("ctx", {})
    if words := IN_WORDS.get(fault["type"]) or PATTERNS.get(context.get("pattern")):
        return words.format(**context)
    return str(fault["msg"]).removeprefix("Value error, ")


def _invalid(*errors: ErrorDetail) -> NoReturn:
    faults = "; ".join(f"{each.pointer or 'the body'}: {each.detail}" for each in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    raise Rejected(ProblemType.INVALID_REQUEST, f"{faults}{more}.", errors=errors)
