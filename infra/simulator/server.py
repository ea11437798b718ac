"""The HTTP server: one thread per connection, which a fault can close, reset or hold."""

import select
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from time import monotonic
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from infra.simulator.api.requests import Request
from infra.simulator.api.responses import Response, error_response
from infra.simulator.control.api import PREFIX, Control
from infra.simulator.control.client import ControlClient
from infra.simulator.faults.effects import Effect

MAX_BODY_BYTES = 10_000_000

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing the socket sends a reset."""


class CloseServer(ThreadingHTTPServer):
    """The simulated Close on 127.0.0.1. ``stop`` ends every connection, also held ones."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, control: Control, port: int = 0) -> None:
        self.control = control
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without a lookup of the host name, which takes seconds where no resolver responds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._open_changed:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """End the connection in order, unless it was marked for a reset."""
        marked = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET
        self.close_request(request) if marked else super().shutdown_request(request)
        with self._open_changed:
            self._open.discard(request)
            self._open_changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect. Print every other error: it is a fault of the simulator."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop serving, close every connection, and cancel late creates. Returns after 2 s at the latest."""
        self.stopping.set()
        self.control.service.forget_pending()
        self.shutdown()
        with self._open_changed:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._open_changed.wait_for(lambda: not self._open, timeout=2)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: CloseServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Print nothing: the service keeps the request log, without credentials."""

    def _handle(self) -> None:
        request = self._request()
        if request is None:
            self.close_connection = True
            return self._send(error_response(413, "The body is too large, or its length is not a number."))
        if request.path.startswith(PREFIX):
            return self._send(self.server.control.handle(request))
        return self._follow(self.server.control.service.receive(request))

    def _follow(self, effect: Effect) -> None:
        if effect.ending == "hold":
            self._hold(effect.wait)
        elif effect.wait:
            self.server.stopping.wait(effect.wait)
        response = effect.work() if effect.work and not self.server.stopping.is_set() else effect.response
        if effect.ending == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if response is None or effect.ending not in {"respond", "cut"}:
            self.close_connection = True
            return
        self._send(response, cut=effect.ending == "cut")

    def _hold(self, seconds: float) -> None:
        """Wait until the client disconnects, the server stops, or the time is over."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN | select.POLLHUP)
        until = monotonic() + seconds
        while not self.server.stopping.is_set() and (left := until - monotonic()) > 0:
            if poll.poll(left * 1000) and not self._client_sent_something():
                return

    def _client_sent_something(self) -> bool:
        with suppress(OSError):
            if self.connection.recv(1, socket.MSG_PEEK):
                self.server.stopping.wait(
                    0.05
                )  # bytes of a following request stay unread; the pause avoids a busy loop
                return True
        return False

    def _send(self, response: Response, *, cut: bool = False) -> None:
        """Write head and body in one piece, so that the kernel sends them together."""
        body = b"" if self.command == "HEAD" else response.body
        headers = {"Date": self.date_time_string(), "Server": "simulated Close", **response.headers}
        if response.status != 204:
            headers["Content-Length"] = str(len(response.body))
        if cut:
            body, self.close_connection = body[: len(body) // 2], True
        if self.close_connection:
            headers["Connection"] = "close"
        reason = responses.get(response.status, "Unknown")
        lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        with suppress(ConnectionError):
            self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def _request(self) -> Request | None:
        """Return the request; None if its body cannot be read."""
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        length = self.headers.get("Content-Length", "0")
        if not chunked and (not length.isdecimal() or int(length) > MAX_BODY_BYTES):
            return None
        body = self._chunks() if chunked else self.rfile.read(int(length))
        if body is None:
            return None
        if not chunked and len(body) < int(length):
            raise ConnectionAbortedError("the client disconnected before its request was complete")
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host") or self.server.url.removeprefix("http://")
        return Request(self.command, path, dict(parse_qsl(query)), headers, body, f"http://{host}", chunked)

    def _chunks(self) -> bytes | None:
        """Read a chunked body to its end, so that the connection stays usable after it is rejected."""
        body = b""
        while True:
            try:
                size = int(self.rfile.readline(1000).partition(b";")[0], 16)
            except ValueError:
                return None
            if size < 0 or len(body) + size > MAX_BODY_BYTES:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(1000)
            if size == 0:
                return body


class CloseSimulator:
    """A server on 127.0.0.1, as a context manager that yields its control client.

        with CloseSimulator() as close:
            organization = close.add_organization()
            close.arm("create_then_hang_up")

    ``setup`` may hold ``options`` and ``organizations``. A reset restores it. Raises ``OSError`` if the port is taken,
    ``ValueError`` if the setup is invalid.
    """

    def __init__(self, port: int = 0, setup: Mapping[str, Any] | None = None) -> None:
        self._server = CloseServer(Control(setup=setup or {}), port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> ControlClient:
        self._thread.start()
        return ControlClient(self.url)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End every connection and thread. A second call does nothing."""
        if self._thread.is_alive():
            self._server.stop()
            self._thread.join()

    def wait(self) -> None:
        """Block until interrupted."""
        self._thread.join()
