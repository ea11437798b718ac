"""Real processes, killed at chosen calls: before or after each call that a request makes, at each door.

The calls are those of a request that nothing happens to, written down first: a new call is killed at by itself. Every
case is a tenant of its own, and a worker takes one message at a time, so that a kill meets one request.
"""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.chaos.cluster import Stage, stage
from tests.chaos.history import Seen, evidence
from tests.chaos.peer_process import lives
from tests.chaos.proxy import Call, Fate
from tests.chaos.quiesce import Watch, until_quiet
from tests.chaos.schedule import Sending
from tests.chaos.workload import Callers
from tests.e2e.world import eventually
from tests.simulation.callers import body
from tests.simulation.counts import Tally, tally
from tests.simulation.invariants import EVERYWHERE, Broken, broken_by

DOORS = ("http", "sqs", "webhook")
CALLERS = 4
QUIET_SECONDS = 150.0
LEASE = "dynamodb.UpdateItem#1"
"""From here on somebody may have created something."""


@dataclass(frozen=True, slots=True)
class Case:
    """The process that makes this call (``dynamodb.PutItem#1``) for a request at this door is killed."""

    door: str
    call: str
    fate: Fate

    def __str__(self) -> str:
        return f"{self.door}: killed {self.fate} {self.call}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``killed``: processes that are dead, at the calls that were aimed at. ``results``: outcomes on the topic."""

    cases: tuple[Case, ...]
    killed: int
    results: Counter[str]
    tally: Tally
    broken: tuple[Broken, ...]


def run(state: str = "kills", *, only_critical: bool = False) -> Verdict:
    """All cases on one stack. ``only_critical``: after each call from the lease on, over HTTP and from the queue."""
    with stage(state, batch=1) as up:
        killer = _Killer.on(up)
        calls = {door: killer.calls_of(door) for door in (DOORS[:2] if only_critical else DOORS)}
        if only_critical:
            calls = {door: made[made.index(LEASE) :] for door, made in calls.items()}
        fates = [Fate.KILLED_AFTER] if only_critical else [Fate.KILLED_BEFORE, Fate.KILLED_AFTER]
        return killer.play([Case(door, call, fate) for door in calls for call in calls[door] for fate in fates])


@dataclass(slots=True)
class _Killer:
    """``working_for``: the tenant that a process was last heard of by name; calls that name nobody are for that one."""

    stage: Stage
    watch: Watch
    callers: Callers
    secrets: dict[str, str] = field(default_factory=dict)
    aimed: dict[str, Case] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    invocations: set[str] = field(default_factory=set)
    working_for: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def on(cls, stage: Stage) -> Self:
        killer = cls(stage, Watch(stage), Callers(stage))
        stage.decide(killer.decide)
        return killer

    def calls_of(self, door: str) -> list[str]:
        """What a request that nothing happens to calls: of three, the one that had the least to do again."""
        return min((self._recorded(door, name) for name in ("first", "second", "third")), key=len)

    def _recorded(self, door: str, name: str) -> list[str]:
        """Until after it is announced."""
        sending = self._sending(door, name)
        self.callers.send_all([sending], 1)
        tenant = sending.request["tenant"]
        self.stage.feed.wait_for(lambda each: each.concerns[0] == tenant, QUIET_SECONDS)
        return eventually(lambda: self._until_announced(tenant))

    def _until_announced(self, tenant: str) -> list[str] | None:
        """Its calls up to the one after the publish; None while that is still to come."""
        with self._lock:
            made = list(self.calls[tenant])
        published = next((number for number, call in enumerate(made) if call.startswith("sns.")), len(made))
        return made[: published + 2] if len(made) > published + 1 else None

    def play(self, cases: Sequence[Case]) -> Verdict:
        sendings = [self._sending(case.door, f"{number:02}") for number, case in enumerate(cases)]
        self.aimed = {sending.request["tenant"]: case for sending, case in zip(sendings, cases, strict=True)}
        self.callers.send_all(sendings, CALLERS)
        quiet = until_quiet(self.watch, QUIET_SECONDS, sweeps=True)
        seen = evidence(
            self.stage, Seen(self.watch, self.callers, list(self.secrets), frozenset(self.secrets.values()))
        )
        restless = [] if quiet else [Broken("settled", f"it was not quiet after {QUIET_SECONDS:.0f} s")]
        return Verdict(
            cases=tuple(cases),
            killed=sum(not lives(kill.pid) for kill in self.stage.kills),
            results=Counter(each.data["result"] for each in self.stage.feed.arrived),
            tally=tally(seen),
            broken=(*broken_by(seen, EVERYWHERE), *restless),
        )

    def _sending(self, door: str, name: str) -> Sending:
        """One request of a new tenant."""
        tenant = f"victim-{door}-{name}"
        self.secrets[tenant] = self.stage.add_tenant(tenant)
        return Sending(door, body(f"r-{door}-{name}", "Account", tenant))

    def decide(self, call: Call) -> Fate:
        """Whether this is the call at which this tenant's process is to die. Each dies once."""
        pid = call.caller()
        if pid is None or self._is_repeated(call):
            return Fate.PASSES
        named = re.search(rb"victim-[a-z]+-\w+", call.request.body)
        with self._lock:
            if named:
                self.working_for[pid] = named[0].decode()
            tenant = self.working_for.get(pid, "")
            calls = self.calls[tenant]
            name = f"{call.request.name}#{sum(each.startswith(call.request.name) for each in calls) + 1}"
            calls.append(name)
            case = self.aimed.get(tenant)
            if case is None or case.call != name:
                return Fate.PASSES
            del self.aimed[tenant]
            return case.fate

    def _is_repeated(self, call: Call) -> bool:
        """Whether the SDK makes the same call another time."""
        invocation = call.request.header("amz-sdk-invocation-id")
        with self._lock:
            known = invocation in self.invocations
            self.invocations |= {invocation} - {""}
        return known
