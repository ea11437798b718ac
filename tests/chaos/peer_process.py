"""Who is at the other end of a connection: a process of this machine, found by its socket (Linux's /proc)."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
INODE = 9  # the column of /proc/net/tcp, proc_pid_net(5)


def process_at(port: int, peer: int, below: int) -> int | None:
    """The process that holds the end ``port`` of a connection to ``peer``, if it descends from ``below``."""
    inode = _inode(port, peer)
    return next((pid for pid in _descendants(below) if inode and _holds(pid, inode)), None)


def kill(pid: int) -> None:
    """At once and without a word."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return _state_and_parent(pid)[0] not in {"", "Z", "X"}


def _inode(port: int, peer: int) -> str | None:
    for row in (PROC / "net" / "tcp").read_text().splitlines()[1:]:
        words = row.split()
        if int(words[1].rpartition(":")[2], 16) == port and int(words[2].rpartition(":")[2], 16) == peer:
            return words[INODE]
    return None


def _descendants(root: int) -> Iterator[int]:
    parents = {int(each.name): _state_and_parent(int(each.name))[1] for each in PROC.glob("[0-9]*")}
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
        yield from more


def _holds(pid: int, inode: str) -> bool:
    desired = f"socket:[{inode}]"
    try:
        return any(str(each.readlink()) == desired for each in (PROC / str(pid) / "fd").iterdir())
    except OSError:  # it went away meanwhile
        return False


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        state, parent = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[:2]  # proc(5): fields 3, 4
    except OSError:
        return "", 0
    return state, int(parent)
