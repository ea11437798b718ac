"""Ports of this machine: which are free, and who holds one that is not."""

import socket
from pathlib import Path

from infra.local.errors import CannotRun

HOST = "127.0.0.1"
LISTENING = "0A"  # the state column of /proc/net/tcp: TCP_LISTEN of the kernel's include/net/tcp_states.h


def is_busy(port: int) -> bool:
    """Whether somebody listens. A port that is merely being closed down counts as free, as it does for servers."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def take_port(wanted: int, variable: str = "PORT") -> int:
    """The port, or a free one for 0. Raises ``CannotRun`` that says who holds it and what to do."""
    if wanted == 0:
        return free_port()
    if not is_busy(wanted):
        return wanted
    holder = holder_of(wanted)
    who = (
        f"process {holder} ({_command(holder)})"
        if holder
        else "another process (which one, this machine does not tell)"
    )
    stop = f"Stop it (kill {holder})" if holder else "Stop it"
    raise CannotRun(f"Port {wanted} is taken by {who}.\n{stop}, or use another port: make run {variable}={free_port()}")


def holder_of(port: int) -> int | None:
    """The process that listens on the port; None where there is no /proc, or it belongs to somebody else."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listeners(Path("/proc/net") / table, port)}
    if not inodes:
        return None
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = descriptor.readlink().name
        except OSError:  # it went away meanwhile, or is not ours to see
            continue
        if target.removeprefix("socket:[").removesuffix("]") in inodes:
            return int(descriptor.parts[2])
    return None


def _listeners(table: Path, port: int) -> list[str]:
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _command(pid: int) -> str:
    try:
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "it just ended"
    text = b" ".join(words).decode(errors="replace").strip()
    return text if len(text) <= 100 else f"{text[:97]}..."
