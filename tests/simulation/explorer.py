"""Plays every order of the calls of several requests, with kills, lost responses and a person's changes in between.

A *schedule* is a list of choices: which request makes its next call, and whether a fault strikes it. The explorer plays
schedules depth first, each from the start, and stops where it has met the same state before: the ledger, Close, the
clock, and what each run has received so far. So two orders that come to the same are played once.

The ledger is in memory (tests/integration/service/test_ledger.py holds it to the real one), Close is simulated.
"""

import hashlib
import json
import random
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest.mock import patch

import httpx

from infra.simulator.api import custom_fields, custom_object_types, shared_fields
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.text import natural_key
from provisioner.reconcile.provisioner import Job, Provisioner
from tests.close import ID, DirectHttp, SimulatedClose
from tests.fakes import Clock, MemoryLedger, MemoryTopic

LAG = 60.0
KILLED_SECONDS = 100.0
"""After a kill, the message is delivered again when the lease of its run has expired."""
BUSY_SECONDS = 31.0
"""A run that finds the lease taken comes back after this time, instead of up to 45 times before the lease expires."""
MAX_RUNS = 20
"""Runs of one request, at most: then it is a dead-letter message."""

ALONE = {
    *("MemoryTopic.publish", "MemoryTopic.publish_type"),
    *("MemoryLedger.mark_published", "MemoryLedger.record_deferral"),
    *("MemoryLedger.paused_until", "MemoryLedger.tenant", "MemoryLedger.stored_outcome", "GET me/"),
}
"""Calls that touch nothing that a run of another request touches: their place among its calls makes no difference."""

GO, KILL, KILL_AFTER, LOSE = "go", "kill", "kill after", "lose the response of"


class Stopped(BaseException):
    """The run was killed here, or the explorer has seen enough."""


class Choice(NamedTuple):
    """The request ``actor`` makes its next call (or begins its next run), or a person does something."""

    actor: int
    action: str


class ExecutedCreate(NamedTuple):
    """A create that Close executed. ``scope``: what was created, and on which type."""

    request: str
    scope: str
    name: str
    close_id: str


@dataclass(frozen=True)
class Exercise:
    """Requests that run side by side, and what may go wrong.

    ``person``: a change that a person may make once; during a run only if ``person_interrupts``. ``before``: requests
    that are settled already.
    """

    name: str
    requests: Sequence[ProvisioningRequest]
    kills: int = 0
    losses: int = 0
    person: Callable[[SimulatedClose], bool] | None = None
    before: Sequence[ProvisioningRequest] = ()
    person_interrupts: bool = True
    alone: Set[str] = frozenset(ALONE)


@dataclass
class Actor:
    """One request and its present run, in a thread that moves only when the explorer says so."""

    request: ProvisioningRequest
    ready_at: float
    outcome: Outcome | None = None
    runs: int = 0
    call: str | None = None  # that the run is about to make
    is_write: bool = False
    heard: str = ""  # a digest of every response that the present run received
    order: str | None = None
    error: BaseException | None = None
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self.call is not None

    @property
    def is_finished(self) -> bool:
        return not self.is_running and (self.outcome is not None or self.runs >= MAX_RUNS)


class TakingTurns:
    """A part of the service whose every call waits for its turn."""

    def __init__(self, part: Any, turn: Callable[..., Any]) -> None:
        self._part, self._turn = part, turn

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        return lambda *given, **further: self._turn(
            f"{type(self._part).__name__}.{name}", False, lambda: method(*given, **further)
        )


def http_taking_turns(close: SimulatedClose, turn: Callable[..., Any]) -> DirectHttp:
    """Every request to Close waits for its turn."""

    def respond(request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path.removeprefix('/api/v1/')}"
        response: httpx.Response | None = turn(
            call, request.method != "GET", lambda: close.simulator.handle(request), request.content
        )
        if response is None:
            raise httpx.ReadError("the response was lost", request=request)
        return response

    return DirectHttp(respond)


