"""Parse a body into a ProvisioningRequest, or reject it with a pointer to every fault."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from provisioner.contract import list_limits
from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected
from provisioner.contract.faults import details, invalid
from provisioner.contract.request import MAX_BODY_BYTES, ProvisioningRequest

MAX_NAME = 60  # quoted characters of a key
TOO_DEEP = "nested too deeply"


class BlueprintRejected(Rejected):
    """A request whose blueprint cannot be expanded with its values.

    It may repeat an accepted request, if the blueprint changed since.
    """

    def __init__(self, rejection: Rejected, request: ProvisioningRequest) -> None:
        super().__init__(rejection.kind, str(rejection), errors=rejection.problem.errors)
        self.request = request


def parse_request(
    body: str | bytes, *, key: str | None = None, tenant: str | None = None, fallback_id: str | None = None
) -> ProvisioningRequest:
    """Return the request in a body. Raises ``Rejected`` (INVALID_REQUEST, BODY_TOO_LARGE).

    The body may be the stored form of a request: a blueprint with the types that it was expanded to.

    ``key``: the Idempotency-Key header; a ``request_id`` in the body must equal it. ``tenant``: that of the path; a
    ``tenant`` in the body must equal it. ``fallback_id``: the request id of a body without one.
    """
    document = parse_json_object(body)
    if tenant is not None:
        document = {**document, "tenant": _same(document.get("tenant"), tenant, "/tenant", "the tenant in the path")}
    if key is not None:
        known = document.get("request_id")
        document = {**document, "request_id": _same(known, key, "/request_id", "the Idempotency-Key header")}
    return request_of(document, fallback_id=fallback_id)


def _same(in_body: object, elsewhere: str, pointer: str, where: str) -> str:
    """Return the value that is given outside of the body. Raise ``Rejected`` if the body has another one."""
    if in_body is not None and in_body != elsewhere:
        invalid(ErrorDetail(pointer=pointer, detail=f"differs from {where}"))
    return elsewhere


def request_of(
    document: Mapping[str, Any], *, fallback_id: str | None = None, allow_expanded_blueprint: bool = False
) -> ProvisioningRequest:
    """Return the request that a JSON object holds, as ``parse_request`` does.

    ``allow_expanded_blueprint``: take the types beside a blueprint unchanged, as this service's own messages have them.
    Otherwise they must be those of the blueprint, so that a stored request can be sent again.
    """
    if too_much := list_limits.excess(document):
        invalid(*too_much)
    document = list_limits.pruned(document)
    if fallback_id is not None:
        document.setdefault("request_id", fallback_id)
    request = _validated(document)
    if not request.blueprint:
        return _within_bounds(request)
    if not request.types:
        return _expanded(request)
    if not allow_expanded_blueprint:
        _check_expansion(request)
    return _within_bounds(request)


def _validated(document: dict[str, Any]) -> ProvisioningRequest:
    text = json.dumps(document)
    if text.count(",") > list_limits.LARGE and (faulty := list_limits.faults_of_parts(document)):
        invalid(*faulty)
    try:
        # Strict, so that "yes" is not a boolean and 7 not a string; through JSON, so that a list is a tuple.
        return ProvisioningRequest.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
    return invalid(*details(faults, document))


def _expanded(request: ProvisioningRequest) -> ProvisioningRequest:
    from provisioner.contract.blueprints import expand  # noqa: PLC0415 - requests without one start faster

    try:
        return _within_bounds(expand(request))
    except Rejected as error:
        rejection = error
    raise BlueprintRejected(rejection, request)


def _check_expansion(request: ProvisioningRequest) -> None:
    """Raise ``Rejected`` unless the types are those of the blueprint with its values."""
    expanded = _expanded(request.model_copy(update={"custom_object_types": None}))
    if [each.content for each in expanded.types] != [each.content for each in request.types]:
        detail = (
            "differ from the types of the blueprint with these values: leave them out to use the blueprint, or leave "
            "out blueprint and values to use them"
        )
        invalid(ErrorDetail(pointer="/custom_object_types", detail=detail))


def _within_bounds(request: ProvisioningRequest) -> ProvisioningRequest:
    if len(request.to_json()) > MAX_BODY_BYTES:  # in the stored form: ASCII, its blueprint expanded
        detail = f"A request must have at most {MAX_BODY_BYTES} bytes in ASCII, with its blueprint expanded."
        raise Rejected(ProblemType.BODY_TOO_LARGE, detail)
    return request


@contextmanager
def nesting_bounded() -> Iterator[None]:
    """Raise ``Rejected`` (INVALID_REQUEST) where JSON is nested too deeply to be read or written."""
    is_bounded = True
    try:
        yield
    except RecursionError:
        is_bounded = False
    if not is_bounded:
        invalid(ErrorDetail(pointer="", detail=f"invalid JSON: {TOO_DEEP}"))


def json_bytes(value: object) -> bytes:
    """Return a parsed JSON value as a body again, as short as its sender may have written it.

    Raise ``Rejected`` (INVALID_REQUEST) if it is nested too deeply. Half of a surrogate pair stays an escape sequence.
    """
    with nesting_bounded():
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def parse_json_object(body: str | bytes, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the JSON object in a body. Raises ``Rejected`` (INVALID_REQUEST, BODY_TOO_LARGE).

    ``max_bytes``: more than a request may have, if the object only contains one.
    """
    if len(body) > max_bytes:
        raise Rejected(ProblemType.BODY_TOO_LARGE, f"A request must have at most {MAX_BODY_BYTES} bytes.")
    document, fault = None, ""
    try:
        text = body if isinstance(body, str) else body.decode()
        document = json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_reject_duplicates)
    except (ValueError, RecursionError) as error:
        fault = f"invalid JSON: {_json_fault(body, error)}"
    if fault:
        invalid(ErrorDetail(pointer="", detail=fault))
    if not isinstance(document, dict):
        invalid(ErrorDetail(pointer="", detail="must be a JSON object"))
    return document


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names: set[str] = set()
        twice = next(name for name, _ in pairs if name in names or names.add(name))  # type: ignore[func-returns-value]
        raise PydanticCustomError("duplicate_key", "duplicate key {key}", {"key": repr(twice[:MAX_NAME])})
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
            return TOO_DEEP
        case PydanticCustomError():
            return error.message()
    return "a number is too long"
