"""The folders that are measured: the artifact that every function ships, and a plain installation beside it."""

import hashlib
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from infra.build.artifact import PROJECT, REQUIREMENTS, build, cached
from infra.build.bytecode import compile_tree
from infra.build.dependencies import install

KEPT = PROJECT / ".local" / "bench"
BASELINE = Path(__file__).parent / "baseline_handler.py"


@dataclass(frozen=True, slots=True)
class Installations:
    """``artifact``: what `sam build` makes, for this machine's processor. ``plain``: the same requirements, installed
    and no more, with the baseline handler. ``compiled``: that, with byte code.
    """

    artifact: Path
    plain: Path
    compiled: Path


def make() -> Installations:
    """Make the installations that .local/bench lacks, and always the artifact."""
    artifact = KEPT / "artifact"
    build(_architecture(), artifact)
    return Installations(artifact, plain(), compiled())


def plain() -> Path:
    """The same requirements as the functions', installed, with the baseline handler."""

    def make_plain(folder: Path) -> None:
        install(REQUIREMENTS, _architecture(), folder)
        shutil.copy(BASELINE, folder)

    return cached(KEPT, f"plain-{_content()}", make_plain)


def compiled() -> Path:
    """That, with byte code."""

    def make_compiled(folder: Path) -> None:
        shutil.copytree(plain(), folder, dirs_exist_ok=True)
        compile_tree(folder, folder)

    return cached(KEPT, f"compiled-{_content()}", make_compiled)


def _content() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes() + BASELINE.read_bytes()).hexdigest()[:16]


def _architecture() -> str:
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
