"""Plays every order of the calls of several requests, with faults, late creates and people's changes in between.

A *schedule* is a list of choices: which request makes its next call and whether a fault strikes it, when Close executes
a late create, when a person or an operator acts (weather.py has all of these). The explorer plays
schedules depth first, each from the start, and stops where it has met the same state before: the ledger, Close, the
clock, and what each run has received so far. So two orders that come to the same are played once.

The ledger is in memory (tests/integration/service/test_ledger.py holds it to the real one), Close is simulated.
"""

import hashlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest.mock import patch

import httpx

from infra.simulator.api import custom_fields, custom_object_types, shared_fields
from provisioner.close.client import CloseApi
from provisioner.close.list_cache import Organization
from provisioner.close.models import Credential
from provisioner.close.transport import Connection
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.text import natural_key
from provisioner.ledger.in_doubt import ABSENCE_LAGS
from provisioner.reconcile.attribution import DATED_LAGS
from provisioner.reconcile.provisioner import Job, Provisioner
from tests.close import ID, KEY, OTHER_ID, DirectHttp, SimulatedClose, credential_of
from tests.fakes import Clock, MemoryLedger, MemoryTopic
from tests.simulation.promises import violations
from tests.simulation.weather import (
    ACTS,
    BETWEEN_RUNS,
    BUDGETS,
    CLOCKS_APART,
    COSTS,
    DROP,
    GO,
    KILL,
    KILL_AFTER,
    KILL_LATE,
    LATE,
    LOSE,
    OPERATORS,
    OTHER_WORDS,
    REPEAT,
    TIMEOUT,
    TIMEOUT_LATE,
    UNDATED,
)

LAG = 60.0
KILLED_SECONDS = 100.0
"""After a kill, the message is delivered again when the lease of its run has expired."""
BUSY_SECONDS = 31.0
"""A run that finds the lease taken comes back after this time, instead of up to 45 times before the lease expires."""
TIMED_OUT = 408
APART = 3
"""The first run of the next request is on the function that comes so many after that of the one before."""
MAX_RUNS = 20
"""Runs of one request, at most: then it is a dead-letter message."""

ALONE = {
    *("MemoryTopic.publish", "MemoryTopic.publish_type"),
    *("MemoryLedger.mark_published", "MemoryLedger.record_deferral"),
    *("MemoryLedger.paused_until", "MemoryLedger.tenant", "MemoryLedger.begin", "GET me/"),
}
"""Calls that touch nothing that a run of another request touches: their place among its calls makes no difference."""

ACT, EXECUTE = -1, -2
"""In place of a request: a person or an operator acts; Close executes a late write."""


class Stopped(BaseException):
    """The run was killed here, or the explorer has seen enough."""


class Choice(NamedTuple):
    """The request ``actor`` makes its next call (or begins its next run); or ``ACT`` or ``EXECUTE``.

    ``action``: the fault that strikes the call, the name of the act, or the number of the late write.
    """

    actor: int
    action: str


type Part = tuple[str | None, str]
"""The id of a type or field and "", or the ids of a shared field and of the type that it is associated with."""


class ExecutedCreate(NamedTuple):
    """A create that Close executed. ``scope``: what was created, and on which type. ``type_id``: of an association."""

    organization: str
    request: str
    scope: str
    name: str
    close_id: str
    type_id: str = ""

    @property
    def part(self) -> Part:
        """The part that it made: an id, or the ids of a shared field and of the type that it is associated with."""
        return self.close_id, self.type_id


class LateWrite(NamedTuple):
    """A write that Close has received and not executed yet. ``until``: when it is executed at the latest."""

    number: int
    until: float
    actor: "Actor"
    call: str
    body: bytes
    execute: Callable[[], Any]


@dataclass(frozen=True)
class Exercise:
    """Requests that run side by side, and what may go wrong.

    ``acts``: what people and operators may do once each; during a run only if ``acts_interrupt``. ``before``: requests
    that are settled already. ``arrivals``: when each request is sent, in seconds after the first; empty: all at once.
    ``max_age``: how long an observation settles other requests, in seconds. ``dates_changes``: whether Close dates an
    update, too. ``clocks``: of the functions, in seconds ahead of Close's; each run of a request is on the next one.
    """

    name: str
    requests: Sequence[ProvisioningRequest]
    kills: int = 0
    losses: int = 0
    drops: int = 0
    delays: int = 0
    timeouts: int = 0
    repeats: int = 0
    list_lag: float = 0
    wait_limit: float = 20_000
    acts: Sequence[str] = ()
    before: Sequence[ProvisioningRequest] = ()
    acts_interrupt: bool = True
    alone: Set[str] = frozenset(ALONE)
    arrivals: Sequence[float] = ()
    max_age: float = LAG
    dates_changes: bool = True
    clocks: Sequence[float] = (0.0,)


