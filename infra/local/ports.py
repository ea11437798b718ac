"""Ports of this machine: which are free, and which process listens on a port."""

import socket

import psutil

from infra.local.errors import StartupError

HOST = "127.0.0.1"
COMMAND_LENGTH = 100


def is_busy(port: int) -> bool:
    """Return whether a process listens on the port. A port that is being closed counts as free, as for servers."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """Return a port on which no process listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def take_port(port: int, variable: str = "PORT") -> int:
    """Return the port, or a free one for 0.

    Raises:
        StartupError: the port is taken; the message names the process that listens on it and what to do.
    """
    if port == 0:
        return free_port()
    if not is_busy(port):
        return port
    holder = holder_of(port)
    who = f"process {holder.pid} ({_command(holder)})" if holder else "another user's process"
    stop = f"Stop it (kill {holder.pid})" if holder else "Stop it"
    raise StartupError(
        f"Port {port} is taken by {who}.\n{stop}, or use another port: make run {variable}={free_port()}"
    )


def holder_of(port: int) -> psutil.Process | None:
    """Return the process that listens on the port; None if it belongs to another user.

    Each process is asked for its own connections: macOS lets only root list those of all processes.
    """
    return next((process for process in psutil.process_iter() if port in _listening_ports(process)), None)


def _listening_ports(process: psutil.Process) -> set[int]:
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:  # it ended meanwhile, or belongs to another user
        return set()
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


def _command(process: psutil.Process) -> str:
    try:
        command = " ".join(process.cmdline()).strip()
    except psutil.Error:
        return "it just ended"
    return command if len(command) <= COMMAND_LENGTH else f"{command[: COMMAND_LENGTH - 3]}..."
