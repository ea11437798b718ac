"""Servers and tools that a run starts. Each leads a process group of its own, so that all of it can be stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.local.errors import tool_failure

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """A running child process. The processes that it starts belong to its group and stop with it."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        cwd: Path | None = None,
    ) -> "Process":
        """Start the command. Its output replaces the content of ``log``."""
        with log.open("wb") as sink:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=cwd,
                start_new_session=True,
            )
        return cls(name, child, log)

    @property
    def pid(self) -> int:
        return self.child.pid

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready`` returns true.

        Raises:
            StartupError: the process ended first, or is not ready in time; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise tool_failure(f"{self.name} is not ready after {seconds:.0f} seconds", self.log)
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise ``StartupError`` with the end of the log if the process has ended: a server never does by itself."""
        if self.child.poll() is not None:
            raise tool_failure(f"{self.name} has ended (exit code {self.child.returncode})", self.log)

    def finish(self, seconds: float) -> None:
        """Wait for a tool to end. Raises ``StartupError`` if it fails or takes longer than ``seconds``."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise tool_failure(f"{self.name} did not end within {seconds:.0f} seconds", self.log) from None
        finally:
            self.stop()
        if code != 0:
            raise tool_failure(f"{self.name} failed (exit code {code})", self.log)

    def stop(self) -> None:
        """Stop the whole group: SIGTERM first, SIGKILL after the grace period. Does nothing if it has ended."""
        stop_group(self.pid, reap=self.child.poll)
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(GRACE_SECONDS)


def stop_group(pid: int, reap: Callable[[], object] = lambda: None) -> None:
    """Stop the process group that ``pid`` leads. ``reap`` collects a child, so that it does not remain a zombie."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal_number)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            reap()
            if not _is_group_alive(pid):
                return
            time.sleep(POLL_SECONDS)


def _is_group_alive(group: int) -> bool:
    """Return whether a member of the process group runs. A zombie does not: its parent may collect it much later."""
    return any(_is_member(process, group) for process in psutil.process_iter())


def _is_member(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except (psutil.Error, ProcessLookupError, PermissionError):
        return False