class Past(NamedTuple):
    """The content of Close after a step of the play: the data of its types and fields, by id. ``at``: since when."""

    step: int
    at: float
    data: Mapping[str, Mapping[str, Any]]


class ExecutedWrite(NamedTuple):
    """A write that Close executed. ``ids``: those of the changed object and of its type."""

    step: int
    at: float
    call: str
    ids: Set[str]


@dataclass
class Actor:
    """One request and its present run, in a thread that moves only when the explorer says so."""

    request: ProvisioningRequest
    ready_at: float
    outcome: Outcome | None = None
    sent: int = -1  # the steps of the play after which it was sent, and settled
    settled: int = -1
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

    @property
    def is_unresolved(self) -> bool:
        """Whether its outcome is unresolved. Then the request may be sent again."""
        return not self.is_running and self.outcome is not None and self.outcome.result == "unresolved"


@dataclass(frozen=True)
class ShiftedClock:
    """The clock of a function, so many seconds ahead of another one."""

    clock: Callable[[], float]
    ahead: float

    def __call__(self) -> float:
        return self.clock() + self.ahead


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
        if response.status_code == TIMED_OUT:
            return httpx.Response(TIMED_OUT, text="stream timeout", request=request)
        return response

    return DirectHttp(respond)


class Play:
    """One schedule, from the start to its end, or to a state that was met before."""

    def __init__(self, scenario: Exercise) -> None:
        self.scenario, self.clock = scenario, Clock()
        self.ledger, self.topic = MemoryLedger(self.clock), MemoryTopic()
        self.close = SimulatedClose(self.clock)
        self.close.lag = scenario.list_lag
        self.close.simulator.set_options(date_updated_changes=scenario.dates_changes)
        self.left = {each: getattr(scenario, each) for each in BUDGETS}
        self.acts = list(scenario.acts)
        self.late: list[LateWrite] = []
        self.fired: Counter[str] = Counter(["list lag"] if scenario.list_lag else [])
        self.fired.update(["a deadline"] if scenario.wait_limit < LAG * ABSENCE_LAGS else [])
        descriptions = {each.types[0].description for each in scenario.requests}
        self.fired.update([OTHER_WORDS] if len(descriptions) > 1 else [])
        self.fired.update([UNDATED] if not scenario.dates_changes else [])
        self.fired.update([CLOCKS_APART] if self.clocks_apart else [])
        self.touched, self.deleted = set[str](), set[str]()  # by people: ids in Close
        tenants = {each.tenant for each in scenario.requests}
        self.secrets: dict[str, tuple[str, str | None]] = dict.fromkeys(tenants, (KEY, None))
        self.fired.update(["two tenants"] if len(tenants) > 1 else [])
        if "MemoryLedger.tenant" in scenario.alone or OPERATORS.keys() & set(scenario.acts):
            for tenant in tenants:
                self.ledger.bind(self.ledger.tenant(tenant), ID)
        self.moved = threading.Semaphore(0)
        self.sent: list[ExecutedCreate] = []
        self.written: list[ExecutedWrite] = []
        self.past: list[Past] = []
        self.log: list[str] = []
        for request in scenario.before:
            self._settle_at_once(request)
        self.clock.advance(LAG)
        self.began_at = self.clock()
        arrivals = scenario.arrivals or [0] * len(scenario.requests)
        sent = zip(scenario.requests, arrivals, strict=True)
        self.actors = [Actor(request, self.clock() + arrival) for request, arrival in sent]
        self._remember()

    def _settle_at_once(self, request: ProvisioningRequest) -> None:
        def turn(call: str, _: bool, execute: Callable[[], Any], body: bytes = b"") -> Any:
            result = execute()
            self._note(Actor(request, self.clock()), call, body, result)
            return result

        organization = self._organization(request.tenant, http_taking_turns(self.close, turn), self.clock)
        self.provisioner(self.ledger, self.topic).reconcile(Job(self.ledger.accept(request), request, organization))
        self.clock.advance(1)

    def provisioner(self, ledger: Any, topic: Any, clock: Callable[[], float] | None = None) -> Provisioner:
        return Provisioner(
            ledger, topic, LAG, self.scenario.wait_limit, clock or self.clock, observation_max_age=self.scenario.max_age
        )

    @property
    def clocks_apart(self) -> float:
        """How far clocks are apart at most, in seconds: those of the functions, and Close's."""
        clocks = (0.0, *self.scenario.clocks)
        return max(clocks) - min(clocks)

    def _function_of(self, actor: Actor) -> int:
        """The number of the function that carries out the request's present run."""
        return (APART * self.actors.index(actor) + max(actor.runs - 1, 0)) % len(self.scenario.clocks)

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
            elif self.left["repeats"] and actor.is_unresolved:
                choices.append(Choice(number, REPEAT))
        choices += [Choice(EXECUTE, str(each.number)) for each in self.late]
        may_interrupt = self.scenario.acts_interrupt or not running
        if may_interrupt and not all(each.is_finished for each in self.actors):
            acts = [each for each in self.acts if not running or each not in BETWEEN_RUNS]
            choices += [Choice(ACT, each) for each in acts if ACTS[each](self)]
        return choices

    def _faults(self, number: int, actor: Actor) -> Iterator[Choice]:
        yield Choice(number, GO)
        for fault, costs in COSTS.items():
            if all(self.left[each] for each in costs) and (actor.is_write or fault == KILL):
                yield Choice(number, fault)

    def move(self, choice: Choice) -> None:
        if choice.actor == ACT:
            self._act(choice.action)
        elif choice.actor == EXECUTE:
            self._execute_late(next(each for each in self.late if each.number == int(choice.action)))
        else:
            self._advance(self.actors[choice.actor], choice.action)

    def _act(self, name: str) -> None:
        act = ACTS[name](self)
        assert act
        act()
        self.acts.remove(name)
        self._log(name, name)
        self._remember()

    def _advance(self, actor: Actor, action: str) -> None:
        costs = ("repeats",) if action == REPEAT else COSTS.get(action, ())
        self._log(f"{actor.request.request_id}: {action} {actor.call or 'begin'}", *costs)
        for each in costs:
            self.left[each] -= 1
        if actor.is_running:
            actor.order = action
            actor.go.release()
        else:
            self._pass_time(actor.ready_at)
            actor.sent = len(self.log) if actor.sent < 0 else actor.sent
            self._begin(actor)
        self.moved.acquire()
        if actor.error:
            raise actor.error

    def _log(self, line: str, *fired: str) -> None:
        self.log.append(line)
        self.fired.update(fired)

    def _pass_time(self, until: float) -> None:
        """Let the time come, and Close execute by then what it has to."""
        for each in sorted(self.late, key=lambda late: late.until):
            if each.until <= until:
                self.clock.now = max(self.clock.now, each.until)
                self._execute_late(each)
        self.clock.now = max(self.clock.now, until)

    def _execute_late(self, late: LateWrite) -> None:
        self.late.remove(late)
        self._note(late.actor, late.call, late.body, late.execute())
        self._log(f"Close executes {late.call} of {late.actor.request.request_id}")

    # --- runs

    def _begin(self, actor: Actor) -> None:
        actor.runs, actor.heard, actor.call = actor.runs + 1, "", "begin"
        actor.thread = threading.Thread(target=self._run, args=(actor,), daemon=True)
        actor.thread.start()

    def _run(self, actor: Actor) -> None:
        def turn(call: str, is_write: bool, execute: Callable[[], Any], body: bytes = b"") -> Any:
            return self._turn(actor, call, is_write, execute, body)

        clock = ShiftedClock(self.clock, self.scenario.clocks[self._function_of(actor)])
        ledger = replace(self.ledger, clock=clock)
        provisioner = self.provisioner(TakingTurns(ledger, turn), TakingTurns(self.topic, turn), clock)
        try:
            organization = self._organization(actor.request.tenant, http_taking_turns(self.close, turn), clock)
            record = ledger.accept(actor.request)
            actor.heard = repr((self.secrets[actor.request.tenant], record.outcome))
            job = Job(record, actor.request, organization)
            result = provisioner.reconcile_unresolved(job) if actor.outcome else provisioner.reconcile(job)
            if isinstance(result, Outcome):
                actor.outcome, actor.settled = result, len(self.log)
            elif result:
                actor.ready_at = self.clock() + (BUSY_SECONDS if result.reason == "leased" else result.seconds)
        except Stopped:
            actor.ready_at = self.clock() + KILLED_SECONDS
        except BaseException as error:  # noqa: BLE001 - the explorer's thread raises it
            actor.error = error
        actor.call = None
        self.moved.release()

    def _organization(self, tenant: str, http: Any, clock: Callable[[], float]) -> Organization:
        def credential(_: Credential | None) -> Credential:
            key, organization_id = self.secrets[tenant]
            return replace(credential_of(key), organization_id=organization_id)

        url = self.close.simulator.api_url
        return Organization(CloseApi(Connection(http, url, credential, 20, lambda: 60, clock)))

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
        if actor.order in {LATE, KILL_LATE, TIMEOUT_LATE}:
            latest = min(DATED_LAGS * LAG, ABSENCE_LAGS * LAG - self.scenario.list_lag) - self.clocks_apart
            until = self.clock() + latest
            self.late.append(LateWrite(len(self.log), until, actor, call, body, execute))
        elif actor.order != DROP:
            try:
                result = execute()
            except Exception as caught:  # noqa: BLE001 - it is what the run receives
                error = caught
            self._note(actor, call, body, result)
        if actor.order in {KILL_AFTER, KILL_LATE}:
            raise Stopped
        heard = None if actor.order in {LOSE, DROP, LATE, TIMEOUT, TIMEOUT_LATE} else _text(result)
        actor.heard = _digest(f"{actor.heard}{call}{heard}{error!r}{actor.order}", self.clock(), self.scenario.max_age)
        if actor.order in {LOSE, DROP, LATE}:
            return None
        if actor.order in {TIMEOUT, TIMEOUT_LATE}:
            return httpx.Response(TIMED_OUT)
        if error:
            raise error
        return result

    def _note(self, actor: Actor, call: str, body: bytes, result: Any) -> None:
        if call.startswith(("POST", "PUT")) and isinstance(result, httpx.Response) and result.status_code < 300:
            self._remember()
            named = {*call.split("/"), *map(str, json.loads(body).values()), str(result.json().get("id"))}
            changed = [self.past[-1].data[each] for each in named & self.past[-1].data.keys()]
            ids = named | {str(each.get("custom_object_type_id")) for each in changed}
            self.written.append(ExecutedWrite(len(self.log), self.clock(), call, frozenset(ids)))
        if call.startswith("POST") and isinstance(result, httpx.Response) and result.status_code < 300:
            sent, created = json.loads(body), result.json()
            scope = f"{call} {sent.get('custom_object_type_id', '')}"
            close_id = created.get("id") or call.split("/")[2]  # of the shared field that was associated
            organization = OTHER_ID if close_id in self._ids(OTHER_ID) else ID
            name = natural_key(sent.get("name", ""))
            type_id = "" if "id" in created else sent["custom_object_type_id"]
            self.sent.append(ExecutedCreate(organization, actor.request.id, scope, name, close_id, type_id))

    def _remember(self) -> None:
        """Keep the present content of Close, for the promises about the past."""
        organizations = self.close.simulator.service.state.organizations.values()
        kinds = [kind for each in organizations for kind in (each.types, each.fields, each.shared_fields)]
        data = {each.id: dict(each.data) for kind in kinds for each in kind.values() if each.exists}
        self.past.append(Past(len(self.log), self.clock(), data))

    @property
    def shared(self) -> set[str]:
        """The ids of all shared fields."""
        organizations = self.close.simulator.service.state.organizations
        return {each for organization in organizations.values() for each in organization.shared_fields}

    def _ids(self, organization_id: str) -> set[str]:
        organization = self.close.simulator.service.state.organizations[organization_id]
        return {*organization.types, *organization.fields, *organization.shared_fields}

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
        organizations = self.close.simulator.service.state.organizations
        close = [
            sorted((each.id, _text(each.data), each.listed_from, each.gone_from) for each in stored.values())
            for organization_id in (ID, OTHER_ID)
            for organization in [organizations[organization_id]]
            for stored in (organization.types, organization.fields, organization.shared_fields)
        ]
        organization = organizations[ID]
        lists = (sorted(organization.field_order.items()), sorted(organization.associations_listed_from.items()))
        ledger = self.ledger
        known = (
            ledger.resources,
            ledger.intents,
            ledger.leased_until,
            ledger.tenants,
            ledger.pauses,
            sorted(ledger.begun),
        )
        actors = [
            (each.call, each.heard, each.ready_at, self._function_of(each), _text(each.outcome)) for each in self.actors
        ]
        outcomes = sorted((key, repr(record.outcome)) for key, (record, _) in ledger.requests.items())
        whole = (close, lists, known, actors, outcomes, sorted(self.secrets.items()))
        late = [(each.until, each.actor.request.id, each.call, each.body) for each in self.late]
        left = (sorted(self.left.items()), self.acts, late, len(self.topic.events))
        sent = [sum(write.step <= each.sent for write in self.written) for each in self.actors]
        past = (sent, [(each.at, sorted(each.ids)) for each in self.written]) if self.scenario.arrivals else ()
        return _digest(repr((whole, left, past)), self.clock(), self.scenario.max_age)