class Play:
    """One schedule, from the start to its end, or to a state that was met before."""

    def __init__(self, scenario: Exercise) -> None:
        self.scenario, self.clock = scenario, Clock()
        self.ledger, self.topic = MemoryLedger(self.clock), MemoryTopic()
        self.close = SimulatedClose(self.clock)
        self.kills, self.losses, self.person = scenario.kills, scenario.losses, scenario.person
        if "MemoryLedger.tenant" in scenario.alone:
            for tenant in {each.tenant for each in scenario.requests}:
                self.ledger.bind(self.ledger.tenant(tenant), ID)
        self.actors = [Actor(request, self.clock()) for request in scenario.requests]
        self.moved = threading.Semaphore(0)
        self.sent: list[ExecutedCreate] = []
        for request in scenario.before:
            provisioner = Provisioner(self.ledger, self.topic, LAG, wait_limit=20_000, clock=self.clock)
            provisioner.reconcile(Job(self.ledger.accept(request), request, self.close.open()))
        self.clock.advance(LAG)
        self.log: list[str] = []

    # --- what can happen next

    def choices(self) -> list[Choice]:
        """The possible next moves; the first one goes on with the run that moved last, if it can."""
        choices: list[Choice] = []
        running = any(each.is_running for each in self.actors)
        for number, actor in enumerate(self.actors):
            if actor.is_running:
                choices += self._faults(number, actor)
            elif not actor.is_finished and (actor.ready_at <= self.clock() or not running):
                choices.append(Choice(number, GO))
        may_interrupt = self.scenario.person_interrupts or not running
        if self.person and may_interrupt and not all(each.is_finished for each in self.actors):
            choices.append(Choice(-1, GO))
        return choices

    def _faults(self, number: int, actor: Actor) -> Iterator[Choice]:
        yield Choice(number, GO)
        if self.kills:
            yield Choice(number, KILL)
            if actor.is_write:
                yield Choice(number, KILL_AFTER)
        if self.losses and actor.is_write:
            yield Choice(number, LOSE)

    def move(self, choice: Choice) -> None:
        if choice.actor < 0:
            assert self.person
            if self.person(self.close):
                self.log.append("a person changes it")
                self.person = None
            else:
                self.log.append("a person finds nothing")
            return
        actor = self.actors[choice.actor]
        self.log.append(f"{actor.request.request_id}: {choice.action} {actor.call or 'begin'}")
        self.kills -= choice.action in {KILL, KILL_AFTER}
        self.losses -= choice.action == LOSE
        if actor.is_running:
            actor.order = choice.action
            actor.go.release()
        else:
            self.clock.now = max(self.clock.now, actor.ready_at)
            self._begin(actor)
        self.moved.acquire()
        if actor.error:
            raise actor.error

    # --- runs

    def _begin(self, actor: Actor) -> None:
        actor.runs, actor.heard, actor.call = actor.runs + 1, "", "begin"
        actor.thread = threading.Thread(target=self._run, args=(actor,), daemon=True)
        actor.thread.start()

    def _run(self, actor: Actor) -> None:
        def turn(call: str, is_write: bool, execute: Callable[[], Any], body: bytes = b"") -> Any:
            return self._turn(actor, call, is_write, execute, body)

        provisioner = Provisioner(
            TakingTurns(self.ledger, turn), TakingTurns(self.topic, turn), LAG, wait_limit=20_000, clock=self.clock
        )
        try:
            organization = self._organization(http_taking_turns(self.close, turn))
            record = self.ledger.accept(actor.request)
            result = provisioner.reconcile(Job(record, actor.request, organization))
            if isinstance(result, Outcome):
                actor.outcome = result
            else:
                actor.ready_at = self.clock() + (BUSY_SECONDS if result.reason == "leased" else result.seconds)
        except Stopped:
            actor.ready_at = self.clock() + KILLED_SECONDS
        except BaseException as error:  # noqa: BLE001 - the explorer's thread raises it
            actor.error = error
        actor.call = None
        self.moved.release()

    def _organization(self, http: Any) -> Any:
        organization = self.close.open()
        organization.api.connection.http = http
        return organization

    def _turn(self, actor: Actor, call: str, is_write: bool, execute: Callable[[], Any], body: bytes) -> Any:
        """Wait for the explorer, then execute the call. None: its response is lost."""
        if call in self.scenario.alone:
            return execute()
        actor.call, actor.is_write = call, is_write
        self.moved.release()
        actor.go.acquire()
        if actor.order == KILL:
            raise Stopped
        result = error = None
        try:
            result = execute()
        except Exception as caught:  # noqa: BLE001 - it is what the run receives
            error = caught
        self._note(actor, call, body, result)
        if actor.order == KILL_AFTER:
            raise Stopped
        actor.heard = _digest(f"{actor.heard}{call}{_text(result)}{error!r}{actor.order}", self.clock())
        if actor.order == LOSE:
            return None
        if error:
            raise error
        return result

    def _note(self, actor: Actor, call: str, body: bytes, result: Any) -> None:
        if call.startswith("POST") and isinstance(result, httpx.Response) and result.status_code < 300:
            sent, created = json.loads(body), result.json()
            scope = f"{call} {sent.get('custom_object_type_id', '')}"
            self.sent.append(
                ExecutedCreate(actor.request.id, scope, natural_key(sent.get("name", "")), created.get("id", ""))
            )

    def stop(self) -> None:
        """End the threads of runs that are under way."""
        for actor in self.actors:
            while actor.is_running:
                actor.order = KILL
                actor.go.release()
                self.moved.acquire()

    # --- states

    def state(self) -> str:
        """A digest of everything that decides what can happen from here on."""
        organization = self.close.simulator.service.state.organizations[ID]
        close = [
            sorted((each.id, _text(each.data), each.listed_from) for each in stored.values())
            for stored in (organization.types, organization.fields, organization.shared_fields)
        ]
        ledger = self.ledger
        known = (ledger.resources, ledger.intents, ledger.leased_until, ledger.tenants, ledger.pauses)
        actors = [(each.call, each.heard, each.ready_at, _text(each.outcome)) for each in self.actors]
        whole = (close, sorted(organization.field_order.items()), known, actors)
        left = (self.kills, self.losses, bool(self.person), len(self.topic.events))
        return _digest(repr((whole, left)), self.clock())


