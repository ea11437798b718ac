"""The simulated Close as a process of its own."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.local.config import PROJECT
from infra.local.emulator import without_aws
from infra.local.processes import Process
from infra.simulator import ControlClient

START_SECONDS = 15


def start_close(setup: Mapping[str, Any], temporary: Path, log: Path) -> Process:
    """Start the simulated Close on a free port, with the organizations of ``setup``."""
    file = temporary / "close-setup.json"
    file.touch(mode=0o600)  # it holds the tenants' keys
    file.write_text(json.dumps(setup))
    command = [sys.executable, "-m", "infra.simulator", "--port", "0", "--setup", str(file)]
    return Process.start("the simulated Close", command, log, without_aws(os.environ), PROJECT)


def control_of(process: Process) -> ControlClient:
    """Return a client of its control API once it serves. Raises ``StartupError`` if it does not."""
    process.wait_until(lambda: bool(_first_line(process.log)), START_SECONDS)
    return ControlClient(json.loads(_first_line(process.log))["url"])


def _first_line(log: Path) -> str:
    """Return the line with its URL; empty until the line is complete."""
    line, ended, _ = log.read_text(errors="replace").partition("\n")
    return line if ended and line.startswith("{") else ""
