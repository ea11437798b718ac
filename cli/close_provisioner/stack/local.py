"""The local stack of ``make run``, as it describes itself in ``.local/stack.json``."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VARIABLE = "CLOSE_PROVISIONER_LOCAL"
"""Names the folder of a local stack's state, where it is not ``.local`` here or in a folder above."""


def running_local_stack(folder: Path, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the description of the stack that runs in this folder or in one above; None if none runs."""
    given = environment.get(VARIABLE)
    states = [Path(given)] if given else [each / ".local" for each in (folder, *folder.parents)]
    return next((found for state in states if (found := _described(state))), None)


def _described(state: Path) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = json.loads((state / "stack.json").read_text(encoding="utf-8"))
        runner = int((state / "run.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return described if _runs(runner) else None


def _runs(process: int) -> bool:
    """Return whether the process exists: a killed run leaves its files."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
