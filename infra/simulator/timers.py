"""Work that the simulated Close does later: in threads in real time, or by a clock of the caller."""

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Protocol

from infra.simulator.state import Clock

type Work = Callable[[], object]


class Timers(Protocol):
    """Work to be done later. Callers hold the state's lock."""

    def after(self, seconds: float, work: Work) -> None: ...

    def pending(self) -> int:
        """Return how many pieces of work are still to be done."""

    def cancel(self) -> None:
        """Forget all pending work."""


class ThreadTimers:
    """Timers in real time, one thread each. Work runs under the lock, unless it was canceled before."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._pending: set[threading.Timer] = set()

    def after(self, seconds: float, work: Work) -> None:
        def run() -> None:
            with self._lock:
                if timer in self._pending:
                    work()
                    self._pending.discard(timer)

        timer = threading.Timer(seconds, run)
        timer.daemon = True
        self._pending.add(timer)
        timer.start()

    def pending(self) -> int:
        return len(self._pending)

    def cancel(self) -> None:
        for timer in self._pending:
            timer.cancel()
        self._pending.clear()


class ClockTimers:
    """Timers by a clock that the caller moves. ``run_due`` does the work whose time has come.

    While work runs, ``now`` is the moment at which it was due, however late it runs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: list[tuple[float, int, Work]] = []
        self._order = itertools.count()
        self._running_at: float | None = None

    def now(self) -> float:
        """Return Unix seconds: the clock to give to the state."""
        return self._clock() if self._running_at is None else self._running_at

    def after(self, seconds: float, work: Work) -> None:
        heapq.heappush(self._pending, (self.now() + seconds, next(self._order), work))

    def run_due(self) -> None:
        while self._pending and self._pending[0][0] <= self._clock():
            due, _, work = heapq.heappop(self._pending)
            self._running_at = due
            try:
                work()
            finally:
                self._running_at = None

    def pending(self) -> int:
        return len(self._pending)

    def cancel(self) -> None:
        self._pending.clear()
