"""Random lives of the service: requests at both entry points, crashes, late answers, lagging lists, limits, new keys.

Invariants are named after the promises. The clock is simulated; a failing life is printed as the steps that lead there.
"""

from collections import Counter
from contextlib import ExitStack
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from infra.simulator.control.organizations import add_type
from provisioner.contract.text import natural_key
from tests.simulation import checker, invariants
from tests.simulation.aws import items
from tests.simulation.callers import body
from tests.simulation.checker import check, collect_history
from tests.simulation.environment import SimulatedEnvironment
from tests.simulation.fault import Case, FaultKind, Position
from tests.simulation.system_under_test import TABLE, CloseProvisioner
from tests.simulation.workload import Workload

OWNERS = st.sampled_from(["acme", "globex"])
TENANTS = st.sampled_from(["acme", "globex", "initech"])
"""The key of initech opens the organization of acme."""
NAMES = st.sampled_from(["Account", " ACCOUNT ", "account", "Deal", "dEaL"])
REQUEST_IDS = st.sampled_from(["one", "two", "three", "four", "five"])
DEPENDENCIES = st.sampled_from(
    ["close.POST", "close.GET", "close.", "dynamodb.", "sns.", "sqs.", "secretsmanager.", "clock "]
)
SUFFERED = [FaultKind.KILL, FaultKind.KILL_UNDERWAY, FaultKind.OVERRUN, FaultKind.FREEZE]
HEARD = [FaultKind.ERROR, FaultKind.THROTTLE, FaultKind.LOST, FaultKind.SLOW]


class Life(RuleBasedStateMachine):
    """One world, from its first request until all is quiet: with losses, kills, lags, and people who rename.

    ``remembered``: outcomes, of all worlds, from what another request observed.
    """

    remembered = 0

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.environment = self._stack.enter_context(SimulatedEnvironment(CloseProvisioner(), Case("a life")).patched())
        self.workload = Workload(self.environment)
        self.keys: dict[str, str] = {}

    @initialize()
    def open_organizations(self) -> None:
        self.keys = {tenant: self.environment.add_tenant(tenant) for tenant in ("acme", "globex")}
        self.environment.add_tenant_of("initech", "acme")

    @rule(tenant=TENANTS, name=NAMES, request_id=REQUEST_IDS, fail=st.booleans())
    def ask_over_the_queue(self, tenant: str, name: str, request_id: str, fail: bool) -> None:
        self.workload.send(_request(tenant, name, request_id, fail))

    @rule(tenant=OWNERS, number=st.integers(1, 9))
    def ask_in_a_crowd(self, tenant: str, number: int) -> None:
        self.workload.deliver()
        for each in ("a", "b", "c"):
            self.workload.send(_request(tenant, "Account", f"crowd-{number}{each}", fail=False))
        self.workload.deliver()

    @rule()
    def deliver(self) -> None:
        self.workload.deliver()

    @rule(seconds=st.sampled_from([1, 15, 31, 61, 125, 400, 1000]))
    def let_time_pass(self, seconds: int) -> None:
        self.environment.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.environment.sweep()
        self.workload.observe_outcomes()

    @rule(dependency=DEPENDENCIES, kind=st.sampled_from(SUFFERED), position=st.sampled_from(Position))
    def crash_at_the_next_call(self, dependency: str, kind: FaultKind, position: Position) -> None:
        self.environment.network.armed.append((dependency, kind, position))

    @rule(dependency=DEPENDENCIES.filter(lambda each: each != "clock "), kind=st.sampled_from(HEARD))
    def lose_the_next_answer(self, dependency: str, kind: FaultKind) -> None:
        self.environment.network.armed.append((dependency, kind, Position.AFTER))

    @rule(tenant=OWNERS, seconds=st.sampled_from([0, 20, 55]))
    def lag(self, tenant: str, seconds: int) -> None:
        self.environment.close.organization(tenant).options["list_lag_seconds"] = seconds

    @rule(tenant=OWNERS, number=st.integers(1, 3))
    def rename_a_type_by_hand(self, tenant: str, number: int) -> None:
        for each in self.environment.close.organization(tenant).existing_types():
            if natural_key(each.data["name"]) == "account":
                each.data["name"] = f"Renamed {number}"
                self.environment.close.touched.add(each.id)
                return

    @invariant()
    def once(self) -> None:
        assert not [*invariants.once(collect_history(self.workload))]

    @invariant()
    def once_whatever_people_rename(self) -> None:
        created = Counter(
            (each.organization, natural_key(each.type_name))
            for each in self.environment.close.served
            if each.type_name and each.status < 300
        )
        assert not [name for name, number in created.items() if number > 1]

    @invariant()
    def settled_for_good(self) -> None:
        assert not self.workload.changed

    @invariant()
    def apart(self) -> None:
        assert not [*invariants.apart(collect_history(self.workload))]

    @invariant()
    def additive(self) -> None:
        assert not [*invariants.additive(collect_history(self.workload))]

    @invariant()
    def polite(self) -> None:
        assert not [*checker.polite(self.workload)]

    def teardown(self) -> None:
        """In the end faults stop, the system is quiescent, and every guarantee holds."""
        with self._stack:
            self.environment.network.armed.clear()
            self.workload.run_until_quiescent()
            if self.workload.redrive():
                self.workload.run_until_quiescent()
            assert not check(self.workload)
            outcomes = (each["outcome"]["S"] for each in items(TABLE).values() if "outcome" in each)
            Life.remembered += sum('"observed_at"' in each for each in outcomes)


