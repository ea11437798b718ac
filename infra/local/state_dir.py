"""The folder in which a local stack keeps its state. One run owns it at a time, and cleans up after a killed run."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from infra.local.errors import StartupError
from infra.local.processes import Process, stop_group

LOCK = "run.lock"
MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made with the owner's permissions only
MEMORY_NEEDED = 8_000_000_000
"""Bytes that must be free there. Functions take up to 2 GB, and unpack in a third of the time that a disk takes."""
OWNER = "owner"
"""The file in such a folder that names the folder of the run's state."""
SAME_START_SECONDS = 2.0
"""Start times this close are the same one: the system derives them from the clock, which may have been adjusted."""


class InUse(StartupError):
    """Another run owns the folder."""

    def __init__(self, pid: str) -> None:
        super().__init__(
            f"The local stack of this project is already running (process {pid}).\n"
            f"Stop it first: press Ctrl-C in its terminal, or run: kill {pid}"
        )
        self.pid = pid


@dataclass(slots=True)
class StateDir:
    """The state of one local stack in ``path``. Other files in it are never removed."""

    path: Path
    _lock: IO[str] | None = None
    _recorded: list[dict[str, str | float]] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        """The folder in which the emulator unpacks functions (47 MB each). The emulator does not remove them.

        A link into memory where there is plenty of it.
        """
        return self.path / "tmp"

    @property
    def _in_memory(self) -> Path:
        return MEMORY / f"close-provisioner-{hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:16]}"

    @property
    def description(self) -> Path:
        return self.path / "stack.json"

    @property
    def _processes(self) -> Path:
        return self.path / "processes.json"

    def log(self, name: str) -> Path:
        return self.path / f"{name}.log"

    def claim(self) -> list[str]:
        """Take the folder, and return the names of the processes of a killed run that were stopped now.

        Raises:
            InUse: another run owns the folder.
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
        stopped = self._stop_leftovers()
        self._clear()
        self._make_temporary()
        return stopped

    def record(self, process: Process) -> None:
        """Record a process, so that the next run can stop it if this one is killed."""
        self._recorded.append({"name": process.name, "pid": process.pid, "started": _started_at(process.pid)})
        self._processes.write_text(json.dumps(self._recorded))

    def release(self) -> None:
        """Release the folder. Logs stay."""
        self._clear()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _stop_leftovers(self) -> list[str]:
        """Stop recorded processes that still run. The start time tells them from later processes with the same id."""
        try:
            recorded = json.loads(self._processes.read_text())
        except (OSError, ValueError):
            return []
        left = [each for each in recorded if abs(each["started"] - _started_at(each["pid"])) < SAME_START_SECONDS]
        for each in left:
            stop_group(each["pid"])
        return [each["name"] for each in left]

    def _make_temporary(self) -> None:
        if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
            self._in_memory.mkdir(mode=0o700)
            (self._in_memory / OWNER).write_text(str(self.path.resolve()))
            (self._in_memory / "tmp").mkdir()
            self.temporary.symlink_to(self._in_memory / "tmp")
        else:
            self.temporary.mkdir()

    def _clear(self) -> None:
        self.description.unlink(missing_ok=True)
        self._processes.unlink(missing_ok=True)
        for folder in (self._in_memory, *_abandoned()):
            shutil.rmtree(folder, ignore_errors=True)
        if self.temporary.is_symlink():
            self.temporary.unlink()
        else:
            shutil.rmtree(self.temporary, ignore_errors=True)


def _abandoned() -> Iterator[Path]:
    """Yield the folders in memory of killed runs whose state was deleted since: nothing else would remove them."""
    for folder in MEMORY.glob("close-provisioner-*"):
        with suppress(OSError):  # of another user
            if not Path((folder / OWNER).read_text()).exists():
                yield folder


def _started_at(pid: int) -> float:
    """Return when the process started, in Unix seconds; 0 if it does not run."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0
