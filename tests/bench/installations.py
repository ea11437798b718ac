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
AFTERNOON = Path(__file__).parent / "afternoon_handler.py"


@dataclass(frozen=True, slots=True)
class Installations:
    """``artifact``: what `sam build` makes, for this machine's processor. ``plain``: the same requirements, installed
    and no more, with the afternoon handler. ``compiled``: that, with byte code.
    """

    artifact: Path
    plain: Path
    compiled: Path


def make() -> Installations:
    """Makes what is missing below .local/bench; the artifact is always made anew."""
    architecture = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    artifact = KEPT / "artifact"
    build(architecture, artifact)
    content = hashlib.sha256(REQUIREMENTS.read_bytes() + AFTERNOON.read_bytes()).hexdigest()[:16]

    def make_plain(folder: Path) -> None:
        install(REQUIREMENTS, architecture, folder)
        shutil.copy(AFTERNOON, folder)

    plain = cached(KEPT, f"plain-{content}", make_plain)

    def make_compiled(folder: Path) -> None:
        shutil.copytree(plain, folder, dirs_exist_ok=True)
        compile_tree(folder, folder)

    return Installations(artifact, plain, cached(KEPT, f"compiled-{content}", make_compiled))
