"""The desired types of a request: from a file in TOML, YAML or JSON, or from a blueprint of the deployed version."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from close_provisioner.errors import Misused

PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")
TYPES = ("custom_object_type", "custom_object_types", "blueprint")
FORMS = "TOML, YAML or JSON"

type Parser = Callable[[str], Any]
type Values = Mapping[str, str | list[str]]


def parse_values(given: Sequence[str]) -> dict[str, str | list[str]]:
    """Return ``k=v`` pairs as a mapping. A name that is given more than once is a list."""
    values: dict[str, str | list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Misused(f"--value {each!r} is not NAME=VALUE.")
        before = values.get(name)
        values[name] = value if before is None else [*([before] if isinstance(before, str) else before), value]
    return values


def of_blueprint(name: str, values: Values) -> dict[str, Any]:
    """Return the body of a request for a blueprint that the stack knows."""
    return {"blueprint": name, **({"values": dict(values)} if values else {})}


def of_file(path: Path | None, text: str, values: Values) -> dict[str, Any]:
    """Return the body of a request from a file's text. ``path``: None for standard input, whose form is found out.

    A file of functions/blueprints is filled with the values, so that a blueprint can be tried before it is deployed.
    """
    document = _parsed(path, text)
    if not any(name in document for name in TYPES):
        raise Misused(f"{_name(path)} names no types: it must have one of {', '.join(TYPES)}.")
    declared = document.get("values")
    if isinstance(declared, dict) and "blueprint" not in document:
        return {"custom_object_types": _filled(document["custom_object_types"], declared, values)}
    if "blueprint" in document and values:
        return {**document, "values": {**document.get("values", {}), **values}}
    if values:
        raise Misused(f"--value is for blueprints, and {_name(path)} is not one.")
    return {key: value for key, value in document.items() if key != "description" or "blueprint" in document}


def _parsed(path: Path | None, text: str) -> dict[str, Any]:
    suffix = path.suffix.lower() if path else ""
    parsers: dict[str, Parser] = {
        ".json": json.loads,
        ".toml": tomllib.loads,
        ".yaml": yaml.safe_load,
        ".yml": yaml.safe_load,
    }
    if suffix and suffix not in parsers:
        raise Misused(f"{path} ends in {suffix}: {FORMS} is read (.toml, .yaml, .yml, .json).")
    tried: list[Parser] = [parsers[suffix]] if suffix else [json.loads, tomllib.loads, yaml.safe_load]
    for parse in tried:
        try:
            document = parse(text)
        except (ValueError, yaml.YAMLError) as error:
            fault = error
            continue
        if isinstance(document, dict):
            return document
        raise Misused(f"{_name(path)} is not a table of keys and values.")
    raise Misused(f"{_name(path)} is not valid {suffix.lstrip('.').upper() or FORMS}: {' '.join(str(fault).split())}")


def _filled(types: Any, declared: Mapping[str, Any], values: Values) -> Any:
    """Return the types of a blueprint's file with its placeholders replaced."""
    unknown = sorted(values.keys() - declared.keys())
    if unknown:
        raise Misused(f"The blueprint has no value {unknown[0]!r}; it has: {', '.join(sorted(declared))}.")
    given = {name: values.get(name, about.get("default")) for name, about in declared.items()}
    for name, value in given.items():
        if value is None:
            raise Misused(f"The blueprint needs --value {name}=…: {declared[name].get('description', '')}")
    return _substituted(types, given)


def _substituted(node: Any, given: Mapping[str, Any]) -> Any:
    match node:
        case dict():
            return {key: _substituted(value, given) for key, value in node.items()}
        case list():
            return [each for item in node for each in _entries(item, given)]
        case str():
            return PLACEHOLDER.sub(lambda found: _text(found[1], given), node)
    return node


def _entries(item: Any, given: Mapping[str, Any]) -> list[Any]:
    whole = PLACEHOLDER.fullmatch(item) if isinstance(item, str) else None
    if whole and isinstance(given.get(whole[1]), list):
        return list(given[whole[1]])
    return [_substituted(item, given)]


def _text(name: str, given: Mapping[str, Any]) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise Misused(f"The value {name!r} must be one string here; several are allowed only for choices.")
    return value


def _name(path: Path | None) -> str:
    return str(path) if path else "standard input"
