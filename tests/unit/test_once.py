"""Once, against whatever order of requests, failures, kills and pauses Hypothesis thinks of."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from provisioner.contract import CustomObjectType, CustomObjectTypeSpec, Outcome, ProvisioningRequest
from provisioner.errors import Busy, Kind, NotCreated, Refused
from tests.fakes import LOST, LOST_BEFORE, MemoryOrganization, World, a_request


class Killed(BaseException):
    """The function ended here, and nobody heard of it."""


KILLED_BEFORE, KILLED_AFTER = "killed before its create", "killed after it"
FAULTS = st.sampled_from(
    [
        LOST,
        LOST_BEFORE,
        KILLED_BEFORE,
        KILLED_AFTER,
        Busy("429", 5),
        NotCreated("refused connection"),
        Refused(Kind.PLAN_LIMIT, "no", close_status=402),
    ]
)
REQUESTS = st.sampled_from([a_request("1"), a_request("2", "ACCOUNT"), a_request("3", if_exists="fail")])


class MortalOrganization(MemoryOrganization):
    def create(self, spec: CustomObjectTypeSpec) -> CustomObjectType:
        fault = self.close.faults[0] if self.close.faults else None
        if fault not in (KILLED_BEFORE, KILLED_AFTER):
            return super().create(spec)
        self.close.faults.pop(0)
        if fault == KILLED_AFTER:
            super().create(spec)
        raise Killed


class OnceMachine(RuleBasedStateMachine):
    """One tenant, one name in two spellings, three requests. Close's list lags by up to the lag that we allow for."""

    @initialize(lag=st.integers(0, 60))
    def begin(self, lag: int) -> None:
        self.world = World(list_lag=60, wait_limit=5_000)
        self.world.close.lag = lag
        self.told: dict[str, str] = {}

    @rule(request=REQUESTS, fault=st.none() | FAULTS)
    def ask(self, request: ProvisioningRequest, fault: str | Exception | None) -> None:
        self.world.close.faults = [fault] if fault else []
        with suppress(Killed):
            self.world.carry_out(request, MortalOrganization(self.world.close))

    @rule(seconds=st.sampled_from([1, 59, 61, 91, 3_600, 90_000]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def deleted_by_hand(self) -> None:
        """Long after: not while anybody might be waiting for the list to show it."""
        self.world.clock.advance(200)
        self.world.close.existing.clear()

    @invariant()
    def there_is_one_at_most(self) -> None:
        assert len(self.world.close.names) <= 1

    @invariant()
    def an_outcome_never_changes_and_is_told_under_one_id(self) -> None:
        for event_id, outcome in self.world.outcomes.events:
            text = outcome.to_json()
            assert self.told.setdefault(event_id, text) == text

    def teardown(self) -> None:
        """Settled: trouble ends, and so does every request."""
        self.world.close.faults.clear()
        for record, request in list(self.world.ledger.requests.values()):
            outcome, _ = self.world.settle(request, runs=100)
            assert isinstance(outcome, Outcome)
            assert self.told.get(record.id, outcome.to_json()) == outcome.to_json()
        assert len(self.world.close.names) <= 1


TestOnce = OnceMachine.TestCase
TestOnce.settings = settings(max_examples=400, stateful_step_count=20, deadline=None)