class Lives(Life):
    """With everything else that senders, people in Close and operators may do."""

    @rule(tenant=TENANTS, name=NAMES, request_id=REQUEST_IDS, fail=st.booleans(), wait=st.booleans())
    def ask_over_http(self, tenant: str, name: str, request_id: str, fail: bool, wait: bool) -> None:
        self.workload.post(_request(tenant, name, request_id, fail), **({} if wait else {"Prefer": "respond-async"}))

    @rule()
    def send_nonsense(self) -> None:
        self.workload.send('{"tenant": "acme"')

    @rule()
    def deliver_once_more(self) -> None:
        self.workload.deliver_twice()

    @rule(dependency=DEPENDENCIES.filter(lambda each: each != "clock "), kind=st.sampled_from(HEARD))
    def refuse_the_next_call(self, dependency: str, kind: FaultKind) -> None:
        self.environment.network.armed.append((dependency, kind, Position.BEFORE))

    @rule()
    def answer_the_next_create_with_nothing(self) -> None:
        self.environment.network.armed.append(("close.POST", FaultKind.GARBLED, Position.AFTER))

    @rule(tenant=OWNERS)
    def ask_to_be_left_alone(self, tenant: str) -> None:
        self.environment.close.throttle(tenant)

    @rule(tenant=OWNERS)
    def replace_the_key(self, tenant: str) -> None:
        self.keys[tenant] = self.environment.replace_key(tenant, self.keys[tenant])

    @rule(tenant=OWNERS)
    def add_a_type_by_hand(self, tenant: str) -> None:
        close = self.environment.close
        if not any(each.data["name"] == "Lead" for each in close.organization(tenant).existing_types()):
            add_type(close.service, {"organization": close.tenants[tenant], "name": "Lead", "name_plural": "Leads"})

    @rule(tenant=OWNERS)
    def archive_a_type_by_hand(self, tenant: str) -> None:
        for each in self.environment.close.organization(tenant).existing_types()[:1]:
            each.data["is_archived"] = True

    @precondition(lambda self: all(map(self.environment.is_bound, ("acme", "globex"))))
    @rule(tenant=OWNERS)
    def store_a_key_of_another_organization(self, tenant: str) -> None:
        self.environment.store_key(tenant, self.keys["globex" if tenant == "acme" else "acme"])

    @rule(tenant=OWNERS)
    def store_the_right_key_again(self, tenant: str) -> None:
        self.environment.store_key(tenant, self.keys[tenant])

    @precondition(lambda self: self.environment.dead_letters.messages)
    @rule()
    def redrive(self) -> None:
        self.workload.redrive()


class LivesWithAnOperator(Life):
    """With a person who retries and resolves at random: too early or in time, with right or wrong words."""

    @rule(number=st.integers(0, 20), edit=st.booleans())
    def retry_a_request(self, number: int, edit: bool) -> None:
        if keys := self.workload.request_keys():
            self.workload.retry(keys[number % len(keys)], **({"if_exists": "update"} if edit else {}))

    @rule(number=st.integers(0, 20), there=st.booleans())
    def resolve_a_request(self, number: int, there: bool) -> None:
        if keys := self.workload.request_keys():
            self.workload.resolve(keys[number % len(keys)], there=there)

    @precondition(lambda self: self.workload.unresolved_keys())
    @rule(number=st.integers(0, 20), there=st.booleans(), seconds=st.sampled_from([0, 30, 61, 121, 400]))
    def resolve_what_is_unresolved(self, number: int, there: bool, seconds: int) -> None:
        self.environment.clock.advance(seconds)
        keys = self.workload.unresolved_keys()
        key = keys[number % len(keys)]
        if self.workload.resolve(key, there=there) == 200:
            self.workload.retry(key)

    @rule(request_id=REQUEST_IDS, position=st.sampled_from(Position))
    def lose_two_answers_to_a_request(self, request_id: str, position: Position) -> None:
        self.environment.network.armed.extend([("close.POST", FaultKind.LOST, position)] * 2)
        self.workload.send(_request("acme", "Deal", request_id, fail=False))
        for _ in range(8):
            self.workload.deliver()
            self.environment.clock.advance(61)


def _request(tenant: str, name: str, request_id: str, fail: bool) -> dict[str, Any]:
    return body(request_id, name, tenant, if_exists="fail" if fail else "adopt")


AS_MANY_AS_TIME_ALLOWS = settings(
    max_examples=24,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


class TestLives(Lives.TestCase):  # type: ignore[misc, valid-type]
    def runTest(self) -> None:  # noqa: N802 - unittest's name
        super().runTest()
        assert Life.remembered, "no life settled a request from an observation of another one"


TestLives.settings = AS_MANY_AS_TIME_ALLOWS
TestLivesWithAnOperator = LivesWithAnOperator.TestCase
TestLivesWithAnOperator.settings = AS_MANY_AS_TIME_ALLOWS
