"""The CloudFormation that SAM makes of template.yaml, for the tests of this folder."""

import json
import subprocess
from pathlib import Path

import pytest

from infra.checks.cloudformation import Template

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Return the translated template, with every parameter at its default."""
    python = PROJECT / ".tools" / "sam" / "bin" / "python"
    if not python.exists():
        pytest.fail("SAM's translator is not installed: run `make install`")
    translated = tmp_path_factory.mktemp("translated") / "template.json"
    subprocess.run(  # noqa: S603
        [python, "infra/checks/translate.py", "template.yaml", translated], cwd=PROJECT, check=True, capture_output=True
    )
    return Template(json.loads(translated.read_text()))
