"""The installed packages are those of the lock file, and no file names a package index."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.conftest import PROJECT

PINS = sorted((PROJECT / "infra" / "tools").glob("*.txt"))
REQUIREMENTS = PROJECT / "functions" / "requirements.txt"


def test_the_artifacts_requirements_are_the_locks() -> None:
    uv = PROJECT / ".tools" / "uv" / "bin" / "uv"
    given = "--frozen --offline --only-group functions --no-emit-project --no-header --format requirements-txt"
    command = f"{uv} export -q {given}"
    exported = subprocess.run(command.split(), cwd=PROJECT, check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert exported == REQUIREMENTS.read_text(), "run `make pins`, or the `uv export` in it"


@pytest.mark.parametrize("path", [REQUIREMENTS, *PINS], ids=lambda path: path.name)
def test_every_pin_is_exact_and_has_its_hashes(path: Path) -> None:
    lines = path.read_text().replace("\\\n", " ").splitlines()
    pins = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert pins
    for pin in pins:
        assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+ .*--hash=sha256:[0-9a-f]{64}", pin), pin


@pytest.mark.parametrize("path", [REQUIREMENTS, *PINS], ids=lambda path: path.name)
def test_no_pin_names_an_index(path: Path) -> None:
    assert "://" not in path.read_text()
    assert "--index" not in path.read_text()


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_every_tool_asked_for_is_pinned(path: Path) -> None:
    for asked in path.with_suffix(".in").read_text().split():
        assert re.search(rf"^{re.escape(asked)}\b", path.read_text(), re.MULTILINE), asked
