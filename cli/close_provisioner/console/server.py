"""Serves the console on this machine until it is interrupted."""

import secrets
import socket
from collections.abc import Callable
from typing import NamedTuple

import uvicorn

from close_provisioner.client.service import Service
from close_provisioner.console.app import make_app
from close_provisioner.errors import Misused
from close_provisioner.stack.example_events import ExampleEvents

ADDRESS = "127.0.0.1"
PATIENCE_SECONDS = 1
"""For open event streams when the console ends."""


class Options(NamedTuple):
    """``port`` 0: any that is free. ``events``: the example events that may be sent, for a local stack."""

    port: int = 0
    allow_changes: bool = False
    events: ExampleEvents | None = None


def serve(service: Service, options: Options, say: Callable[[str], None]) -> None:
    """Serve, and say the URL to open once the address answers. Raises ``Misused`` if the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, options.port))
    except OSError as error:
        raise Misused(
            f"Port {options.port} of {ADDRESS} cannot be used: {error.strerror}. Give another --port."
        ) from None
    listener.listen()
    origin = f"http://{ADDRESS}:{listener.getsockname()[1]}"
    token = secrets.token_urlsafe(24)
    app = make_app(service, origin=origin, token=token, allow_changes=options.allow_changes, events=options.events)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=PATIENCE_SECONDS
    )
    say(f"{origin}/?token={token}")
    uvicorn.Server(config).run(sockets=[listener])
