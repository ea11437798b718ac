"""The process at the other end of a connection on this machine, found by its socket."""

import os
import signal
from contextlib import suppress

import psutil


def process_at(port: int, peer: int, below: int) -> int | None:
    """Return the process that holds the end ``port`` of a connection to ``peer``, if it descends from ``below``."""
    try:
        descendants = psutil.Process(below).children(recursive=True)
    except psutil.NoSuchProcess:
        return None
    return next((each.pid for each in descendants if _is_connected(each, port, peer)), None)


def kill(pid: int) -> None:
    """Send SIGKILL. Does nothing if the process has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Return whether the process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False


def _is_connected(process: psutil.Process, port: int, peer: int) -> bool:
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:  # it ended meanwhile
        return False
    return any(each.raddr and (each.laddr.port, each.raddr.port) == (port, peer) for each in connections)
