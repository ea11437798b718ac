"""The bodies of calls that act: a JSON object of known keys, with the reason for the action."""

from collections.abc import Mapping
from typing import Any

from provisioner.contract.errors import ErrorDetail
from provisioner.contract.faults import invalid, step_below
from provisioner.contract.validation import parse_json_object
from provisioner.operate.call import Call

MAX_REASON = 500
MAX_NAME = 60


def action_body(call: Call, *known: str) -> dict[str, Any]:
    """Return the body of a call, {} without one. ``reason`` is always known. Raises ``Rejected``."""
    body = parse_json_object(call.body) if call.body.strip() else {}
    for name in body:
        if name not in {"reason", *known}:
            detail = f"unknown key; known: {', '.join(sorted({'reason', *known}))}"
            invalid(ErrorDetail(pointer=step_below("", name[:MAX_NAME]), detail=detail))
    return body


def reason_in(body: Mapping[str, Any], *, required: bool = False) -> str | None:
    """Return the reason, which the audit keeps."""
    reason = body.get("reason")
    if reason is None and not required:
        return None
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= MAX_REASON:
        invalid(ErrorDetail(pointer="/reason", detail=f"must be a string of 1 to {MAX_REASON} characters"))
    return reason.strip()


def flag_in(body: Mapping[str, Any], name: str, *, default: bool | None = None) -> bool:
    found = body.get(name, default)
    if not isinstance(found, bool):
        invalid(ErrorDetail(pointer=f"/{name}", detail="must be true or false"))
    return found


def texts_in(body: Mapping[str, Any], name: str, most: int) -> tuple[str, ...]:
    """Return the strings of a list, in their order, each once; none without the key."""
    found = body.get(name, [])
    if not isinstance(found, list) or len(found) > most or not all(isinstance(each, str) and each for each in found):
        invalid(ErrorDetail(pointer=f"/{name}", detail=f"must be a list of at most {most} strings"))
    return tuple(dict.fromkeys(found))
