"""Blueprints: named specs kept with the code, one TOML file each, with placeholders.

    description = "A minimal account"

    [values.name]                        # ${name} may occur in names, descriptions and choices
    description = "The name of the type"
    default = "Account"                  # without a default, the value is required

    [[custom_object_types]]
    name = "${name}"
    …

A choice that consists of one placeholder accepts a list, and becomes one choice for each entry.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import Field, ValidationError, field_validator

from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected
from provisioner.contract.faults import step_below
from provisioner.contract.request import ProvisioningRequest, Value
from provisioner.contract.spec import CustomObjectTypeSpec, Types, validate_combination
from provisioner.contract.strict_model import StrictModel

FOLDER = Path(__file__).resolve().parents[2] / "blueprints"
PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


class DeclaredValue(StrictModel):
    """One value of a blueprint."""

    description: str
    default: Value | None = None


class Blueprint(StrictModel):
    """A blueprint as its file defines it, with placeholders in its types."""

    description: str
    values: Mapping[str, DeclaredValue] = {}
    custom_object_types: Annotated[list[dict[str, Any]], Field(min_length=1)]

    @property
    def placeholders(self) -> set[str]:
        """The names of all placeholders in the types."""
        return set(PLACEHOLDER.findall(json.dumps(self.custom_object_types)))


class _Types(StrictModel):
    """The types of a blueprint after its placeholders are replaced."""

    custom_object_types: Types

    @field_validator("custom_object_types")
    @classmethod
    def _combine(cls, value: tuple[CustomObjectTypeSpec, ...]) -> tuple[CustomObjectTypeSpec, ...]:
        validate_combination(value)
        return value


def expand(request: ProvisioningRequest) -> ProvisioningRequest:
    """Return the request with the types of its blueprint. Without a blueprint, or if expanded, it is unchanged.

    Raises ``Rejected`` (INVALID_REQUEST) for an unknown blueprint, and for unknown, missing or invalid values.
    """
    if request.blueprint is None or request.types:
        return request
    try:
        blueprint = load(request.blueprint)
    except FileNotFoundError:
        _invalid("/blueprint", f"unknown blueprint; available: {', '.join(names()) or 'none'}")
    types = fill(blueprint, request.values or {})
    return ProvisioningRequest.model_validate(
        {**request.model_dump(mode="python", exclude_unset=True), "custom_object_types": types}
    )


def names() -> list[str]:
    """Return the names of all blueprints in the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def load(name: str) -> Blueprint:
    """Return the blueprint. Raises ``ValidationError`` or ``TOMLDecodeError`` for an invalid file."""
    return Blueprint.model_validate(tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")))


def fill(blueprint: Blueprint, values: Mapping[str, Any]) -> tuple[CustomObjectTypeSpec, ...]:
    """Return the blueprint's types with these values. Raises ``Rejected``, as ``expand`` does."""
    for name in sorted(values.keys() - blueprint.values.keys()):
        known = ", ".join(sorted(blueprint.values)) or "none"
        _invalid(step_below("/values", name), f"unknown value; the blueprint has: {known}")
    given = {name: values.get(name, declared.default) for name, declared in blueprint.values.items()}
    for name, value in given.items():
        if value is None:
            _invalid(step_below("/values", name), f"is required: {blueprint.values[name].description}")
    document = {"custom_object_types": _substitute(blueprint.custom_object_types, given)}
    try:
        return _Types.model_validate_json(json.dumps(document), strict=True).custom_object_types
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "/".join(map(str, first["loc"]))
        _invalid("/values", f"do not give valid types: {where}: {str(first['msg']).removeprefix('Value error, ')}")


def _substitute(node: Any, values: Mapping[str, Any]) -> Any:
    """Return the JSON value with its placeholders replaced."""
    if isinstance(node, dict):
        return {key: _substitute(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [each for item in node for each in _list_items(item, values)]
    return _substitute_string(node, values) if isinstance(node, str) else node


def _list_items(item: Any, values: Mapping[str, Any]) -> list[Any]:
    """Return the item, or the entries of the list that its placeholder stands for."""
    whole = PLACEHOLDER.fullmatch(item) if isinstance(item, str) else None
    if whole and not isinstance(values.get(whole[1]), str):
        return list(values.get(whole[1], ()))
    return [_substitute(item, values)]


def _substitute_string(text: str, values: Mapping[str, Any]) -> str:
    def value(found: re.Match[str]) -> str:
        each = values[found[1]]
        if not isinstance(each, str):
            _invalid(step_below("/values", found[1]), "must be a string here; a list is allowed only for choices")
        return each

    return PLACEHOLDER.sub(value, text)


def _invalid(pointer: str, detail: str) -> NoReturn:
    raise Rejected(
        ProblemType.INVALID_REQUEST, f"{pointer}: {detail}.", errors=(ErrorDetail(pointer=pointer, detail=detail),)
    )