TIME = re.compile(r"\b18000\d{5}(?:\.\d+)?|\b2027-01-\d\dT[\d:]{8}(?:\.\d+)?")
OLD_SECONDS = 400
"""Longer ago than every time that the service compares: two lags, and how far a date may be from a create."""


def _digest(text: str, now: float, max_age: float) -> str:
    """The same for two states that differ only in how late it is."""
    old = max(OLD_SECONDS, max_age + 1)

    def ago(found: re.Match[str]) -> str:
        try:
            moment = float(found[0])
        except ValueError:
            moment = datetime.fromisoformat(found[0]).replace(tzinfo=UTC).timestamp()
        return f"t{max(round(moment - now, 3), -old)}"

    return hashlib.sha256(TIME.sub(ago, text).encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, httpx.Response):
        return value.text
    if isinstance(value, dict):
        return str({key: each.isoformat() if isinstance(each, datetime) else each for key, each in value.items()})
    return repr(value)


@dataclass
class Exploration:
    """``plays``: schedules that were played; ``states``: different ones that they met; ``whole``: nothing is left.

    ``remembered``: outcomes from what another request observed, in plays with a kill or a lost response and in others.
    """

    scenario: str
    plays: int = 0
    states: int = 0
    whole: bool = False
    results: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    remembered: Counter[str] = field(default_factory=Counter)
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
            mood = _Mood(chance)
            place = mood.of_branches(left)
            left[place], left[-1] = left[-1], left[place]
            found.plays += 1
            left += _play(scenario, left.pop(), seen, found, mood)
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


