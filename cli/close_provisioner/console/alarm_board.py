"""The alarms that are on, asked for beside the pages, so that none waits for CloudWatch."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from close_provisioner.client.alarms import Alarm
from close_provisioner.errors import CommandError

FRESH_SECONDS = 60
"""An alarm counts minutes itself."""


class AlarmBoard:
    """The alarms as of a minute ago at most. ``ask`` returns them, or raises ``CommandError``."""

    def __init__(self, ask: Callable[[], list[Alarm]], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._pool = ThreadPoolExecutor(1, "alarms")
        self._asked: Future[list[Alarm]] | None = None
        self._known: list[Alarm] = []
        self._fault = ""
        self._at = clock()

    def now(self) -> tuple[list[Alarm], str]:
        """Return the alarms that are known to be on, and why they are not known."""
        if self._asked is None or (self._asked.done() and self._clock() - self._at > FRESH_SECONDS):
            self._asked, self._at = self._pool.submit(self._ask), self._clock()
        if self._asked.done():
            try:
                self._known, self._fault = self._asked.result(), ""
            except CommandError as error:
                self._known, self._fault = [], str(error)
        return self._known, self._fault
