"""A request judged by AWS's own model of the operation: types, required members, lengths, patterns, allowed values."""

import re
from collections.abc import Iterator
from typing import Any

from botocore.validate import ParamValidator

from tests.strict_aws.call import Call


def model_faults(call: Call) -> Iterator[str]:
    """Yield what AWS would reject as a malformed request. botocore itself checks types and required members only."""
    shape = call.model.input_shape
    report = ParamValidator().validate(call.parameters, shape)
    if report.has_errors():
        yield report.generate_report()
    yield from _faults(shape, call.parameters, "")


def _faults(shape: Any, value: Any, where: str) -> Iterator[str]:
    for member, each, name in _members(shape, value):
        yield from _faults(member, each, f"{where}{name}")
    if isinstance(value, str | list):
        yield from _length(shape, len(value), where)
    if isinstance(value, str):
        yield from _text(shape, value, where)
    if isinstance(value, int) and value > shape.metadata.get("max", value):
        yield f"{where}: {value} is more than {shape.metadata['max']}"


def _members(shape: Any, value: Any) -> Iterator[tuple[Any, Any, str]]:
    match shape.type_name, value:
        case "structure", dict():
            yield from (
                (shape.members[name], each, f".{name}") for name, each in value.items() if name in shape.members
            )
        case "map", dict():
            yield from ((shape.key, name, f"[{name!r}]") for name in value)
            yield from ((shape.value, each, f".{name}") for name, each in value.items())
        case "list", list():
            yield from ((shape.member, each, f"[{index}]") for index, each in enumerate(value))


def _text(shape: Any, value: str, where: str) -> Iterator[str]:
    if getattr(shape, "enum", []) and value not in shape.enum:
        yield f"{where}: {value!r} is none of {shape.enum}"
    if (pattern := shape.metadata.get("pattern")) and not re.search(pattern, value):
        yield f"{where}: {value!r} does not match {pattern}"


def _length(shape: Any, length: int, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", length)
    if not least <= length <= most:
        yield f"{where}: its length {length} is not between {least} and {most}"
