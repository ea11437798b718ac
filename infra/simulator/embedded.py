"""The simulated Close in a thread of this process."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from infra.simulator.control.api import Control
from infra.simulator.control.client import Remote
from infra.simulator.server import CloseServer


class CloseSimulator:
    """Serves on 127.0.0.1 while it is entered; what it enters as controls it.

        with CloseSimulator() as close:
            organization = close.add_organization()
            close.arm("create_then_hang_up")

    ``setup`` may hold ``switches`` and ``organizations``; a reset goes back to it. Raises ``OSError`` when the port is
    taken, ``ValueError`` when the setup is not sound.
    """

    def __init__(self, port: int = 0, setup: Mapping[str, Any] | None = None) -> None:
        self._server = CloseServer(Control(setup=setup or {}), port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Remote:
        self._thread.start()
        return Remote(self.url)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends every connection and thread. Doing so twice does no harm."""
        if self._thread.is_alive():
            self._server.stop()
            self._thread.join()

    def wait(self) -> None:
        """Until interrupted."""
        self._thread.join()
