"""One chaos run: a storm by plan, then calm until all is quiet, then the judgment on what is left behind."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.chaos.cluster import Cluster, DeployedCode, start_cluster
from tests.chaos.coverage import Fired, coverage_gaps
from tests.chaos.history import RunRecord, collect_history
from tests.chaos.proxy import ProxiedCall, ProxyAction
from tests.chaos.quiesce import LedgerMonitor, PeriodicTask, redrive, wait_until_quiescent
from tests.chaos.schedule import Schedule, ScheduledRequest, make_schedule
from tests.chaos.surroundings import Surroundings
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

    @property
    def line(self) -> str:
        """The run in one line."""
        results = ", ".join(f"{number} {result}" for result, number in self.results.most_common())
        return (
            f"seed {self.seed:>3}: {self.requests} requests, {self.fired.total()} faults, "
            f"{len(self.fired.kills)} kills, {self.fired.changes.total()} changes, "
            f"{self.fired.hostile} hostile bodies; {results}; "
            f"{len(self.violations)} guarantees broken"
        )


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
        surroundings = Surroundings(self.cluster, dict(secrets), list(self.schedule.existing_types))
        monitor, callers = LedgerMonitor(self.cluster), Callers(self.cluster, surroundings.make)
        fired = self._inject_faults(monitor, callers, surroundings)
        redriven, rejected, quiet = self._recover(monitor)
        history = collect_history(self.cluster, self._record(monitor, callers, surroundings, secrets))
        results = Counter(each.data["result"] for each in self.cluster.feed.arrived)
        return ChaosResult(
            seed=self.schedule.seed,
            requests=self.schedule.requests + (self.schedule.signups if self.ours else 0),
            fired=fired,
            results=results,
            calls=self.calls,
            redriven=redriven,
            counts=counts_of(history),
            violations=self._broken(history, callers.hostile.violations(rejected), quiet),
            coverage_gaps=tuple(coverage_gaps([self.schedule], fired, results)) if self.ours else (),
        )

    def _record(
        self, monitor: LedgerMonitor, callers: Callers, surroundings: Surroundings, secrets: Mapping[str, str]
    ) -> RunRecord:
        existing = self.schedule.existing_types
        known = {*secrets.values(), *surroundings.secrets, self.cluster.stack.source_secrets[SOURCE]}
        return RunRecord(
            monitor=monitor,
            callers=callers,
            tenants=list(existing),
            secrets=frozenset(known),
            existing_types=existing,
            shared_by=self.schedule.shared_by,
            deleted=frozenset(surroundings.deleted),
            touched=frozenset(surroundings.touched),
        )

    def _broken(self, history: History, not_rejected: list[str], quiet: bool) -> tuple[Violation, ...]:
        if not self.ours:
            return ()
        unclear = [Violation("clear", description) for description in not_rejected]
        restless = [] if quiet else [Violation("settled", f"it was not quiet after {RECOVERY_SECONDS:.0f} s of calm")]
        return (*violations_of(history, INVARIANTS), *unclear, *restless)

    def _set_up(self) -> dict[str, str]:
        """The tenants with what they have, then everything that is to go wrong. Return the tenants' keys."""
        existing_types = self.schedule.existing_types.items()
        secrets = {
            each: self.cluster.add_tenant(each, types=[{"name": name} for name in names])
            for each, names in existing_types
        }
        secrets |= {each: self.cluster.add_tenant_of(each, owner) for each, owner in self.schedule.shared_by.items()}
        self.cluster.decide(self._action)
        for order in self.schedule.orders:
            self.cluster.close.call("POST", "faults/", order.body())
        self.cluster.close.call("PUT", "chaos/", self.schedule.chaos())
        self.cluster.burst.set(self.schedule.aws)
        return secrets

    def _action(self, call: ProxiedCall) -> ProxyAction:
        with self._lock:
            action = self.schedule.kills.get(self.calls.total(), ProxyAction.PASS)
            self.calls[call.request.name] += 1
        return action

    def _inject_faults(self, monitor: LedgerMonitor, callers: Callers, surroundings: Surroundings) -> Fired:
        """Everything fails until all is sent, and for a while after."""
        sweeps = PeriodicTask(self.cluster.sweep, SWEEP_SECONDS) if self.ours else nullcontext()
        with PeriodicTask(monitor.poll, POLL_SECONDS), sweeps:
            callers.send_all(self.schedule.turns() if self.ours else self._for_any_handler())
        self.say("all is sent")
        wait_until_quiescent(monitor, FAULT_PHASE_SECONDS, sweeps=False)
        self.cluster.decide(lambda _: ProxyAction.PASS)
        aws, close = self.cluster.burst.fired(self.schedule.aws), Counter(self.cluster.close.fired())
        self.cluster.burst.set([])
        self.cluster.close.disarm()
        kills = tuple(self.cluster.kills)
        return Fired(close, aws, kills, surroundings.made, callers.hostile.total(), monitor.remembered())

    def _for_any_handler(self) -> list[ScheduledRequest]:
        """The requests over HTTP and from the queue alone: the baseline handler has no webhooks."""
        return [each for each in self.schedule.scheduled_requests if each.entry_point != "webhook"]

    def _recover(self, monitor: LedgerMonitor) -> tuple[int, Counter[str], bool]:
        """Wait for quiescence without faults. Return the number of redriven messages, the rejected bodies, and whether
        it was reached.
        """
        self.say("calm")
        self.cluster.close.wait_until_quiet()
        quiet = wait_until_quiescent(monitor, RECOVERY_SECONDS, sweeps=self.ours)
        redriven, rejected = redrive(self.cluster)
        if redriven:
            quiet = wait_until_quiescent(monitor, RECOVERY_SECONDS, sweeps=self.ours)
        self.say("quiet" if quiet else "not quiet")
        return redriven, rejected, quiet
