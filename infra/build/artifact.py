"""Builds the one artifact that every Lambda function ships: ``python -m infra.build.artifact arm64 <folder>``.

    requirements.txt ── install ── trim ── compile ──┐  (kept in .local/build, by the content of all that goes in)
    provisioner, blueprints, sources ── compile ─────┴── the folder that SAM zips
                               └── check against fixtures

SAM asks once for every function. The slow half is made once and copied; the same content always gives the same
files, so SAM uploads one zip for all of them.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.build.bytecode import compile_tree
from infra.build.dependencies import ARCHITECTURES, CannotInstall, install
from infra.build.sources import Unmapped, check
from infra.build.trim import Stale, trim

PROJECT = Path(__file__).resolve().parents[2]
FUNCTIONS = PROJECT / "functions"
REQUIREMENTS = FUNCTIONS / "requirements.txt"
CACHE = PROJECT / ".local" / "build"
SHIPPED_FOLDERS = ("provisioner", "blueprints", "sources")
"""The folders of functions/ that an artifact holds, where they exist."""

LEFT_OUT = ("__pycache__", ".*", "fixtures")
"""What of them it does not hold."""


def build(architecture: str, target: Path) -> None:
    """Fills ``target`` (emptied first) with dependencies and our own code, compiled, for ``arm64`` or ``x86_64``."""
    check(FUNCTIONS / "sources")
    name = f"{architecture}-{fingerprint(architecture)}"
    dependencies = cached(CACHE, name, lambda folder: vendor(architecture, folder))
    forget(CACHE, architecture, name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(dependencies, target)
    for name in SHIPPED_FOLDERS:
        if (FUNCTIONS / name).is_dir():
            shutil.copytree(FUNCTIONS / name, target / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
            compile_tree(target / name, target)


def vendor(architecture: str, folder: Path) -> None:
    """Installs the locked dependencies into the folder, cut down to what runs, and compiled."""
    install(REQUIREMENTS, architecture, folder)
    trim(folder)
    compile_tree(folder, folder)


def fingerprint(architecture: str) -> str:
    """Names all that decides what the dependencies look like: 16 hex digits."""
    digest = hashlib.sha256(f"{architecture} {sys.version}".encode())
    for path in [REQUIREMENTS, *sorted(Path(__file__).parent.glob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cached(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, made when it is missing. A folder under its own name is always complete.

    Two builds at once may both make it; the first to finish wins, and the second throws its own away.
    """
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="unfinished-") as unfinished:
        made = Path(unfinished) / name
        made.mkdir()
        make(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def forget(cache: Path, architecture: str, current: str) -> None:
    """Removes what earlier requirements or build scripts left behind for this architecture."""
    for folder in cache.glob(f"{architecture}-*"):
        if folder.name != current:
            shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in ARCHITECTURES or not arguments[1]:
        print(f"usage: python -m infra.build.artifact {'|'.join(ARCHITECTURES)} <folder>", file=sys.stderr)
        return 2
    if sys.version_info[:2] != (3, 13):
        this = f"{sys.version.split()[0]} at {sys.executable}"
        print(f"the artifact is compiled for Python 3.13, but this is {this}", file=sys.stderr)
        return 2
    os.umask(0o022)  # Lambda runs the code as another user, who must be able to read it
    try:
        build(arguments[0], Path(arguments[1]).resolve())
    except (CannotInstall, Stale, Unmapped) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
