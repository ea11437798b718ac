"""Once, for any order of requests, failures, kills and pauses that Hypothesis generates."""

from collections.abc import Iterable
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.text import natural_key
from tests.close import KILLED, KILLED_BEFORE, LOST, LOST_BEFORE, Killed
from tests.fakes import MemoryWorld, a_request

FAULTS = st.sampled_from(
    [
        LOST,
        LOST_BEFORE,
        KILLED_BEFORE,
        KILLED,
        RetryLater("429", 5),
        Unavailable("refused connection"),
        Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402),
    ]
)
PLAN = {"name": "Plan", "type": "choices", "choices": ["Free"]}
MORE = [{**PLAN, "name": "plan", "choices": ["Paid"]}, {"name": "Seats", "type": "number"}]
SHARED = {"name": "Region", "type": "text", "shared": True}
OTHER = [{"name": f"Other {number}", "name_plural": "x", "fields": [SHARED]} for number in range(2)]
REQUESTS = st.sampled_from(
    [
        a_request("1"),
        a_request("2", "ACCOUNT"),
        a_request("3", if_exists="fail"),
        a_request("4", spec={"fields": [PLAN, SHARED]}),
        a_request("5", spec={"fields": MORE}, if_exists="update"),
        *(
            ProvisioningRequest.model_validate({"tenant": "acme", "request_id": request_id, **named})
            for request_id, named in (
                ("6", {"custom_object_types": OTHER}),
                ("7", {"custom_object_type": OTHER[0], "if_exists": "update"}),
                ("8", {"custom_object_type": OTHER[1], "if_exists": "update"}),
            )
        ),
    ]
)


class OnceMachine(RuleBasedStateMachine):
    """One tenant, one name in two spellings, eight requests. Close's lists lag by at most the configured lag."""

    @initialize(lag=st.integers(0, 60))
    def begin(self, lag: int) -> None:
        self.world = MemoryWorld(list_lag=60, wait_limit=5_000)
        self.world.close.lag = lag
        self.told: dict[str, str] = {}

    @rule(request=REQUESTS, before=st.integers(0, 4), fault=st.none() | FAULTS)
    def ask(self, request: ProvisioningRequest, before: int, fault: str | Exception | None) -> None:
        """The fault strikes after so many writes."""
        self.world.close.faults = [*[None] * before, fault]
        with suppress(Killed):
            self.world.reconcile(request)

    @rule(seconds=st.sampled_from([1, 59, 61, 91, 3_600, 90_000]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def deleted_by_hand(self) -> None:
        """Delete late, when no request waits for the list to show a type."""
        self.world.clock.advance(200)
        self.world.close.delete_all()

    @invariant()
    def there_is_one_at_most(self) -> None:
        """Check types, fields of types, shared fields and associations."""
        close = self.world.close
        self.are_different(map(natural_key, close.names))
        self.are_different((each.custom_object_type_id, each.natural_key) for each in close.fields)
        self.are_different(each.natural_key for each in close.shared)
        self.are_different((type_id, each) for type_id, ids in close.order.items() for each in ids)

    def are_different(self, operations: Iterable[object]) -> None:
        listed = list(operations)
        assert len(set(listed)) == len(listed), listed

    @invariant()
    def an_outcome_never_changes_and_is_told_under_one_id(self) -> None:
        for event_id, outcome in self.world.topic.events:
            text = outcome.to_json()
            assert self.told.setdefault(event_id, text) == text

    def teardown(self) -> None:
        """Settled: without faults every request ends."""
        self.world.close.faults.clear()
        for record, request in list(self.world.ledger.requests.values()):
            outcome, _ = self.world.settle(request, runs=100)
            assert isinstance(outcome, Outcome)
            assert self.told.get(record.id, outcome.to_json()) == outcome.to_json()
        self.there_is_one_at_most()


TestOnce = OnceMachine.TestCase
TestOnce.settings = settings(max_examples=120, stateful_step_count=20, deadline=None)
