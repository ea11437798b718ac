"""One chaos run: a storm by plan, then calm until all is quiet, then the judgement on what is left behind."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

from provisioner.contract import natural_key
from tests.chaos.floors import missed
from tests.chaos.gate import Call, Fate, Kill
from tests.chaos.plan import Plan, make
from tests.chaos.quiet import Regularly, Watch, redrive, until_quiet
from tests.chaos.stage import Code, Stage, stage
from tests.chaos.storm import Callers
from tests.faults.evidence import Arrived, Evidence, by_request
from tests.faults.promises import EVERYWHERE, Broken, broken_by
from tests.faults.tally import Tally, tally

LOOK_SECONDS = 3.0
SWEEP_SECONDS = 15.0
STORM_SECONDS = 25.0
"""How long everything goes on failing, at most, when all is sent."""
CALM_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Fired:
    """How often things went wrong: faults at Close and at AWS by name, and kills. ``tried``: how many were planned."""

    close: Counter[str]
    aws: Counter[str]
    kills: tuple[Kill, ...]
    tried: int

    def total(self) -> int:
        return self.close.total() + self.aws.total() + len(self.kills)


@dataclass(frozen=True, slots=True)
class Result:
    """``results``: of outcomes on the topic. ``missed``: what happened too seldom. ``calls``: to all neighbours."""

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
        evidence = self._evidence(watch, callers, secrets)
        self._keep(evidence)
        results = Counter(each.data["result"] for each in self.stage.feed.arrived)
        return Result(
            seed=self.plan.seed,
            requests=self.plan.requests,
            fired=fired,
            results=results,
            calls=self.calls,
            redriven=redriven,
            tally=tally(evidence),
            broken=self._broken(evidence, quiet),
            missed=tuple(missed(self.plan, fired.close, fired.aws, fired.kills, results if self.ours else None)),
        )

    def _broken(self, evidence: Evidence, quiet: bool) -> tuple[Broken, ...]:
        if not self.ours:
            return ()
        restless = [] if quiet else [Broken("settled", f"it was not quiet after {CALM_SECONDS:.0f} s of calm")]
        return (*broken_by(evidence, EVERYWHERE), *restless)

    def _furnish(self) -> frozenset[str]:
        """The tenants with what they have, then everything that is to go wrong. The tenants' secrets."""
        there = self.plan.there.items()
        secrets = {self.stage.add_tenant(each, types=[{"name": name} for name in names]) for each, names in there}
        self.stage.decide(self._fate)
        for order in self.plan.orders:
            self.stage.close.call("POST", "faults/", order.body())
        self.stage.close.call("PUT", "chaos/", self.plan.chaos())
        self.stage.burst.set(self.plan.aws)
        return frozenset(secrets)

    def _fate(self, call: Call) -> Fate:
        with self._lock:
            fate = self.plan.kills.get(self.calls.total(), Fate.PASSES)
            self.calls[call.request.name] += 1
        return fate

    def _storm(self, watch: Watch, callers: Callers) -> Fired:
        """Everything fails until all is sent, and for a while after."""
        sweeps = Regularly(self.stage.sweep, SWEEP_SECONDS) if self.ours else nullcontext()
        with Regularly(watch.look, LOOK_SECONDS), sweeps:
            callers.send_all(self.plan.sendings)
        self.say("all is sent")
        until_quiet(watch, STORM_SECONDS, sweeps=False)
        self.stage.decide(lambda _: Fate.PASSES)
        aws, close = self.stage.burst.fired(self.plan.aws), Counter(self.stage.close.fired())
        self.stage.burst.set([])
        self.stage.close.disarm()
        return Fired(close, aws, tuple(self.stage.kills), self._tried())

    def _tried(self) -> int:
        """Everything was tried that was to happen for sure; chance is not counted before it strikes."""
        return len(self.plan.orders) + sum(each.sure_after is not None for each in self.plan.aws) + len(self.plan.kills)

    def _calm(self, watch: Watch) -> tuple[int, bool]:
        """Nothing fails any more, and everything comes to rest: how many dead letters were redriven, and whether so."""
        self.say("calm")
        self.stage.close.wait_until_quiet()
        quiet = until_quiet(watch, CALM_SECONDS, sweeps=self.ours)
        if redriven := redrive(self.stage):
            quiet = until_quiet(watch, CALM_SECONDS, sweeps=self.ours)
        self.say("quiet" if quiet else "not quiet")
        return redriven, quiet

    def _evidence(self, watch: Watch, callers: Callers, secrets: frozenset[str]) -> Evidence:
        self.stage.feed.poll(1)
        tenants = list(self.plan.there)
        stored = [each for tenant in tenants for each in self.stage.stored(tenant)]
        there = {(tenant, natural_key(name)) for tenant, names in self.plan.there.items() for name in names}
        return Evidence(
            asked=list(callers.asked.values()),
            tenants=tenants,
            stored=stored,
            made=frozenset({each.named for each in stored} - there),
            arrived=[_arrived(each) for each in self.stage.close.requests()],
            items=watch.items,
            changed=sorted(watch.changed),
            events=by_request([each.event for each in self.stage.feed.arrived]),
            places=dict(self._places(watch, callers)),
            secrets=secrets,
        )

    def _places(self, watch: Watch, callers: Callers) -> Iterator[tuple[str, str]]:
        yield "the logs", "\n".join(self.stage.logged())
        yield "the emulator's own log", self.stage.stack.servers[0].log.read_text(errors="replace")
        yield "the ledger", json.dumps(watch.items)
        yield "an event", "\n".join(each.text for each in self.stage.feed.arrived)
        yield "an answer", json.dumps([asked.answers for asked in callers.asked.values()])
        yield "a dead letter", json.dumps(self.stage.dead_letters())

    def _keep(self, evidence: Evidence) -> None:
        """Beside the logs, for whoever wants to know how it came to what was found."""
        told = {
            "ledger": evidence.items,
            "events": [each.event for each in self.stage.feed.arrived],
            "close": self.stage.close.requests(),
            "types": [asdict(each) for each in evidence.stored],
            "asked": [asdict(each) for each in evidence.asked],
        }
        self.stage.folder.joinpath("evidence.json").write_text(json.dumps(told, default=sorted, indent=1))


def _arrived(entry: dict[str, Any]) -> Arrived:
    organization = (entry["organization_id"] or "").removeprefix("orga_")
    return Arrived(organization, entry["method"], entry["path"], entry["type_name"])
