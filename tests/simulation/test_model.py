"""Random lives of the service: requests over both doors, crashes, late answers, lagging lists, limits, new keys.

Invariants are named after the promises. The clock is simulated; a failing life is printed as the steps that lead there.
"""

from contextlib import ExitStack
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.simulation import checker as judgment
from tests.simulation import invariants as promises
from tests.simulation.callers import body
from tests.simulation.checker import broken, evidence
from tests.simulation.environment import World
from tests.simulation.fault import Case, Kind, Position
from tests.simulation.system_under_test import Ours
from tests.simulation.workload import Play

TENANTS = st.sampled_from(["acme", "globex"])
NAMES = st.sampled_from(["Account", " ACCOUNT ", "account", "Deal", "dEaL"])
REQUEST_IDS = st.sampled_from(["one", "two", "three", "four", "five"])
NEIGHBORS = st.sampled_from(
    ["close.POST", "close.GET", "close.", "dynamodb.", "sns.", "sqs.", "secretsmanager.", "clock "]
)
SUFFERED = [Kind.KILL, Kind.KILL_UNDERWAY, Kind.OVERRUN, Kind.FREEZE]
HEARD = [Kind.ERROR, Kind.THROTTLE, Kind.LOST, Kind.SLOW]


class Lives(RuleBasedStateMachine):
    """One world, from its first request until all is quiet."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.world = self._stack.enter_context(World(Ours(), Case("a life")).entered())
        self.play = Play(self.world)
        self.keys: dict[str, str] = {}

    @initialize()
    def open_organizations(self) -> None:
        self.keys = {tenant: self.world.add_tenant(tenant) for tenant in ("acme", "globex")}

    @rule(tenant=TENANTS, name=NAMES, request_id=REQUEST_IDS, fail=st.booleans(), wait=st.booleans())
    def ask_over_http(self, tenant: str, name: str, request_id: str, fail: bool, wait: bool) -> None:
        self.play.post(_request(tenant, name, request_id, fail), **({} if wait else {"Prefer": "respond-async"}))

    @rule(tenant=TENANTS, name=NAMES, request_id=REQUEST_IDS, fail=st.booleans())
    def ask_over_the_queue(self, tenant: str, name: str, request_id: str, fail: bool) -> None:
        self.play.send(_request(tenant, name, request_id, fail))

    @rule()
    def send_nonsense(self) -> None:
        self.play.send('{"tenant": "acme"')

    @rule()
    def deliver(self) -> None:
        self.play.deliver()

    @rule()
    def deliver_once_more(self) -> None:
        self.play.deliver_twice()

    @rule(seconds=st.sampled_from([1, 15, 31, 61, 125, 400, 1000]))
    def let_time_pass(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.world.sweep()
        self.play.watch()

    @rule(neighbor=NEIGHBORS, kind=st.sampled_from(SUFFERED), position=st.sampled_from(Position))
    def crash_at_the_next_call(self, neighbor: str, kind: Kind, position: Position) -> None:
        self.world.wire.armed.append((neighbor, kind, position))

    @rule(neighbor=NEIGHBORS.filter(lambda each: each != "clock "), kind=st.sampled_from(HEARD))
    def refuse_the_next_call(self, neighbor: str, kind: Kind) -> None:
        self.world.wire.armed.append((neighbor, kind, Position.BEFORE))

    @rule(neighbor=NEIGHBORS.filter(lambda each: each != "clock "), kind=st.sampled_from(HEARD))
    def lose_the_next_answer(self, neighbor: str, kind: Kind) -> None:
        self.world.wire.armed.append((neighbor, kind, Position.AFTER))

    @rule()
    def answer_the_next_create_with_nothing(self) -> None:
        self.world.wire.armed.append(("close.POST", Kind.GARBLED, Position.AFTER))

    @rule(tenant=TENANTS)
    def ask_to_be_left_alone(self, tenant: str) -> None:
        self.world.close.throttle(tenant)

    @rule(tenant=TENANTS, seconds=st.sampled_from([0, 20, 55]))
    def lag(self, tenant: str, seconds: int) -> None:
        self.world.close.organization(tenant).switches["list_lag_seconds"] = seconds

    @rule(tenant=TENANTS)
    def replace_the_key(self, tenant: str) -> None:
        self.keys[tenant] = self.world.replace_key(tenant, self.keys[tenant])

    @precondition(lambda self: self.world.dead_letters.messages)
    @rule()
    def redrive(self) -> None:
        self.play.redrive()

    @invariant()
    def once(self) -> None:
        assert not [*promises.once(evidence(self.play))]

    @invariant()
    def settled_for_good(self) -> None:
        assert not self.play.changed

    @invariant()
    def apart(self) -> None:
        assert not [*promises.apart(evidence(self.play))]

    @invariant()
    def additive(self) -> None:
        assert not [*promises.additive(evidence(self.play))]

    @invariant()
    def polite(self) -> None:
        assert not [*judgment.polite(self.play)]

    def teardown(self) -> None:
        """In the end nothing goes wrong any more, everything comes to rest, and every promise is kept."""
        with self._stack:
            self.world.wire.armed.clear()
            self.play.until_quiet()
            if self.play.redrive():
                self.play.until_quiet()
            assert not broken(self.play)


def _request(tenant: str, name: str, request_id: str, fail: bool) -> dict[str, Any]:
    return body(request_id, name, tenant, if_exists="fail" if fail else "adopt")


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
