"""Describe the faults of a body: one detail for each place, with its JSON pointer, in words free of Python's terms."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected
from provisioner.contract.request import MAX_POINTER

MAX_ERRORS = 20
KNOWN_KEY = re.compile(r"[a-z_]+")

SURROGATE = re.compile("[\ud800-\udfff]")
LONE_SURROGATE = "contains half of a surrogate pair (\\ud800 to \\udfff), which is not a character"
NO_JSON = "cannot be written as JSON"

UNKNOWN_KEY = "unknown key"
TOO_LONG = "must have at most {max_length} items"
MESSAGES = {
    "extra_forbidden": UNKNOWN_KEY,
    "too_long": TOO_LONG,
    "too_short": "must have at least {min_length} item",
}
"""By pydantic's error types. Its other messages are used unchanged; these would name Python's types."""


def details(faults: Sequence[Any], document: Any, below: str = "") -> list[ErrorDetail]:
    """Return one detail for each place. A value that may have several types has one message for each of them.

    ``below``: the pointer to the validated document in the body.
    """
    if any(fault["type"] == "json_invalid" for fault in faults):  # its position is in text that we wrote
        return list(islice(_lone_surrogates(document, below), MAX_ERRORS)) or [
            ErrorDetail(pointer=below, detail=NO_JSON)
        ]
    messages: dict[str, list[str]] = {}
    for fault in faults:
        at_place = messages.setdefault(_pointer(fault, document, below), [])
        if (message := _message(fault)) not in at_place:
            at_place.append(message)
    return [ErrorDetail(pointer=pointer, detail=", or ".join(each)) for pointer, each in messages.items()]


def _lone_surrogates(node: Any, pointer: str) -> Iterator[ErrorDetail]:
    """Yield the strings and keys that JSON can write, but that no UTF-8 holds."""
    if isinstance(node, dict):
        for name, inner in node.items():
            below = step_below(pointer, name)
            yield from [ErrorDetail(pointer=below, detail=LONE_SURROGATE)] if SURROGATE.search(name) else ()
            yield from _lone_surrogates(inner, below)
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _lone_surrogates(inner, step_below(pointer, index))
    elif isinstance(node, str) and SURROGATE.search(node):
        yield ErrorDetail(pointer=pointer, detail=LONE_SURROGATE)


def _pointer(fault: Any, document: Any, pointer: str) -> str:
    """Return the pointer into the body. A step that does not exist there is a missing key, or names a type."""
    node = document
    for step in fault["loc"]:
        exists = step in node if isinstance(node, dict) else isinstance(node, list) and isinstance(step, int)
        is_missing = isinstance(node, dict) and KNOWN_KEY.fullmatch(str(step))
        node = node[step] if exists else None
        if exists or is_missing:
            pointer = step_below(pointer, step)
    return pointer


def step_below(pointer: str, step: str | int) -> str:
    """Return the pointer to a member or an entry, cut at a bound: the caller's own keys may be as long as the body."""
    text = str(step)[:MAX_POINTER].replace("~", "~0").replace("/", "~1")
    return f"{pointer}/{text.encode('utf-8', 'backslashreplace').decode()}"[:MAX_POINTER]


def _message(fault: Mapping[str, Any]) -> str:
    if fault["loc"] == ("request_id",) and fault["type"] == "missing":
        return "is required, here or as the Idempotency-Key header"
    if message := MESSAGES.get(fault["type"]):
        return message.format(**fault["ctx"]) if "ctx" in fault else message
    return str(fault["msg"]).removeprefix("Value error, ")


def invalid(*errors: ErrorDetail) -> NoReturn:
    """Raise ``Rejected`` (INVALID_REQUEST) with the first details.

    Call it outside of any ``except``: an exception keeps the one that it was raised in, and so every fault of the body.
    """
    errors = errors[:MAX_ERRORS]
    faults = "; ".join(f"{each.pointer or 'the body'}: {each.detail}" for each in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    raise Rejected(ProblemType.INVALID_REQUEST, f"{faults}{more}.", errors=errors)
