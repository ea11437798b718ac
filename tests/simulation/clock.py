"""Simulated time: it moves only when a process waits, and runs what is due on the way, each at its moment."""

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

START = 1_800_000_000.0  # Unix seconds: an arbitrary moment


@dataclass(slots=True)
class SimulatedClock:
    """Unix seconds, and what is to happen later. Safe to share between threads."""

    now: float = START
    _later: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def at(self, moment: float, work: Callable[[], object]) -> None:
        """Do that work when the time has come."""
        with self._lock:
            heapq.heappush(self._later, (moment, next(self._order), work))

    def next_due(self) -> float | None:
        return self._later[0][0] if self._later else None

    def advance_to(self, moment: float) -> None:
        with self._lock:
            while self._later and self._later[0][0] <= moment:
                due, _, work = heapq.heappop(self._later)
                self.now = max(self.now, due)
                work()
            self.now = max(self.now, moment)

    def advance(self, seconds: float) -> None:
        self.advance_to(self.now + seconds)
