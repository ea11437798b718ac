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

from tests.simulation.clock import SimulatedClock
from tests.simulation.fault import Fault, FaultKind, Position

IN_FLIGHT_SECONDS = 10.0
"""How long a call may still be under way after the process that sent it was killed."""
LATE_SECONDS = 7.0
"""How long after its client stopped waiting a slow call is carried out."""


class InvocationKilled(BaseException):
    """The process is dead. No code of the service catches this, as no code outlives a real process."""


class Failures(Protocol):
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

    def partial(self, *, carried_out: bool) -> Any: ...


@dataclass(slots=True, eq=False)
class Invocation:
    """One invocation of a function. Times are Unix seconds; at its deadline it is killed.

    ``pauses``: until when which tenant is to be left alone, as far as was written down when it started.
    """

    function: str
    started: float
    deadline: float
    pauses: Mapping[str, float] = field(default_factory=dict)
    killed: bool = False


_invocation: ContextVar[Invocation | None] = ContextVar("process", default=None)


@dataclass(slots=True)
class Network:
    """Records calls and strikes them. ``plan`` holds at most one fault for each call.

    ``armed``: faults for the next call whose name begins so, whichever that will be.
    """

    clock: SimulatedClock
    plan: dict[str, Fault] = field(default_factory=dict)
    armed: list[tuple[str, FaultKind, Position]] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    fired: list[Fault] = field(default_factory=list)
    rival: Callable[[], object] = lambda: None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _counts: Counter[str] = field(default_factory=Counter)
    _attempts: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def invocation(self) -> Invocation | None:
        """Whose calls these are."""
        return _invocation.get()

    @contextmanager
    def of(self, invocation: Invocation) -> Iterator[None]:
        """Attribute every call made inside, also by threads started there, to this invocation."""
        before = _invocation.set(invocation)
        try:
            yield
        finally:
            _invocation.reset(before)

    def call(self, name: str, failures: Failures, carry_out: Callable[[], Any], attempts_of: str | None = None) -> Any:
        """Pass one call on. ``attempts_of`` is the same for all attempts of the SDK at one call."""
        self.raise_if_killed()
        with self.lock:
            point, attempt = self._register(name, attempts_of)
            fault = self._fault_at(point)
            applies = fault and (attempt == 1 or fault.kind in {FaultKind.ERROR, FaultKind.THROTTLE})
            if fault and attempt == 1:
                self.fired.append(fault)
        self.wait(failures.latency / 2)
        response = (
            _FaultyCall(self, failures, self._guarded(carry_out), attempt).by(fault)
            if fault and applies
            else (self._guarded(carry_out)())
        )
        self.wait(failures.latency / 2)
        if isinstance(response, Exception):
            raise response
        return response

    def read_clock(self, reader: str) -> float:
        """The time, read by this function of the service: a point at which a process may stand still or die."""
        self.raise_if_killed()
        with self.lock:
            point, _ = self._register(f"clock {reader}", None)
            fault = self._fault_at(point)
            if fault:
                self.fired.append(fault)
        if fault:
            _FaultyCall(self, None, lambda: None, 1).by(fault)
        return self.clock.now

    def wait(self, seconds: float) -> None:
        """Time passes. A process whose deadline it passes is killed there."""
        invocation = self.invocation
        if invocation and self.clock.now + seconds >= invocation.deadline:
            self.clock.advance_to(invocation.deadline)
            self.kill()
        self.clock.advance(seconds)
        self.raise_if_killed()

    def raise_if_killed(self) -> None:
        """Nothing happens in a process that is dead: not in its other threads either."""
        if self.invocation and self.invocation.killed:
            raise InvocationKilled

    def kill(self) -> None:
        if self.invocation:
            self.invocation.killed = True
        raise InvocationKilled

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

    def _register(self, name: str, attempts_of: str | None) -> tuple[str, int]:
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
class _FaultyCall:
    """A call as the fault lets it go."""

    network: Network
    failures: Any
    carry_out: Callable[[], Any]
    attempt: int

    def by(self, fault: Fault) -> Any:
        after = fault.position is Position.AFTER
        match fault.kind:
            case FaultKind.KILL_UNDERWAY:
                self.network.clock.at(self.network.clock.now + IN_FLIGHT_SECONDS, self.carry_out)
                self.network.kill()
            case FaultKind.SLOW:
                return self._slow(after)
            case FaultKind.OVERRUN:
                return self._overrun(after)
            case FaultKind.THROTTLE if after and self.attempt > 1:
                return self.failures.throttled()
        response = self.carry_out() if after else None
        self._affect_invocation(fault.kind)
        instead = self._substitute(fault.kind, after)
        if instead is not None:
            return instead
        return response if after else self.carry_out()

    def _affect_invocation(self, kind: FaultKind) -> None:
        """Kill, freeze or delay the process. Return if it lives on."""
        network = self.network
        match kind:
            case FaultKind.KILL:
                network.kill()
            case FaultKind.FREEZE if network.invocation:
                network.wait(max(network.invocation.deadline - network.clock.now - 1, 0))
            case FaultKind.RIVAL:
                rival, network.rival = network.rival, lambda: None
                rival()
                network.wait(0)  # the rival's time was this process's time, too

    def _substitute(self, kind: FaultKind, after: bool) -> Any:
        """Return the answer in place of the true one; None if the caller receives the true one."""
        match kind:
            case FaultKind.ERROR:
                return self.failures.error()
            case FaultKind.THROTTLE:
                return self.failures.lost_then_throttled() if after else self.failures.throttled()
            case FaultKind.LOST:
                return self.failures.lost()
            case FaultKind.GARBLED:
                return self.failures.garbled()
            case FaultKind.PARTIAL:
                return self.failures.partial(carried_out=after)
        return None

    def _slow(self, after: bool) -> Exception:
        if after:
            self.carry_out()
        else:
            self.network.clock.at(self.network.clock.now + self.failures.timeout + LATE_SECONDS, self.carry_out)
        self.network.wait(self.failures.timeout)
        late: Exception = self.failures.timed_out()
        return late

    def _overrun(self, after: bool) -> Any:
        invocation = self.network.invocation
        deadline = invocation.deadline if invocation else self.network.clock.now
        if after:
            self.carry_out()
        else:
            self.network.clock.at(deadline + IN_FLIGHT_SECONDS, self.carry_out)
        self.network.wait(deadline - self.network.clock.now)
        self.network.kill()
