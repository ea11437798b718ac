"""The simulated Close inside a process: behind httpx, without sockets, with a clock of the caller.

It needs httpx. The rest of the package needs the standard library only.
"""

import json
from collections.abc import Callable, Mapping
from http.client import responses
from typing import Any
from urllib.parse import parse_qsl

import httpx

from infra.simulator.api.requests import Request
from infra.simulator.api.responses import Response
from infra.simulator.control.api import PREFIX, Control
from infra.simulator.control.client import Body, ControlError, Controls
from infra.simulator.faults.effects import Effect
from infra.simulator.service import Service
from infra.simulator.state import Clock, State, system_clock
from infra.simulator.timers import ClockTimers

_BROKEN = {
    "close": "Server disconnected without sending a response.",
    "reset": "[Errno 104] Connection reset by peer",
    "cut": "peer closed connection without sending complete message body",
}


class InProcessClose(Controls):
    """A simulated Close for the tests of one process. Safe to share between threads.

        close = InProcessClose(clock=clock, sleep=clock.advance)
        close.add_organization(id="orga_acme", keys=["api_acme.1"], options={"list_lag_seconds": 60})
        close.arm("create_then_hang_up")
        http = close.client("api_acme.1")

    ``clock`` returns Unix seconds: lags, rate limits and tokens follow it, and late creates happen when it is past
    their time. ``sleep`` is called with the seconds that a response takes, so that a clock of your own can move;
    without it no time passes. A wait that is longer than the client's read timeout sleeps for the timeout and raises
    ``httpx.ReadTimeout``. ``setup`` is the starting state, as of ``CloseSimulator``; a reset goes back to it.

    Raises ``ValueError`` when the setup is not valid.
    """

    url = "https://close.example"
    api_url = f"{url}/api/v1/"

    def __init__(
        self,
        setup: Mapping[str, Any] | None = None,
        *,
        clock: Clock = system_clock,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._timers = ClockTimers(clock)
        self._sleep = sleep or (lambda _: None)
        self.service = Service(State(clock=self._timers.now), self._timers)
        self._control = Control(self.service, setup or {})
        self.transport = httpx.MockTransport(self.handle)

    def client(self, key: str, **settings: Any) -> httpx.Client:
        """Return a client that authenticates with an API key. ``settings``: further arguments of ``httpx.Client``."""
        return httpx.Client(transport=self.transport, base_url=self.api_url, auth=(key, ""), **settings)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request, as ``transport`` does. Raises the ``httpx.TransportError`` that a fault asks for."""
        request.read()
        received = plain_request(request)
        with self.service.state.lock:
            self._timers.run_due()
            if received.path.startswith(PREFIX):
                return _response(request, self._control.handle(received))
            effect = self.service.receive(received)
        return self._follow(request, effect)

    def call(self, method: str, path: str, body: Body | None = None) -> Body:
        content = json.dumps(body).encode() if body is not None else b""
        target, _, query = path.partition("?")
        request = Request(method, PREFIX + target, dict(parse_qsl(query)), {}, content, self.url)
        with self.service.state.lock:
            self._timers.run_due()
            response = self._control.handle(request)
        answered: Body = json.loads(response.body)
        if response.status != 200:
            raise ControlError(answered["error"])
        return answered

    def _follow(self, request: httpx.Request, effect: Effect) -> httpx.Response:
        timeout = request.extensions.get("timeout", {}).get("read")
        if timeout is not None and effect.wait >= timeout:
            if effect.work:
                with self.service.state.lock:
                    self._timers.after(effect.wait, effect.work)
            self._sleep(timeout)
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        if effect.wait:
            self._sleep(effect.wait)
        response = effect.work() if effect.work else effect.response
        if effect.ending == "respond" and response is not None:
            return _response(request, response)
        if effect.ending == "reset":
            raise httpx.ReadError(_BROKEN["reset"], request=request)
        message = _BROKEN["cut"] if effect.ending == "cut" else _BROKEN["close"]
        raise httpx.RemoteProtocolError(message, request=request)


def plain_request(request: httpx.Request) -> Request:
    """Return a request of httpx as the service reads it."""
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    base_url = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    return Request(request.method, path, dict(parse_qsl(query)), headers, request.content, base_url, chunked)


def _response(request: httpx.Request, response: Response) -> httpx.Response:
    reason = responses.get(response.status, "Unknown").encode()
    body = b"" if request.method == "HEAD" else response.body
    headers = {"Server": "simulated Close", **response.headers}
    return httpx.Response(response.status, headers=headers, content=body, extensions={"reason_phrase": reason})
