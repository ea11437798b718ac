"""The translated template for tests: SAM's translation takes seconds, so it is kept until its sources change."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from infra.checks.cloudformation import Template

PROJECT = Path(__file__).resolve().parents[2]
TRANSLATE = PROJECT / "infra" / "checks" / "translate.py"
PYTHON = PROJECT / ".tools" / "sam" / "bin" / "python"
KEPT = PROJECT / ".local" / "checks"


def translated(*parameters: str) -> Template:
    """Return the template as SAM translates it with these parameters (``Name=value``).

    Raises ``FileNotFoundError`` if the SAM CLI is not installed.
    """
    sources = [PROJECT / "template.yaml", TRANSLATE, PROJECT / "infra" / "tools" / "sam.txt"]
    digest = hashlib.sha256("\0".join([*(each.read_text() for each in sources), *parameters]).encode()).hexdigest()[:16]
    kept = KEPT / f"translated-{digest}.json"
    if not kept.exists():
        _translate(kept, parameters)
    given = dict(each.split("=", 1) for each in parameters)
    source: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return Template(source, given)


def _translate(target: Path, parameters: tuple[str, ...]) -> None:
    if not PYTHON.exists():
        raise FileNotFoundError("SAM's translator is not installed: run `make install`")
    unfinished = target.with_suffix(f".{os.getpid()}")
    command: list[Any] = [PYTHON, TRANSLATE, "template.yaml", unfinished, *parameters]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603
    unfinished.replace(target)
