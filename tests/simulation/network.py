"""The one place that every call of the service to a neighbor passes: here it is recorded, and here faults strike.

    the service ──► botocore | httpx | a clock ──► Wire.call ──► the neighbor's model

A call is named by what it does and to whom, and numbered, so that a fault-free run says where faults can strike.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.simulation.clock import Clock
from tests.simulation.fault import Fault, Kind, Position

IN_FLIGHT_SECONDS = 10.0
"""How long a call may still be under way after the process that sent it was killed."""
LATE_SECONDS = 7.0
"""How long after its client stopped waiting a slow call is carried out."""


class Killed(BaseException):
    """The process is dead. No code of the service catches this, as none could outlive the real thing."""


class Medium(Protocol):
    """How one neighbor says what went wrong. ``timeout`` is how long the client waits, in seconds."""

    @property
    def latency(self) -> float: ...

    @property
    def timeout(self) -> float: ...

    def error(self) -> Any:
        """An answer, or the exception that the client meets."""

    def throttled(self) -> Any: ...

    def lost(self) -> Exception: ...

    def lost_then_throttled(self) -> Exception: ...

    def timed_out(self) -> Exception: ...

    def garbled(self) -> Any: ...


@dataclass(slots=True, eq=False)
class Process:
    """One invocation of a function. Times are Unix seconds; at its deadline it is killed.

    ``pauses``: until when which tenant is to be left alone, as far as was written down when it started.
    """

    door: str
    started: float
    deadline: float
    pauses: Mapping[str, float] = field(default_factory=dict)
    dead: bool = False


_process: ContextVar[Process | None] = ContextVar("process", default=None)


@dataclass(slots=True)
class Wire:
    """Records calls and strikes them. ``plan`` holds at most one fault for each call.

    ``armed``: faults for the next call whose name begins so, whichever that will be.
    """

    clock: Clock
    plan: dict[str, Fault] = field(default_factory=dict)
    armed: list[tuple[str, Kind, Position]] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    fired: list[Fault] = field(default_factory=list)
    rival: Callable[[], object] = lambda: None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _counts: Counter[str] = field(default_factory=Counter)
    _attempts: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def process(self) -> Process | None:
        """Whose calls these are."""
        return _process.get()

    @contextmanager
    def of(self, process: Process) -> Iterator[None]:
        """What is called inside, threads that it hands work to included, is called by this process."""
        before = _process.set(process)
        try:
            yield
        finally:
            _process.reset(before)

    def call(self, name: str, medium: Medium, carry_out: Callable[[], Any], attempts_of: str | None = None) -> Any:
        """Pass one call on. ``attempts_of`` is the same for all attempts of the SDK at one call."""
        self.breathe()
        with self.lock:
            point, attempt = self._arrived(name, attempts_of)
            fault = self._fault_at(point)
            strikes = fault and (attempt == 1 or fault.kind in {Kind.ERROR, Kind.THROTTLE})
            if fault and attempt == 1:
                self.fired.append(fault)
        self.wait(medium.latency / 2)
        answer = (
            _Struck(self, medium, self._guarded(carry_out), attempt).by(fault)
            if fault and strikes
            else (self._guarded(carry_out)())
        )
        self.wait(medium.latency / 2)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look_at_clock(self, reader: str) -> float:
        """The time, read by this function of the service: a point at which a process may stand still or die."""
        self.breathe()
        with self.lock:
            point, _ = self._arrived(f"clock {reader}", None)
            fault = self._fault_at(point)
            if fault:
                self.fired.append(fault)
        if fault:
            _Struck(self, None, lambda: None, 1).by(fault)
        return self.clock.now

    def wait(self, seconds: float) -> None:
        """Time passes. A process whose deadline it passes is killed there."""
        process = self.process
        if process and self.clock.now + seconds >= process.deadline:
            self.clock.advance_to(process.deadline)
            self.die()
        self.clock.advance(seconds)
        self.breathe()

    def breathe(self) -> None:
        """Nothing happens in a process that is dead: not in its other threads either."""
        if self.process and self.process.dead:
            raise Killed

    def die(self) -> None:
        if self.process:
            self.process.dead = True
        raise Killed

    def _guarded(self, carry_out: Callable[[], Any]) -> Callable[[], Any]:
        """One call at a time reaches the neighbors: their models are not safe between threads."""

        def guarded() -> Any:
            with self.lock:
                return carry_out()

        return guarded

    def _fault_at(self, point: str) -> Fault | None:
        for armed in [*self.armed]:
            prefix, kind, position = armed
            if point not in self.plan and point.startswith(prefix):
                self.armed.remove(armed)
                self.plan[point] = Fault(kind, position, point)
        return self.plan.get(point)

    def _arrived(self, name: str, attempts_of: str | None) -> tuple[str, int]:
        known = self._attempts.get(attempts_of or "")
        if known:
            point, attempt = known[0], known[1] + 1
        else:
            self._counts[name] += 1
            point, attempt = f"{name}#{self._counts[name]}", 1
            self.recorded.append(point)
        if attempts_of:
            self._attempts[attempts_of] = (point, attempt)
        return point, attempt


@dataclass(frozen=True, slots=True)
class _Struck:
    """A call as the fault lets it go."""

    wire: Wire
    medium: Any
    carry_out: Callable[[], Any]
    attempt: int

    def by(self, fault: Fault) -> Any:
        after = fault.position is Position.AFTER
        match fault.kind:
            case Kind.KILL_UNDERWAY:
                self.wire.clock.at(self.wire.clock.now + IN_FLIGHT_SECONDS, self.carry_out)
                self.wire.die()
            case Kind.SLOW:
                return self._slow(after)
            case Kind.OVERRUN:
                return self._overrun(after)
            case Kind.THROTTLE if after and self.attempt > 1:
                return self.medium.throttled()
        answer = self.carry_out() if after else None
        self._suffer(fault.kind)
        instead = self._instead(fault.kind, after)
        if instead is not None:
            return instead
        return answer if after else self.carry_out()

    def _suffer(self, kind: Kind) -> None:
        """What happens to the process. Returns if it lives on."""
        wire = self.wire
        match kind:
            case Kind.KILL:
                wire.die()
            case Kind.FREEZE if wire.process:
                wire.wait(max(wire.process.deadline - wire.clock.now - 1, 0))
            case Kind.RIVAL:
                rival, wire.rival = wire.rival, lambda: None
                rival()
                wire.wait(0)  # the rival's time was this process's time, too

    def _instead(self, kind: Kind, after: bool) -> Any:
        """What the caller hears in place of the true answer; None when it hears that, if only later."""
        match kind:
            case Kind.ERROR:
                return self.medium.error()
            case Kind.THROTTLE:
                return self.medium.lost_then_throttled() if after else self.medium.throttled()
            case Kind.LOST:
                return self.medium.lost()
            case Kind.GARBLED:
                return self.medium.garbled()
        return None

    def _slow(self, after: bool) -> Exception:
        if after:
            self.carry_out()
        else:
            self.wire.clock.at(self.wire.clock.now + self.medium.timeout + LATE_SECONDS, self.carry_out)
        self.wire.wait(self.medium.timeout)
        late: Exception = self.medium.timed_out()
        return late

    def _overrun(self, after: bool) -> Any:
        process = self.wire.process
        deadline = process.deadline if process else self.wire.clock.now
        if after:
            self.carry_out()
        else:
            self.wire.clock.at(deadline + IN_FLIGHT_SECONDS, self.carry_out)
        self.wire.wait(deadline - self.wire.clock.now)
        self.wire.die()