TIME = re.compile(r"\b18000\d{5}(?:\.\d+)?|\b2027-01-\d\dT[\d:]{8}(?:\.\d+)?")
OLD_SECONDS = 400
"""Longer ago than every time that the service compares: two lags, and how far a date may be from a create."""


def _digest(text: str, now: float) -> str:
    """The same for two states that differ only in how late it is."""

    def ago(found: re.Match[str]) -> str:
        try:
            moment = float(found[0])
        except ValueError:
            moment = datetime.fromisoformat(found[0]).replace(tzinfo=UTC).timestamp()
        return f"t{max(round(moment - now, 3), -OLD_SECONDS)}"

    return hashlib.sha256(TIME.sub(ago, text).encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, httpx.Response):
        return value.text
    if isinstance(value, dict):
        return str({key: each.isoformat() if isinstance(each, datetime) else each for key, each in value.items()})
    return repr(value)


@dataclass
class Exploration:
    """``plays``: schedules that were played; ``states``: different ones that they met; ``whole``: nothing is left."""

    scenario: str
    plays: int = 0
    states: int = 0
    whole: bool = False
    results: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        extent = "all" if self.whole else "a part"
        return f"{self.scenario}: {self.plays} orders, {self.states} states ({extent})"


def explore(scenario: Exercise, most_plays: int = 1_000_000, seed: str = "once") -> Exploration:
    """Play every schedule, or as many as allowed, chosen by the seed; stop at the first that breaks a promise."""
    found, chance = Exploration(scenario.name), random.Random(f"{seed} {scenario.name}")  # noqa: S311
    seen: set[str] = set()
    left: list[list[Choice]] = [[]]
    with _deterministic():
        while left and found.plays < most_plays and not found.violations:
            place = chance.randrange(len(left))
            left[place], left[-1] = left[-1], left[place]
            found.plays += 1
            left += _play(scenario, left.pop(), seen, found, chance)
    found.states, found.whole = len(seen), not left
    return found


