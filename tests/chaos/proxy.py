"""A gate that the functions' calls pass on their way to a neighbor, and where their process can be killed.

It relays bytes and knows where a call ends. Before it lets one through it asks what is to become of the caller; resets,
silences and broken answers of the dependency reach the caller unchanged.
"""

import functools
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from socketserver import StreamRequestHandler, TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.chaos.peer_process import kill, process_at

HOST = "127.0.0.1"
SERVICES = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing then sends a reset instead of an orderly end."""


class ProxyAction(StrEnum):
    """The action on the process that makes a call."""

    PASS = "passes"
    KILL_BEFORE = "before"
    """The dependency never receives the call."""
    KILL_AFTER = "after"
    """The neighbor has answered, and the answer is dropped."""
    KILL_SOON = "soon"
    """A moment after the answer went back: somewhere between two calls."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One HTTP request as it came. ``head`` ends in an empty line."""

    head: bytes
    body: bytes

    def __bytes__(self) -> bytes:
        return self.head + self.body

    @property
    def name(self) -> str:
        """The called operation, like ``dynamodb.PutItem`` or ``close.POST``: from a header, a form or the path.

        ``sns.?`` when the form was cut short, its sender killed.
        """
        if target := re.search(rb"(?im)^x-amz-target: *(\w+)\.(\w+)", self.head):
            return f"{SERVICES[target[1].decode()]}.{target[2].decode()}"
        if b"/api/v1/" in self.head.partition(b"\r\n")[0]:
            return f"close.{self.head.partition(b' ')[0].decode()}"
        return f"sns.{parse_qs(self.body.decode()).get('Action', ['?'])[0]}"

    @property
    def headers(self) -> dict[str, str]:
        """Return all headers, their names in lower case."""
        lines = [line.partition(":") for line in self.head.decode().split("\r\n")[1:] if line]
        return {name.lower(): value.strip() for name, _, value in lines}

    def header(self, name: str) -> str:
        found = re.search(rb"(?im)^" + re.escape(name.encode()) + rb": *([^\r]*)", self.head)
        return found[1].decode() if found else ""


@dataclass(frozen=True, slots=True)
class ProxiedCall:
    """A request that a process is about to make; ``caller`` finds the process."""

    request: RawRequest
    caller: Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that was killed, at which call, and when relative to it."""

    name: str
    action: ProxyAction
    pid: int


type Decide = Callable[[ProxiedCall], ProxyAction]
type Rewrite = Callable[[RawRequest], RawRequest]


@dataclass(slots=True)
class Proxy:
    """Listens on a free port while entered. ``callers``: only descendants of that process can be killed.

    It is called like a server, or like a proxy: then the caller signs its calls for the host that it means.
    """

    upstream: str
    callers: int
    decide: Decide = lambda _: ProxyAction.PASS
    rewrite: Rewrite = lambda request: request
    soon_seconds: float = 0.02
    kills: list[Kill] = field(default_factory=list)
    _server: "_Server | None" = None

    @property
    def url(self) -> str:
        assert self._server
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    def kill_caller(self, call: ProxiedCall, action: ProxyAction) -> bool:
        """Kills the caller; False when it is gone already."""
        pid = call.caller()
        if pid is None:
            return False
        kill(pid)
        self.kills.append(Kill(call.request.name, action, pid))
        return True


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        where = urlsplit(proxy.upstream)
        self.upstream = (where.hostname or HOST, where.port or 80)
        super().__init__((HOST, 0), _Relay)

    def shutdown_request(self, request: Any) -> None:
        """An orderly end, unless the connection was marked for a reset."""
        marked = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET
        self.close_request(request) if marked else super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break: that is what this is for. Any other failure must be visible."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Relay(StreamRequestHandler):
    """One connection of a caller, and one of its own to the neighbor."""

    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.armed: tuple[ProxiedCall, ProxyAction] | None = None
        with socket.create_connection(self.server.upstream) as upstream:
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._back, args=(upstream,), daemon=True)
            back.start()
            with suppress(ConnectionError):
                self._forth(upstream)
            with suppress(OSError):
                upstream.shutdown(socket.SHUT_RDWR)
            back.join()

    def _forth(self, upstream: socket.socket) -> None:
        proxy, port, own = self.server.proxy, self.client_address[1], self.server.server_address[1]
        caller = functools.cache(lambda: process_at(port, own, proxy.callers))  # a connection stays with its process
        while request := self._read():
            call = ProxiedCall(request, caller)
            action = proxy.decide(call)
            if action is ProxyAction.KILL_BEFORE and proxy.kill_caller(call, action):
                return
            self.armed = (call, action) if action in {ProxyAction.KILL_AFTER, ProxyAction.KILL_SOON} else None
            upstream.sendall(bytes(proxy.rewrite(request)))

    def _back(self, upstream: socket.socket) -> None:
        try:
            while chunk := upstream.recv(65536):
                armed, self.armed = self.armed, None
                if armed and armed[1] is ProxyAction.KILL_AFTER and self.server.proxy.kill_caller(*armed):
                    break
                self.connection.sendall(chunk)
                if armed and armed[1] is ProxyAction.KILL_SOON:
                    threading.Event().wait(self.server.proxy.soon_seconds)
                    self.server.proxy.kill_caller(*armed)
        except ConnectionError:
            with suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self.connection.shutdown(socket.SHUT_RD)  # wakes the reader, and tells the caller nothing yet
            return
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _read(self) -> RawRequest | None:
        """None when the caller is done."""
        head = b""
        while line := self.rfile.readline():
            head += line
            if line == b"\r\n":
                length = re.search(rb"(?im)^content-length: *(\d+)", head)
                return RawRequest(_as_to_a_server(head), self.rfile.read(int(length[1])) if length else b"")
        return None


def _as_to_a_server(head: bytes) -> bytes:
    """A request to a proxy names the server in its first line."""
    return re.sub(rb"^(\w+) http://[^/ ]+", rb"\1 ", head, count=1)
