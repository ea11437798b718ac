"""Builds the one artifact that every Lambda function ships: ``python -m infra.build.artifact arm64 <folder>``.

    requirements.txt ── install ── trim, lay out roots, compile ──┐  (kept in .local/build)
    provisioner, blueprints, sources ── compile, precompile ──────┴── the folder that SAM zips
                               └── check against fixtures

SAM runs the build once for each function. The dependencies are installed once and copied. The same inputs always give
the same files, so that SAM uploads one zip for all functions.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.build.bytecode import compile_tree
from infra.build.dependencies import ARCHITECTURES, InstallError, install
from infra.build.precompile import precompile
from infra.build.roots import lay_out_roots
from infra.build.sources import Unmapped, check
from infra.build.trim import Stale, trim

PROJECT = Path(__file__).resolve().parents[2]
FUNCTIONS = PROJECT / "functions"
REQUIREMENTS = FUNCTIONS / "requirements.txt"
CACHE = PROJECT / ".local" / "build"
SHIPPED_FOLDERS = ("provisioner", "blueprints", "sources")
"""The folders of functions/ that an artifact holds, where they exist."""

OMITTED = ("__pycache__", ".*")
"""Patterns of files in them that it does not hold."""


def build(architecture: str, target: Path) -> None:
    """Fill ``target`` (emptied first) with compiled dependencies and our own code, for ``arm64`` or ``x86_64``."""
    check(FUNCTIONS / "sources")
    name = f"{architecture}-{fingerprint(architecture)}"
    dependencies = cached(CACHE, name, lambda folder: vendor(architecture, folder))
    forget(CACHE, architecture, name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(dependencies, target)
    for name in SHIPPED_FOLDERS:
        if (FUNCTIONS / name).is_dir():
            shutil.copytree(FUNCTIONS / name, target / name, ignore=shutil.ignore_patterns(*OMITTED))
            compile_tree(target / name, target)
    precompile(target / "provisioner" / "precompiled.bin")


def vendor(architecture: str, folder: Path) -> None:
    """Install the locked dependencies into the folder, remove what no function reads, and prepare the rest."""
    install(REQUIREMENTS, architecture, folder)
    trim(folder)
    lay_out_roots(folder / "certifi")
    compile_tree(folder, folder)


def fingerprint(architecture: str) -> str:
    """Return a digest of everything that the dependencies are made from: 16 hex digits."""
    digest = hashlib.sha256(f"{architecture} {sys.version}".encode())
    for path in [REQUIREMENTS, *sorted(Path(__file__).parent.glob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cached(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of that name, made if it is missing. A folder under its final name is always complete.

    If two builds make it at the same time, the second to finish discards its own.
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
    """Remove folders of this architecture that other requirements or build scripts made."""
    for folder in cache.glob(f"{architecture}-*"):
        if folder.name != current:
            shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in ARCHITECTURES or not arguments[1]:
        print(f"usage: python -m infra.build.artifact {'|'.join(ARCHITECTURES)} <folder>", file=sys.stderr)
        return 2
    if sys.version_info[:2] != (3, 13):
        this = f"{sys.version.split()[0]} at {sys.executable}"
        print(f"The artifact must be compiled by Python 3.13. This is {this}. Run `make install`.", file=sys.stderr)
        return 2
    os.umask(0o022)  # Lambda runs the code as another user, who must be able to read it
    try:
        build(arguments[0], Path(arguments[1]).resolve())
    except (InstallError, Stale, Unmapped) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
