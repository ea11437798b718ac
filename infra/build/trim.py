"""Removes files of the installed dependencies that no function reads.

It removes data, tests, command-line scripts and files of the installer, each for a stated reason. The code of packages
and their licenses stay.
"""

import shutil
from email.parser import HeaderParser
from pathlib import Path

from infra.build.botocore_data import cut_data

METADATA_HEADERS = ("Metadata-Version", "Name", "Version")
"""The headers that ``importlib.metadata.version(name)`` needs."""

INSTALLER_FILES = ("INSTALLER", "RECORD", "REQUESTED", "WHEEL", "direct_url.json", "top_level.txt", "zip-safe", "sboms")
"""Files and folders of a dist-info folder that only installers read."""

LEFT_BY_INSTALLERS = ("bin", "share", ".lock")
"""Command-line scripts, manual pages and a lock file of uv. They depend on the installer."""

UNREAD = (
    "boto3/data",  # boto3.resource(); the functions use clients
    "boto3/examples",  # documentation
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui-bundle.min.js",  # the Swagger page, never served
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui.min.css",
    "botocore/cacert.pem",  # botocore uses certifi's, which is installed
    "dateutil/zoneinfo/dateutil-zoneinfo.tar.gz",  # time zones by name, which no function uses
)
"""Data that no function reads."""


class Stale(RuntimeError):
    """A package no longer has a file that a rule removes: its layout has changed."""


def trim(folder: Path) -> None:
    """Remove the unread files of the packages in that folder. Raises ``Stale``."""
    for name in UNREAD:
        if not (folder / name).exists():
            raise Stale(
                f"{name} does not exist any more. Find where its content is now, and change UNREAD in {__file__}."
            )
    for name in (*UNREAD, *LEFT_BY_INSTALLERS):
        remove(folder / name)
    for pattern in ("**/__pycache__", "**/*.pyi", "**/py.typed", "*/tests"):
        for path in sorted(folder.glob(pattern)):
            remove(path)
    for dist_info in sorted(folder.glob("*.dist-info")):
        trim_dist_info(dist_info)
    cut_data(folder / "botocore" / "data")


def trim_dist_info(dist_info: Path) -> None:
    """Keep the name, the version, entry points and licenses."""
    for name in INSTALLER_FILES:
        remove(dist_info / name)
    metadata = dist_info / "METADATA"
    headers = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
    metadata.write_text("".join(f"{name}: {headers[name]}\n" for name in METADATA_HEADERS), encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
