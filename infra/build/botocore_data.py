"""Cuts botocore's data down to the services that the functions call.

Of 440 services' models a function reads four. botocore lists the data folder and parses ``endpoints.json`` (1.25 MB, all services of
all partitions) whenever a client is made, so the cut shows in the time of a cold start and not only in the size of the zip.
"""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

SERVICES = ("dynamodb", "secretsmanager", "sns", "sqs")
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
        if name not in KEPT_FILES:
            path.unlink()
            continue
        if path.suffix == ".gz":
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
            path = path.with_suffix("")
        if name == "service-2":
            rewrite(path, without_documentation)


def cut_endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    """The same partitions and regions, with the endpoints of our services only."""
    return endpoints | {
        "partitions": [
            partition
            | {"services": {name: partition["services"][name] for name in SERVICES if name in partition["services"]}}
            for partition in endpoints["partitions"]
        ]
    }


def without_documentation(model: Any) -> Any:
    """The model without its ``documentation`` texts: three quarters of it. A member of that name (a dict) stays."""
    if isinstance(model, dict):
        return {
            key: without_documentation(value)
            for key, value in model.items()
            if not (key == "documentation" and isinstance(value, str))
        }
    if isinstance(model, list):
        return [without_documentation(item) for item in model]
    return model


def rewrite(path: Path, change: Any) -> None:
    content = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(content, separators=(",", ":"), sort_keys=False), encoding="utf-8")
