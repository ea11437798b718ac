"""The console for the local stack as a process of its own."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.config import PROJECT
from infra.local.emulator import without_aws
from infra.local.processes import Process

START_SECONDS = 15


@contextmanager
def console(state: Path) -> Iterator[str]:
    """Serve the console until the block ends. Yields its URL, or raises ``StartupError`` if it does not start."""
    command = [sys.executable, "-m", "close_provisioner", "console", "--local", "--allow-changes"]
    places = {"CLOSE_PROVISIONER_LOCAL": str(state), "PYTHONPATH": str(PROJECT / "cli")}
    environment = {**without_aws(os.environ), **places}
    log = state / "console.log"
    log.touch(mode=0o600)  # the URL has a secret
    process = Process.start("the console", command, log, environment, PROJECT)
    try:
        process.wait_until(lambda: bool(_url(log)), START_SECONDS)
        yield _url(log)
    finally:
        process.stop()


def _url(log: Path) -> str:
    """Return the line with the URL; empty until the line is complete."""
    lines = log.read_text(errors="replace").splitlines(keepends=True)
    return next((line.strip() for line in lines if line.startswith("http://") and line.endswith("\n")), "")
