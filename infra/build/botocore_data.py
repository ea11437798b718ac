"""Cuts botocore's data down to the services that the functions call.

Of 440 services' models the functions read four. botocore lists the data folder and parses ``endpoints.json`` (1.25 MB,
all services of all partitions) whenever a client is made, so the cut shows in the time of a cold start and not only in
the size of the zip.
"""

import gzip
import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

OPERATIONS = {
    "dynamodb": ("GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"),
    "secretsmanager": ("GetSecretValue",),
    "sns": ("Publish",),
    "sqs": ("ChangeMessageVisibility", "SendMessage"),
}
"""What the functions call, by service; a test holds this against their source. A client that is made gets a method for
each operation in its model, called or not."""

SERVICES = tuple(OPERATIONS)
"""Every service that the functions make a client for; a test holds this against their source."""

KEPT_FILES = ("endpoint-rule-set-1", "paginators-1", "service-2", "service-2.sdk-extras")
"""What a client is made from, without suffix. Not needed: examples, waiters."""


def cut_data(data: Path) -> None:
    """Cuts the folder ``botocore/data`` in place. Partitions all stay, so the artifact runs wherever AWS does."""
    for service in sorted(path for path in data.iterdir() if path.is_dir()):
        if service.name in SERVICES:
            cut_service(service)
        else:
            shutil.rmtree(service)
    rewrite(data / "endpoints.json", cut_endpoints)


def cut_service(service: Path) -> None:
    """Leaves the newest version of the API, unzipped (the artifact is zipped once already), without documentation."""
    *older, newest = sorted(path for path in service.iterdir() if path.is_dir())
    for version in older:
        shutil.rmtree(version)
    for path in sorted(newest.iterdir()):
        name = path.name.removesuffix(".gz").removesuffix(".json")
        if name == "service-2":
            rewrite(unzipped(path), lambda model: without_documentation(only(OPERATIONS[service.name], model)))
        elif name in KEPT_FILES:
            rewrite(unzipped(path), without_documentation)
        else:
            path.unlink()


def unzipped(path: Path) -> Path:
    """The same file without gzip, in place of the old one."""
    if path.suffix != ".gz":
        return path
    plain = path.with_suffix("")
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    return plain


def only(operations: Collection[str], model: dict[str, Any]) -> dict[str, Any]:
    """The model with these operations, and the shapes that they reach: their errors among them."""
    kept = {name: operation for name, operation in model["operations"].items() if name in operations}
    reached: set[str] = set()
    ahead = names_of_shapes(kept)
    while ahead:
        reached |= ahead
        ahead = names_of_shapes([model["shapes"][name] for name in ahead]) - reached
    shapes = {name: shape for name, shape in model["shapes"].items() if name in reached}
    return model | {"operations": kept, "shapes": shapes}


def names_of_shapes(part: Any) -> set[str]:
    """Every shape that a part of a model refers to: ``{"shape": <its name>}``, at any depth."""
    if isinstance(part, list):
        return set().union(*map(names_of_shapes, part))
    if not isinstance(part, dict):
        return set()
    own = {part["shape"]} if isinstance(part.get("shape"), str) else set()
    return own.union(*map(names_of_shapes, part.values()))


def cut_endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    """The same partitions and regions, with the endpoints of our services only."""
    return endpoints | {
        "partitions": [
            partition | {"services": {name: value for name, value in partition["services"].items() if name in SERVICES}}
            for partition in endpoints["partitions"]
        ]
    }


def without_documentation(model: Any) -> Any:
    """Without ``documentation`` texts, four fifths of a service's model. A member of that name (a dict) stays."""
    if isinstance(model, dict):
        return {
            key: without_documentation(value)
            for key, value in model.items()
            if not (key == "documentation" and isinstance(value, str))
        }
    if isinstance(model, list):
        return [without_documentation(item) for item in model]
    return model


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    """Puts the changed content of a JSON file in its place, without spaces."""
    content = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
