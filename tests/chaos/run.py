"""One chaos run: a storm by plan, then calm until all is quiet, then the judgment on what is left behind."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.chaos.cluster import Code, Stage, stage
from tests.chaos.coverage import missed
from tests.chaos.history import Seen, evidence
from tests.chaos.proxy import Call, Fate, Kill
from tests.chaos.quiesce import Regularly, Watch, redrive, until_quiet
from tests.chaos.schedule import Plan, make
from tests.chaos.workload import Callers
from tests.simulation.counts import Tally, tally
from tests.simulation.history import Evidence
from tests.simulation.invariants import EVERYWHERE, Broken, broken_by
from tests.simulation.webhook_senders import SOURCE

LOOK_SECONDS = 3.0
SWEEP_SECONDS = 15.0
STORM_SECONDS = 25.0
"""How long everything goes on failing, at most, when all is sent."""
CALM_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Fired:
    """How often things went wrong: faults at Close and at AWS by name, and kills."""

    close: Counter[str]
    aws: Counter[str]
    kills: tuple[Kill, ...]

    def total(self) -> int:
        return self.close.total() + self.aws.total() + len(self.kills)


@dataclass(frozen=True, slots=True)
class Result:
    """``results``: of outcomes on the topic. ``missed``: what happened too seldom. ``calls``: to all neighbors."""

    seed: str
    requests: int
    fired: Fired
    results: Counter[str]
    calls: Counter[str]
    redriven: int
    tally: Tally
    broken: tuple[Broken, ...]
    missed: tuple[str, ...]


def run(
    seed: str, requests: int, *, code: Code | None = None, state: str = "chaos", say: Callable[[str], object] = print
) -> Result:
    """``code``: what is deployed instead of the service; it is not held to the service's promises."""
    with stage(state, seed=seed, code=code) as up:
        say("the stack is up")
        return _Run(make(seed, requests), up, code is None, say).play()


@dataclass(slots=True)
class _Run:
    plan: Plan
    stage: Stage
    ours: bool
    say: Callable[[str], object]
    calls: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self) -> Result:
        secrets = self._furnish()
        watch, callers = Watch(self.stage), Callers(self.stage)
        fired = self._storm(watch, callers)
        redriven, quiet = self._calm(watch)
        seen = evidence(self.stage, Seen(watch, callers, list(self.plan.there), secrets, self.plan.there))
        results = Counter(each.data["result"] for each in self.stage.feed.arrived)
        return Result(
            seed=self.plan.seed,
            requests=self.plan.requests + (self.plan.signups if self.ours else 0),
            fired=fired,
            results=results,
            calls=self.calls,
            redriven=redriven,
            tally=tally(seen),
            broken=self._broken(seen, quiet),
            missed=tuple(missed(self.plan, fired.close, fired.aws, fired.kills, results)) if self.ours else (),
        )

    def _broken(self, seen: Evidence, quiet: bool) -> tuple[Broken, ...]:
        if not self.ours:
            return ()
        restless = [] if quiet else [Broken("settled", f"it was not quiet after {CALM_SECONDS:.0f} s of calm")]
        return (*broken_by(seen, EVERYWHERE), *restless)

    def _furnish(self) -> frozenset[str]:
        """The tenants with what they have, then everything that is to go wrong. The secrets of tenants and sender."""
        there = self.plan.there.items()
        secrets = {self.stage.add_tenant(each, types=[{"name": name} for name in names]) for each, names in there}
        self.stage.decide(self._fate)
        for order in self.plan.orders:
            self.stage.close.call("POST", "faults/", order.body())
        self.stage.close.call("PUT", "chaos/", self.plan.chaos())
        self.stage.burst.set(self.plan.aws)
        return frozenset({*secrets, self.stage.stack.source_secrets[SOURCE]})

    def _fate(self, call: Call) -> Fate:
        with self._lock:
            fate = self.plan.kills.get(self.calls.total(), Fate.PASSES)
            self.calls[call.request.name] += 1
        return fate

    def _storm(self, watch: Watch, callers: Callers) -> Fired:
        """Everything fails until all is sent, and for a while after."""
        sweeps = Regularly(self.stage.sweep, SWEEP_SECONDS) if self.ours else nullcontext()
        with Regularly(watch.look, LOOK_SECONDS), sweeps:
            callers.send_all([each for each in self.plan.sendings if self.ours or each.door != "webhook"])
        self.say("all is sent")
        until_quiet(watch, STORM_SECONDS, sweeps=False)
        self.stage.decide(lambda _: Fate.PASSES)
        aws, close = self.stage.burst.fired(self.plan.aws), Counter(self.stage.close.fired())
        self.stage.burst.set([])
        self.stage.close.disarm()
        return Fired(close, aws, tuple(self.stage.kills))

    def _calm(self, watch: Watch) -> tuple[int, bool]:
        """Nothing fails any more, and everything comes to rest: how many dead letters were redriven, and whether so."""
        self.say("calm")
        self.stage.close.wait_until_quiet()
        quiet = until_quiet(watch, CALM_SECONDS, sweeps=self.ours)
        if redriven := redrive(self.stage):
            quiet = until_quiet(watch, CALM_SECONDS, sweeps=self.ours)
        self.say("quiet" if quiet else "not quiet")
        return redriven, quiet