RARITIES = (1, 5, 15, 40)
"""How many times as likely a call is as a fault, or as the call of another request."""
BRANCHES = 10
"""Schedules that are drawn for each play; the likeliest of them is played."""


class _Mood:
    """How a play chooses: it draws how rare faults and acts are in it, and how rarely one run interrupts another.

    Where each of them is as likely as the next call of the same run, all faults strike early calls, and none the last.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rarity_of_faults, self._rarity_of_turns = chance.choice(RARITIES), chance.choice(RARITIES)

    def in_order(self, choices: Sequence[Choice], last: int) -> list[Choice]:
        """Return the choices in an order by chance, the likely ones first. ``last``: the request that moved last."""

        return sorted(choices, key=lambda each: self._draw(each, last), reverse=True)

    def of_branches(self, schedules: Sequence[Sequence[Choice]]) -> int:
        """Return the place of a schedule by chance, of some that were drawn the one with the likeliest last choice."""

        def draw(place: int) -> float:
            *before, last = [Choice(ACT, ""), *schedules[place]][-2:]
            return self._draw(last, before[-1].actor) if before else 1

        return max(self._chance.choices(range(len(schedules)), k=BRANCHES), key=draw)

    def _draw(self, choice: Choice, last: int) -> float:
        rarity = self._rarity_of_faults if choice.action != GO else 1
        return self._chance.random() ** (rarity * (self._rarity_of_turns if choice.actor != last else 1))


def _play(
    scenario: Exercise, prefix: list[Choice], seen: set[str], found: Exploration, mood: _Mood
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
        choices = mood.in_order(choices, schedule[-1].actor if schedule else ACT)
        others += [[*schedule, each] for each in choices[1:]]
        play.move(choices[0])
        schedule.append(choices[0])
    found.fired.update(play.fired.keys())
    found.results.update(f"{each.request.request_id} {each.outcome and each.outcome.result}" for each in play.actors)
    remembered = sum(bool(each.outcome and each.outcome.observed_at) for each in play.actors)
    found.remembered["under faults" if play.fired else "without faults"] += remembered
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
