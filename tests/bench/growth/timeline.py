"""Simulated time in which many invocations run side by side: each gives way to the others while it waits.

Nothing runs in parallel, so that a run is repeated exactly: of all that may go on, the earliest does.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from greenlet import getcurrent, greenlet

from tests.simulation.clock import SimulatedClock


@dataclass(slots=True)
class Timeline:
    """The clock, and all that goes on at later times of it."""

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    _ahead: list[tuple[float, int, Any]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _hub: Any = field(default_factory=getcurrent)

    @property
    def now(self) -> float:
        return self.clock.now

    @property
    def is_running(self) -> bool:
        """Whether the caller is a part of what goes on."""
        return getcurrent() is not self._hub

    def start(self, work: Callable[[], object]) -> None:
        """Let the work begin now, beside its caller."""
        self.resume(greenlet(work, parent=self._hub))

    def resume(self, waiting: Any, after: float = 0) -> None:
        """Let what waits go on after so many seconds."""
        heapq.heappush(self._ahead, (self.now + after, next(self._order), waiting))

    def wait(self, seconds: float) -> None:
        """Let others go on until the time has passed."""
        self.resume(getcurrent(), seconds)
        self.pause()

    def pause(self) -> None:
        """Let others go on until one of them resumes the caller."""
        self._hub.switch()

    def run(self) -> None:
        """Let everything go on until nothing is ahead. An exception of any work is raised here."""
        while self._ahead:
            self.clock.now, _, waiting = heapq.heappop(self._ahead)
            waiting.switch()


class Task:
    """Work handed to a pool of threads, on the timeline. Has the part of a ``Future`` that the service uses."""

    def __init__(self, timeline: Timeline, work: Callable[[], Any]) -> None:
        self.timeline, self.work = timeline, work
        self.waiting: list[Any] = []
        self.ended: tuple[Any, BaseException | None] | None = None
        timeline.start(self._run)

    def _run(self) -> None:
        try:
            self.ended = self.work(), None
        except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
            self.ended = None, error
        for each in self.waiting:
            self.timeline.resume(each)

    def result(self) -> Any:
        """Return what the work returned, or raise what it raised."""
        if self.ended is None:
            self.waiting.append(getcurrent())
            self.timeline.pause()
        assert self.ended
        value, error = self.ended
        if error:
            raise error
        return value


class Turnstile:
    """A lock on the timeline, in place of a ``threading.Lock`` that is held during a call."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline, self.held = timeline, False
        self.waiting: list[Any] = []

    def __enter__(self) -> Self:
        while self.held:
            self.waiting.append(getcurrent())
            self.timeline.pause()
        self.held = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.held = False
        if self.waiting:
            self.timeline.resume(self.waiting.pop(0))
