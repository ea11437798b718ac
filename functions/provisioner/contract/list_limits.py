"""Bound a body before it is validated: pydantic reports every fault of every entry, of which a body may have 100,000.

too many items or unknown keys ──► refused here, with the first faults only
null, and values of a wrong kind ──► left out, and emptied: only what the models have is validated
large ──► its parts are validated in turn, until enough of them are faulty
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from pydantic import TypeAdapter, ValidationError

from provisioner.contract.errors import ErrorDetail
from provisioner.contract.faults import MAX_ERRORS, TOO_LONG, UNKNOWN_KEY, details, step_below
from provisioner.contract.request import ProvisioningRequest, Value
from provisioner.contract.spec import MAX_FIELDS, MAX_TYPES, CustomObjectTypeSpec, FieldSpec
from provisioner.contract.strict_model import StrictModel

MAX_ITEMS = {
    "custom_object_types": MAX_TYPES,
    "fields": MAX_FIELDS,
    "choices": 500,
    "editable_with_roles": 100,
    "values": 100,
}
"""The bounds of the models, by key. A test compares them."""

MAX_VALUE_ITEMS = 500
LARGE = 1000  # entries of a body that is validated in parts; each may have two or three faults
RUN = 500  # entries that are validated at once

MODELS: Mapping[str, type[StrictModel]] = {
    "custom_object_type": CustomObjectTypeSpec,
    "custom_object_types": CustomObjectTypeSpec,
    "fields": FieldSpec,
}
"""The model of the object, or of each object of the list, under that key."""


def excess(document: Mapping[str, Any]) -> list[ErrorDetail]:
    """Return the lists that are too long, and the unknown keys if they are too many to validate."""
    return [*islice(_excess(document, "", ProvisioningRequest), MAX_ERRORS)]


def _excess(node: Mapping[str, Any], pointer: str, model: type[StrictModel]) -> Iterator[ErrorDetail]:
    known = model.model_fields
    if len(node) > MAX_ERRORS and len(unknown := [name for name in node if name not in known]) > MAX_ERRORS:
        for name in unknown[:MAX_ERRORS]:
            yield ErrorDetail(pointer=step_below(pointer, name), detail=UNKNOWN_KEY)
    for name, value in node.items():
        if not isinstance(value, list | dict) or name not in known:
            continue
        most = MAX_ITEMS.get(name)
        below = f"{pointer}/{name}"
        if most and len(value) > most:
            yield _too_long(below, most)
        elif name == "values" and isinstance(value, dict):
            yield from _long_values(value)
        elif name in MODELS:
            for place, each in _objects(value, below):
                yield from _excess(each, place, MODELS[name])


def _long_values(values: Mapping[str, Any]) -> Iterator[ErrorDetail]:
    for name, value in values.items():
        if isinstance(value, list) and len(value) > MAX_VALUE_ITEMS:
            yield _too_long(step_below("/values", name), MAX_VALUE_ITEMS)


def _too_long(pointer: str, most: int) -> ErrorDetail:
    return ErrorDetail(pointer=pointer, detail=TOO_LONG.format(max_length=most))


def _objects(value: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the object at a place, or the objects of the list there, with their pointers."""
    if isinstance(value, dict):
        yield pointer, value
    elif isinstance(value, list):
        yield from ((f"{pointer}/{index}", each) for index, each in enumerate(value) if isinstance(each, dict))


def pruned(node: Mapping[str, Any], model: type[StrictModel] = ProvisioningRequest) -> dict[str, Any]:
    """Return the object without the keys of the model that are null, which means left out.

    A list or object where the model has none is emptied, which has the same fault.
    """
    known = model.model_fields
    return {
        name: _pruned(name, value) if name in known else True
        for name, value in node.items()
        if value is not None or name not in known
    }


def _pruned(name: str, value: Any) -> Any:
    if name == "values" and isinstance(value, dict):
        return {key: _items(each) for key, each in value.items() if each is not None}
    if name not in MAX_ITEMS and name not in MODELS:
        return _emptied(value)
    if isinstance(value, dict) and name == "custom_object_type":
        return pruned(value, MODELS[name])
    if isinstance(value, list) and name in MODELS:
        return [pruned(each, MODELS[name]) if isinstance(each, dict) else _emptied(each) for each in value]
    return _items(value) if name in MAX_ITEMS else _emptied(value)


def _items(value: Any) -> Any:
    return [_emptied(each) for each in value] if isinstance(value, list) else _emptied(value)


def _emptied(value: Any) -> Any:
    return type(value)() if isinstance(value, list | dict) else value


def faults_of_parts(document: Mapping[str, Any]) -> list[ErrorDetail]:
    """Return the first faults of the fields and values of a large document, which is pruned."""
    return [*islice(_faults_of_parts(document), MAX_ERRORS)]


def _faults_of_parts(document: Mapping[str, Any]) -> Iterator[ErrorDetail]:
    if isinstance(values := document.get("values"), dict):
        for name, value in values.items():
            yield from _faults(Value, value, step_below("/values", name))
    for key in ("custom_object_type", "custom_object_types"):
        for pointer, each in _objects(document.get(key), f"/{key}"):
            if isinstance(fields := each.get("fields"), list):
                for start, end in _runs(fields):
                    yield from _faults(list[FieldSpec], fields, f"{pointer}/fields", start, end)


def _runs(fields: list[Any]) -> Iterator[tuple[int, int]]:
    """Yield the bounds of runs of fields that are small enough to validate at once."""
    start = size = 0
    for index, field in enumerate(fields, 1):
        values = field.values() if isinstance(field, dict) else ()
        size += 1 + sum(len(each) if isinstance(each, list) else 1 for each in values)
        if size >= RUN:
            yield start, index
            start, size = index, 0
    yield start, len(fields)


def _faults(kind: Any, part: Any, pointer: str, start: int = 0, end: int | None = None) -> list[ErrorDetail]:
    """Return the faults of a part, or of a run of its entries."""
    try:
        _adapter(kind).validate_json(json.dumps(part if end is None else part[start:end]), strict=True)
    except ValidationError as error:
        faults: list[Any] = [*error.errors(include_input=False, include_url=False)]
    else:
        return []
    if end is not None:
        faults = [_at(start, each) for each in faults]
    return details(faults, part, pointer)


def _at(start: int, fault: Any) -> Any:
    """Return the fault of a run with its place in the whole list."""
    if not fault["loc"]:  # of the run as a text
        return fault
    index, *below = fault["loc"]
    return {**fault, "loc": (start + index, *below)}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