def replay(scenario: Exercise, schedule: Sequence[Choice]) -> Play:
    """Play one schedule again, as far as it goes."""
    with _deterministic():
        play = Play(scenario)
        for choice in schedule:
            play.move(choice)
        play.stop()
    return play


def _play(
    scenario: Exercise, prefix: list[Choice], seen: set[str], found: Exploration, chance: random.Random
) -> list[list[Choice]]:
    """Play the prefix, then choose by chance. Return the schedules that branch off after the prefix."""
    play, schedule, others = Play(scenario), list(prefix), list[list[Choice]]()
    for choice in prefix:
        play.move(choice)
    while choices := play.choices():
        state = play.state()
        if state in seen:
            play.stop()
            return others
        seen.add(state)
        chance.shuffle(choices)
        others += [[*schedule, each] for each in choices[1:]]
        play.move(choices[0])
        schedule.append(choices[0])
    found.results.update(f"{each.request.request_id} {each.outcome and each.outcome.result}" for each in play.actors)
    found.violations += [f"{each}\n  " + "\n  ".join(play.log) for each in violations(play)]
    return others


@contextmanager
def _deterministic() -> Iterator[None]:
    """The same ids and the same waits in every play."""
    numbers: Counter[str] = Counter()

    def new_id(prefix: str) -> str:
        numbers[prefix] += 1
        return f"{prefix}_{numbers[prefix]:022d}"

    def init(self: Play, scenario: Exercise, original: Any = Play.__init__) -> None:
        numbers.clear()
        original(self, scenario)

    with (
        patch.object(Play, "__init__", init),
        patch.object(custom_object_types, "new_id", new_id),
        patch.object(custom_fields, "new_id", new_id),
        patch.object(shared_fields, "new_id", new_id),
        patch("provisioner.reconcile.retries.random.uniform", lambda low, _: low),
    ):
        yield


# --- what must be true at the end


def violations(play: Play) -> Iterator[str]:
    """Every promise that this play broke: once, settled, truthful, additive (docs/explanation/how-once-is-kept.md)."""
    yield from _once(play)
    claimed: dict[str, set[str]] = defaultdict(set)
    for actor in play.actors:
        if actor.outcome is None:
            yield f"{actor.request.request_id} was not settled in {MAX_RUNS} runs"
            continue
        yield from _truthful(play, actor.request, actor.outcome, claimed)
    yield from (f"{sorted(told)} say that they created {each}" for each, told in claimed.items() if len(told) > 1)


def _once(play: Play) -> Iterator[str]:
    """Close executed one create for each name, whatever a person renamed since."""
    counts = Counter((each.scope, each.name) for each in play.sent)
    yield from (f"{number} creates of {name!r} ({scope})" for (scope, name), number in counts.items() if number > 1)


def _truthful(
    play: Play, request: ProvisioningRequest, outcome: Outcome, claimed: dict[str, set[str]]
) -> Iterator[str]:
    own = {each.close_id for each in play.sent if each.request == request.id}
    made_by = {"created", "recovered"}
    for of_type in outcome.types:
        parts = [(f"type {of_type.name}", of_type.id, str(of_type.result))]
        parts += [(f"field {each.name}", each.id, str(each.result)) for each in of_type.fields]
        for what, close_id, result in parts:
            said = f"{request.request_id} says of {what}: {result}"
            if result in made_by:
                claimed[str(close_id)].add(request.request_id)
                if close_id not in own:
                    yield f"{said}, and another one created it"
            elif close_id in own and result in {"unchanged", "adopted", "updated"}:
                yield f"{said}, and created it itself"
            complete = of_type.result in {*made_by, "updated", "unchanged"} and not of_type.renamed
            if complete and result == "missing" and outcome.succeeded:
                yield f"{said}, and the type is {of_type.result}"
    if outcome.result == "failed" and own:
        yield f"{request.request_id} failed, and created {sorted(own)}"
