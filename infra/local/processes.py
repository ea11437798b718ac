"""Servers and tools that a run starts: each leads a process group of its own, so that nothing of it is left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import failed

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """A running child. Whatever it starts itself belongs to its group and goes with it."""

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
        """Everything that the process writes goes to ``log``, which begins anew."""
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
        """Raises ``CannotRun`` with the log's end when the process ends first, or is not ready in time."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise failed(f"{self.name} is not ready after {seconds:.0f} seconds", self.log)
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raises ``CannotRun`` with the log's end when the process has ended, which a server never does by itself."""
        if self.child.poll() is not None:
            raise failed(f"{self.name} has ended (exit code {self.child.returncode})", self.log)

    def finish(self, seconds: float) -> None:
        """Wait for a tool to end. Raises ``CannotRun`` when it fails or takes too long."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise failed(f"{self.name} did not end within {seconds:.0f} seconds", self.log) from None
        finally:
            self.stop()
        if code != 0:
            raise failed(f"{self.name} failed (exit code {code})", self.log)

    def stop(self) -> None:
        """Ends the whole group, politely first. Does nothing when it has ended."""
        stop_group(self.pid, reap=self.child.poll)
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(GRACE_SECONDS)


def stop_group(pid: int, reap: Callable[[], object] = lambda: None) -> None:
    """Ends the process group that ``pid`` leads; ``reap`` collects a child so that it does not count as alive."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal_number)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            reap()
            if not _group_lives(pid):
                return
            time.sleep(POLL_SECONDS)


def _group_lives(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of which only zombies are left
        return False
    return not Path("/proc/self/stat").exists() or _has_living_member(pid)


def _has_living_member(group: int) -> bool:
    """Zombies do not count: they wait for a parent, which may be the machine's init in no hurry."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]  # proc(5): fields 3 to 5
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False
