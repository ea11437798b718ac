"""Real processes, killed at chosen calls: before or after each call that a request makes, at each entry point.

The calls are those of a request that nothing happens to, written down first: a new call is killed at by itself. Every
case is a tenant of its own, and a worker takes one message at a time, so that a kill meets one request.
"""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Self

from tests.chaos.cluster import Cluster, start_cluster
from tests.chaos.history import RunRecord, collect_history
from tests.chaos.judged import JudgedCalls
from tests.chaos.peer_process import is_running
from tests.chaos.proxy import ProxiedCall, ProxyAction
from tests.chaos.quiesce import LedgerMonitor, wait_until_quiescent
from tests.chaos.schedule import ScheduledRequest
from tests.chaos.workload import Callers
from tests.e2e.world import eventually
from tests.simulation.callers import body
from tests.simulation.counts import Counts, counts_of
from tests.simulation.invariants import INVARIANTS, Violation, violations_of

ENTRY_POINTS = ("http", "sqs", "webhook")
CALLERS = 4
QUIET_SECONDS = 150.0
SOON_SECONDS = 40.0
LEASE = "dynamodb.UpdateItem#1"
"""From this call on, a process may have created a type."""


@dataclass(frozen=True, slots=True)
class KillCase:
    """The process that makes this call (``dynamodb.PutItem#1``) for a request at this entry point is killed."""

    entry_point: str
    call: str
    action: ProxyAction

    def __str__(self) -> str:
        return f"{self.entry_point}: killed {self.action} {self.call}"


@dataclass(frozen=True, slots=True)
class KillsResult:
    """``killed``: processes that are dead, at the calls that were aimed at. ``results``: outcomes on the topic.

    ``judged``: calls to AWS that were judged, by handler; what real AWS would refuse is among the violations.
    """

    cases: tuple[KillCase, ...]
    killed: int
    results: Counter[str]
    counts: Counts
    violations: tuple[Violation, ...]
    judged: Counter[str]


def run(state: str = "kills", *, only_critical: bool = False) -> KillsResult:
    """All cases on one stack. ``only_critical``: after each call from the lease on, over HTTP and from the queue."""
    with start_cluster(state, batch=1) as up:
        nemesis = _Nemesis.on(up)
        calls = {
            entry_point: nemesis.calls_of(entry_point)
            for entry_point in (ENTRY_POINTS[:2] if only_critical else ENTRY_POINTS)
        }
        if only_critical:
            calls = {entry_point: created[created.index(LEASE) :] for entry_point, created in calls.items()}
        actions = [ProxyAction.KILL_AFTER] if only_critical else [ProxyAction.KILL_BEFORE, ProxyAction.KILL_AFTER]
        return nemesis.run(
            [
                KillCase(entry_point, call, action)
                for entry_point in calls
                for call in calls[entry_point]
                for action in actions
            ]
        )


@dataclass(slots=True)
class _Nemesis:
    """``working_for``: the tenant that a process named last; its calls without a tenant belong to that one."""

    cluster: Cluster
    monitor: LedgerMonitor
    callers: Callers
    gate: JudgedCalls
    secrets: dict[str, str] = field(default_factory=dict)
    aimed: dict[str, KillCase] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    invocations: set[str] = field(default_factory=set)
    working_for: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def on(cls, cluster: Cluster) -> Self:
        nemesis = cls(cluster, LedgerMonitor(cluster), Callers(cluster), JudgedCalls.of(cluster.stack.description))
        cluster.decide(nemesis.decide)
        return nemesis

    def calls_of(self, entry_point: str) -> list[str]:
        """Return the calls of a request without faults: of three requests, the one with the fewest repetitions."""
        recorded = (self._recorded(entry_point, name) for name in ("first", "second", "third", "fourth", "fifth"))
        return min(islice(filter(None, recorded), 3), key=len)

    def _recorded(self, entry_point: str, name: str) -> list[str] | None:
        """Until after it is announced. None if it is not soon: its function timed out while the machine was busy."""
        scheduled = self._sending(entry_point, name)
        self.callers.send_all([scheduled], 1)
        tenant = scheduled.request["tenant"]
        try:
            self.cluster.feed.wait_for(lambda each: each.concerns[0] == tenant, SOON_SECONDS)
        except TimeoutError:
            return None
        return eventually(lambda: self._until_announced(tenant))

    def _until_announced(self, tenant: str) -> list[str] | None:
        """Its calls up to the one after the publish; None while that is still to come."""
        with self._lock:
            created = list(self.calls[tenant])
        published = next((number for number, call in enumerate(created) if call.startswith("sns.")), len(created))
        return created[: published + 2] if len(created) > published + 1 else None

    def run(self, cases: Sequence[KillCase]) -> KillsResult:
        scheduled_requests = [self._sending(case.entry_point, f"{number:02}") for number, case in enumerate(cases)]
        self.aimed = {
            scheduled.request["tenant"]: case for scheduled, case in zip(scheduled_requests, cases, strict=True)
        }
        self.callers.send_all(scheduled_requests, CALLERS)
        quiet = wait_until_quiescent(self.monitor, QUIET_SECONDS, sweeps=True)
        history = collect_history(
            self.cluster, RunRecord(self.monitor, self.callers, list(self.secrets), frozenset(self.secrets.values()))
        )
        restless = [] if quiet else [Violation("settled", f"it was not quiet after {QUIET_SECONDS:.0f} s")]
        return KillsResult(
            cases=tuple(cases),
            killed=sum(not is_running(kill.pid) for kill in self.cluster.kills),
            results=Counter(each.data["result"] for each in self.cluster.feed.arrived),
            counts=counts_of(history),
            violations=(
                *violations_of(history, INVARIANTS),
                *restless,
                *(Violation("(requests that AWS takes)", each) for each in self.gate.faults),
            ),
            judged=self.gate.judged,
        )

    def _sending(self, entry_point: str, name: str) -> ScheduledRequest:
        """One request of a new tenant."""
        tenant = f"victim-{entry_point}-{name}"
        self.secrets[tenant] = self.cluster.add_tenant(tenant)
        return ScheduledRequest(entry_point, body(f"r-{entry_point}-{name}", "Account", tenant))

    def decide(self, call: ProxiedCall) -> ProxyAction:
        """Whether this is the call at which this tenant's process is to die. Each dies once."""
        pid = call.caller()
        if pid is None or self._is_repeated(call):
            return ProxyAction.PASS
        key = re.search(rb"victim-[a-z]+-\w+", call.request.body)
        with self._lock:
            self.gate.note(call, pid)
            if key:
                self.working_for[pid] = key[0].decode()
            tenant = self.working_for.get(pid, "")
            calls = self.calls[tenant]
            name = f"{call.request.name}#{sum(each.startswith(call.request.name) for each in calls) + 1}"
            calls.append(name)
            case = self.aimed.get(tenant)
            if case is None or case.call != name:
                return ProxyAction.PASS
            del self.aimed[tenant]
            return case.action

    def _is_repeated(self, call: ProxiedCall) -> bool:
        """Whether the SDK makes the same call another time."""
        invocation = call.request.header("amz-sdk-invocation-id")
        with self._lock:
            known = invocation in self.invocations
            self.invocations |= {invocation} - {""}
        return known
