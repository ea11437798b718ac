"""The folder in which a local stack keeps its state: one run has it at a time, and cleans up what a killed one left."""

import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from infra.local.errors import CannotRun
from infra.local.processes import Process, stop_group

LOCK = "run.lock"


class InUse(CannotRun):
    """Another run has the folder."""

    def __init__(self, pid: str) -> None:
        super().__init__(
            f"The local stack of this project is running already (process {pid}).\n"
            f"Stop it first: Ctrl-C where it runs, or kill {pid}"
        )
        self.pid = pid


@dataclass(slots=True)
class StateFolder:
    """``path`` may hold other things, too: only what is named here is ever removed."""

    path: Path
    _lock: IO[str] | None = None
    _recorded: list[dict[str, str | int]] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        """Where the emulator unpacks functions (47 MB for each worker); it does not clean up after itself."""
        return self.path / "tmp"

    @property
    def description(self) -> Path:
        return self.path / "stack.json"

    @property
    def _processes(self) -> Path:
        return self.path / "processes.json"

    def log(self, name: str) -> Path:
        return self.path / f"{name}.log"

    def claim(self) -> list[str]:
        """Takes the folder. Answers the names of processes that a killed run left running, and that were ended now.

        Raises ``InUse`` when another run has it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / LOCK).open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip()
            lock.close()
            raise InUse(pid) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        ended = self._end_leftovers()
        self._clear()
        self.temporary.mkdir()
        return ended

    def record(self, process: Process) -> None:
        """Remembers a process, so that the next run can end it should this one be killed."""
        self._recorded.append({"name": process.name, "pid": process.pid, "started": _start_of(process.pid)})
        self._processes.write_text(json.dumps(self._recorded))

    def release(self) -> None:
        """Gives the folder back; logs stay."""
        self._clear()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _end_leftovers(self) -> list[str]:
        """Only a process that began when ours did is ours: numbers are used again."""
        try:
            recorded = json.loads(self._processes.read_text())
        except (OSError, ValueError):
            return []
        left = [each for each in recorded if each["started"] and each["started"] == _start_of(each["pid"])]
        for each in left:
            stop_group(each["pid"])
        return [each["name"] for each in left]

    def _clear(self) -> None:
        self.description.unlink(missing_ok=True)
        self._processes.unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)


def _start_of(pid: int) -> str:
    """When the process began, in words that only equal themselves; empty when there is none."""
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[19]  # field 22, in clock ticks since boot (proc(5))
    return subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
