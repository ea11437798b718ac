"""Reduces botocore's data to the services that the functions call.

The functions read the models of 4 services out of 440. For each client, botocore lists the data folder and parses
``endpoints.json`` (1.25 MB, all services of all partitions). Less data makes cold starts faster, and the zip smaller.
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
    "sns": ("Publish", "PublishBatch"),
    "sqs": ("ChangeMessageVisibility", "SendMessage"),
}
"""The operations that the functions call, by service; a test compares them with the source. A client gets a method for
each operation of its model, so that unused ones cost time."""

OPERATOR_OPERATIONS = {
    "dynamodb": ("DeleteItem",),
    "secretsmanager": ("ListSecrets",),
    "sqs": ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage"),
}
"""Those that only the operator's function calls. Its models are a set of their own: a cold start of the others costs no
more for them (1 ms of CPU)."""

OPERATOR_MODELS = "operator-models"
"""The folder of that set, beside ``botocore/data``. It holds models only; endpoint rules are those of the others."""

SERVICES = tuple(OPERATIONS)
"""Every service that the functions make a client for; a test compares them with the source."""

KEPT_FILES = ("endpoint-rule-set-1", "paginators-1", "service-2", "service-2.sdk-extras")
"""The files that a client is made from, without suffix. Examples and waiters are not among them."""


def cut_data(data: Path) -> None:
    """Reduce the folder ``botocore/data`` in place. All partitions stay, so that the artifact runs in every region."""
    for service in sorted(path for path in data.iterdir() if path.is_dir()):
        if service.name in SERVICES:
            if service.name in OPERATOR_OPERATIONS:
                write_operator_model(service)
            cut_service(service)
        else:
            shutil.rmtree(service)
    rewrite(data / "endpoints.json", cut_endpoints)


def write_operator_model(service: Path) -> None:
    """Write the model that the operator's function reads, before the service is cut."""
    newest = max(path for path in service.iterdir() if path.is_dir())
    [source] = newest.glob("service-2.json*")
    read = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    model = only((*OPERATIONS[service.name], *OPERATOR_OPERATIONS[service.name]), json.loads(read))
    target = service.parent.parent / OPERATOR_MODELS / service.name / newest.name / "service-2.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(without_documentation(model), separators=(",", ":")), encoding="utf-8")


def cut_service(service: Path) -> None:
    """Keep the newest version of the API, without documentation, and unzipped, since the artifact itself is zipped."""
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
    """Replace a gzip file by its content, and return the new path."""
    if path.suffix != ".gz":
        return path
    plain = path.with_suffix("")
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    return plain


def only(operations: Collection[str], model: dict[str, Any]) -> dict[str, Any]:
    """Return the model with these operations and the shapes that they use, errors included."""
    kept = {name: operation for name, operation in model["operations"].items() if name in operations}
    reached: set[str] = set()
    ahead = names_of_shapes(kept)
    while ahead:
        reached |= ahead
        ahead = names_of_shapes([model["shapes"][name] for name in ahead]) - reached
    shapes = {name: shape for name, shape in model["shapes"].items() if name in reached}
    return model | {"operations": kept, "shapes": shapes}


def names_of_shapes(part: Any) -> set[str]:
    """Return every shape that a part of a model refers to: ``{"shape": <its name>}``, at any depth."""
    if isinstance(part, list):
        return set().union(*map(names_of_shapes, part))
    if not isinstance(part, dict):
        return set()
    own = {part["shape"]} if isinstance(part.get("shape"), str) else set()
    return own.union(*map(names_of_shapes, part.values()))


def cut_endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Return the same partitions and regions, with the endpoints of our services only."""
    return endpoints | {
        "partitions": [
            partition | {"services": {name: value for name, value in partition["services"].items() if name in SERVICES}}
            for partition in endpoints["partitions"]
        ]
    }


def without_documentation(model: Any) -> Any:
    """Return the model without ``documentation`` strings, four fifths of it. A member of that name (a dict) stays."""
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
    """Change a JSON file in place, and write it without spaces."""
    content = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
