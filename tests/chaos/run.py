"""One chaos run: a storm by plan, then calm until all is quiet, then the judgment on what is left behind."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.chaos.cluster import Cluster, DeployedCode, start_cluster
from tests.chaos.coverage import coverage_gaps
from tests.chaos.history import RunRecord, collect_history
from tests.chaos.proxy import Kill, ProxiedCall, ProxyAction
from tests.chaos.quiesce import LedgerMonitor, PeriodicTask, redrive, wait_until_quiescent
from tests.chaos.schedule import Schedule, make_schedule
from tests.chaos.workload import Callers
from tests.simulation.counts import Counts, counts_of
from tests.simulation.history import History
from tests.simulation.invariants import INVARIANTS, Violation, violations_of
from tests.simulation.webhook_senders import SOURCE

POLL_SECONDS = 3.0
SWEEP_SECONDS = 15.0
FAULT_PHASE_SECONDS = 25.0
"""How long everything goes on failing, at most, when all is sent."""
RECOVERY_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Fired:
    """The faults that fired, at Close and at AWS by name, and the kills."""

    close: Counter[str]
    aws: Counter[str]
    kills: tuple[Kill, ...]

    def total(self) -> int:
        return self.close.total() + self.aws.total() + len(self.kills)


@dataclass(frozen=True, slots=True)
class ChaosResult:
    """``results``: of outcomes on the topic. ``missed``: what happened too seldom. ``calls``: to all neighbors."""

    seed: str
    requests: int
    fired: Fired
    results: Counter[str]
    calls: Counter[str]
    redriven: int
    counts: Counts
    violations: tuple[Violation, ...]
    coverage_gaps: tuple[str, ...]


def run(
    seed: str,
    requests: int,
    *,
    code: DeployedCode | None = None,
    state: str = "chaos",
    say: Callable[[str], object] = print,
) -> ChaosResult:
    """``code``: what is deployed instead of the service; it is not held to the service's promises."""
    with start_cluster(state, seed=seed, code=code) as up:
        say("the stack is up")
        return _Run(make_schedule(seed, requests), up, code is None, say).run()


@dataclass(slots=True)
class _Run:
    schedule: Schedule
    cluster: Cluster
    ours: bool
    say: Callable[[str], object]
    calls: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> ChaosResult:
        secrets = self._set_up()
        monitor, callers = LedgerMonitor(self.cluster), Callers(self.cluster)
        fired = self._inject_faults(monitor, callers)
        redriven, quiet = self._recover(monitor)
        history = collect_history(
            self.cluster,
            RunRecord(monitor, callers, list(self.schedule.existing_types), secrets, self.schedule.existing_types),
        )
        results = Counter(each.data["result"] for each in self.cluster.feed.arrived)
        return ChaosResult(
            seed=self.schedule.seed,
            requests=self.schedule.requests + (self.schedule.signups if self.ours else 0),
            fired=fired,
            results=results,
            calls=self.calls,
            redriven=redriven,
            counts=counts_of(history),
            violations=self._broken(history, quiet),
            coverage_gaps=tuple(coverage_gaps(self.schedule, fired.close, fired.aws, fired.kills, results))
            if self.ours
            else (),
        )

    def _broken(self, history: History, quiet: bool) -> tuple[Violation, ...]:
        if not self.ours:
            return ()
        restless = [] if quiet else [Violation("settled", f"it was not quiet after {RECOVERY_SECONDS:.0f} s of calm")]
        return (*violations_of(history, INVARIANTS), *restless)

    def _set_up(self) -> frozenset[str]:
        """The tenants with what they have, then everything that is to go wrong. The secrets of tenants and sender."""
        existing_types = self.schedule.existing_types.items()
        secrets = {
            self.cluster.add_tenant(each, types=[{"name": name} for name in names]) for each, names in existing_types
        }
        self.cluster.decide(self._action)
        for order in self.schedule.orders:
            self.cluster.close.call("POST", "faults/", order.body())
        self.cluster.close.call("PUT", "chaos/", self.schedule.chaos())
        self.cluster.burst.set(self.schedule.aws)
        return frozenset({*secrets, self.cluster.stack.source_secrets[SOURCE]})

    def _action(self, call: ProxiedCall) -> ProxyAction:
        with self._lock:
            action = self.schedule.kills.get(self.calls.total(), ProxyAction.PASS)
            self.calls[call.request.name] += 1
        return action

    def _inject_faults(self, monitor: LedgerMonitor, callers: Callers) -> Fired:
        """Everything fails until all is sent, and for a while after."""
        sweeps = PeriodicTask(self.cluster.sweep, SWEEP_SECONDS) if self.ours else nullcontext()
        with PeriodicTask(monitor.poll, POLL_SECONDS), sweeps:
            callers.send_all(
                [each for each in self.schedule.scheduled_requests if self.ours or each.entry_point != "webhook"]
            )
        self.say("all is sent")
        wait_until_quiescent(monitor, FAULT_PHASE_SECONDS, sweeps=False)
        self.cluster.decide(lambda _: ProxyAction.PASS)
        aws, close = self.cluster.burst.fired(self.schedule.aws), Counter(self.cluster.close.fired())
        self.cluster.burst.set([])
        self.cluster.close.disarm()
        return Fired(close, aws, tuple(self.cluster.kills))

    def _recover(self, monitor: LedgerMonitor) -> tuple[int, bool]:
        """Wait for quiescence without faults. Return the number of redriven messages, and whether it was reached."""
        self.say("calm")
        self.cluster.close.wait_until_quiet()
        quiet = wait_until_quiescent(monitor, RECOVERY_SECONDS, sweeps=self.ours)
        if redriven := redrive(self.cluster):
            quiet = wait_until_quiescent(monitor, RECOVERY_SECONDS, sweeps=self.ours)
        self.say("quiet" if quiet else "not quiet")
        return redriven, quiet
