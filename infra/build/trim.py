"""Takes out of the installed dependencies what no function ever reads.

Every rule says what it removes and why that is safe. A package's own code is never touched, only data, tests,
command-line scripts and the installer's notes; license texts stay.
"""

import shutil
from email.parser import HeaderParser
from pathlib import Path

from infra.build.botocore_data import cut_data

METADATA_HEADERS = ("Metadata-Version", "Name", "Version")
"""What ``importlib.metadata`` needs to answer ``version(name)``."""

INSTALLER_NOTES = ("INSTALLER", "RECORD", "REQUESTED", "WHEEL", "direct_url.json", "top_level.txt", "zip-safe", "sboms")
"""Files and folders of a dist-info folder that only installers read."""

LEFT_BY_INSTALLERS = ("bin", "share", ".lock")
"""Command-line scripts, manual pages, and uv's own; which of them there are depends on the installer."""

UNREAD = (
    "boto3/data",  # boto3.resource(); the functions use clients
    "boto3/examples",  # documentation
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui-bundle.min.js",  # the Swagger page, never served
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui.min.css",
    "botocore/cacert.pem",  # botocore takes certifi's, where that is installed
    "dateutil/zoneinfo/dateutil-zoneinfo.tar.gz",  # time zones by name, of which there are none here
)
"""Data that no function reads."""


class Stale(RuntimeError):
    """A package is no longer laid out as it was when its rule was written."""


def trim(folder: Path) -> None:
    """Cuts the installed packages in that folder down in place. Raises ``Stale``."""
    for name in UNREAD:
        if not (folder / name).exists():
            raise Stale(f"{name} is not there any more: look where its content went, and mend the list in {__file__}")
    for name in (*UNREAD, *LEFT_BY_INSTALLERS):
        remove(folder / name)
    for pattern in ("**/__pycache__", "**/*.pyi", "**/py.typed", "*/tests"):
        for path in sorted(folder.glob(pattern)):
            remove(path)
    for dist_info in sorted(folder.glob("*.dist-info")):
        trim_dist_info(dist_info)
    cut_data(folder / "botocore" / "data")


def trim_dist_info(dist_info: Path) -> None:
    """Leaves the name, the version, entry points and licenses."""
    for name in INSTALLER_NOTES:
        remove(dist_info / name)
    metadata = dist_info / "METADATA"
    headers = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
    metadata.write_text("".join(f"{name}: {headers[name]}\n" for name in METADATA_HEADERS), encoding="utf-8")


def remove(path: Path) -> None:
    """Removes a file or a folder; nothing happens when it is not there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
