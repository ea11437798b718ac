"""The use case: the outcome of a request for every state and response of Close."""

import pytest

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.contract.outcome import Outcome, Result
from provisioner.ledger.models import RequestState
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from tests.close import LOST, OTHER_KEY
from tests.fakes import MemoryWorld, a_request, kind_of

DAY = 24 * 3600


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(list_lag=60)


class TestWithoutTrouble:
    def test_a_missing_type_is_created(self, world: MemoryWorld) -> None:
        outcome, runs = world.settle(a_request(spec={"description": "Who pays us"}))

        assert (outcome.result, runs, outcome.attempts) == ("created", 1, 1)
        assert (outcome.tenant, outcome.request_id) == ("acme", "signup-8841")
        [made] = outcome.types
        assert (made.name, made.id, made.result) == ("Account", world.close.existing[0].id, "created")
        assert made.custom_object_type
        assert made.custom_object_type["description"] == "Who pays us"
        assert outcome.settled_at == "2027-01-15T08:00:00+00:00"
        assert world.close.names == ["Account"]

    def test_an_existing_type_is_adopted_with_its_differences(self, world: MemoryWorld) -> None:
        there = world.close.add("account", description="Old")

        outcome, _ = world.settle(a_request(spec={"description": "New"}))

        assert outcome.result == "adopted"
        assert {each.field: (each.desired, each.observed) for each in outcome.types[0].differences} == {
            "name": ("Account", "account"), "name_plural": ("Accounts", "accounts"), "description": ("New", "Old"),
        }  # fmt: skip
        assert world.close.existing == [there]

    def test_an_equal_type_is_unchanged(self, world: MemoryWorld) -> None:
        world.close.add("Account", description="not compared")

        outcome, _ = world.settle(a_request())

        assert (outcome.result, outcome.types[0].differences) == ("unchanged", ())

    def test_an_existing_type_fails_when_it_must_be_new(self, world: MemoryWorld) -> None:
        existing = world.close.add("Account")

        outcome, _ = world.settle(a_request(if_exists="fail"))

        assert (outcome.result, kind_of(outcome)) == ("failed", "type-exists")
        assert outcome.problem
        assert (outcome.problem.status, existing.id in outcome.problem.detail) == (409, True)

    def test_a_type_that_must_be_new_is_created(self, world: MemoryWorld) -> None:
        assert world.settle(a_request(if_exists="fail"))[0].result == "created"

    def test_a_created_type_is_unchanged_for_the_next_request(self, world: MemoryWorld) -> None:
        world.settle(a_request("1"))

        assert world.settle(a_request("2"))[0].result == "unchanged"
        assert kind_of(world.settle(a_request("3", if_exists="fail"))[0]) == "type-exists"
        assert world.close.names == ["Account"]

    def test_the_oldest_of_several_types_is_taken_and_the_others_are_listed(self, world: MemoryWorld) -> None:
        world.close.add("Account", id="young", date_created="2026-03-01T00:00:00.000000")
        world.close.add("ACCOUNT", id="old", date_created="2026-02-01T00:00:00.000000")
        world.close.add("Deal", id="other", date_created="2020-02-01T00:00:00.000000")

        outcome, _ = world.settle(a_request())

        assert (outcome.types[0].id, outcome.types[0].other_matches) == ("old", ("young",))
        assert len(world.close.existing) == 3

    def test_one_read_serves_a_batch(self, world: MemoryWorld) -> None:
        batch = world.organization()
        outcomes = [
            world.reconcile(a_request(each, name), batch) for each, name in (("1", "A"), ("2", "B"), ("3", "a"))
        ]

        assert [each.result for each in outcomes if isinstance(each, Outcome)] == ["created", "created", "adopted"]
        assert world.close.names == ["A", "B"]


class TestSettledAndAnnounced:
    def test_a_settled_request_is_announced_once_under_its_id(self, world: MemoryWorld) -> None:
        request = a_request()

        first, _ = world.settle(request)
        again, _ = world.settle(request)

        assert first == again
        assert world.topic.events == [(request.id, first)]
        assert world.ledger.requests[request.id][0].state is RequestState.ANNOUNCED

    def test_an_outcome_never_changes(self, world: MemoryWorld) -> None:
        first, _ = world.settle(a_request("1"))
        world.close.delete_all()
        world.clock.advance(DAY)

        assert world.settle(a_request("1"))[0] == first
        assert world.close.names == []

    def test_an_outcome_is_stored_before_it_is_published(self, world: MemoryWorld) -> None:
        request = a_request()
        world.topic.fails = ConnectionError()

        with pytest.raises(ConnectionError):
            world.reconcile(request)
        assert world.ledger.requests[request.id][0].state is RequestState.SETTLED

        world.topic.fails = None
        outcome = world.reconcile(request)
        assert world.topic.events == [(request.id, outcome)]
        assert world.close.names == ["Account"]

    def test_a_request_settled_meanwhile_keeps_its_outcome(self, world: MemoryWorld) -> None:
        request = a_request()
        record = world.ledger.accept(request)
        given_up = world.provisioner.give_up(record, request, "It failed too often.")

        late = world.provisioner.reconcile(Job(record, request, world.organization()))

        assert late == given_up
        assert given_up.result is Result.UNRESOLVED

    def test_giving_up_a_settled_request_keeps_its_outcome(self, world: MemoryWorld) -> None:
        request = a_request()
        outcome, _ = world.settle(request)

        assert world.provisioner.give_up(world.ledger.accept(request), request, "It failed too often.") == outcome

    def test_giving_up_says_how_to_check_in_close(self, world: MemoryWorld) -> None:
        request = a_request()

        outcome = world.provisioner.give_up(world.ledger.accept(request), request, "It failed too often.")

        assert (outcome.result, kind_of(outcome)) == ("unresolved", "unresolved")
        assert outcome.problem
        assert outcome.problem.detail.startswith("It failed too often. Check in Close, organization of tenant 'acme'")
        assert "'Account'" in outcome.problem.detail
        assert world.topic.events == [(request.id, outcome)]


class TestRejectedByClose:
    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            (ProblemType.SPEC_REJECTED, 400),
            (ProblemType.CREDENTIAL_REJECTED, 401),
            (ProblemType.PLAN_LIMIT, 402),
            (ProblemType.PERMISSION_MISSING, 403),
        ],
    )
    def test_a_rejected_create_fails_at_once(self, world: MemoryWorld, kind: ProblemType, status: int) -> None:
        world.close.faults = [Rejected(kind, "no", close_status=status)]

        outcome, runs = world.settle(a_request())

        assert (outcome.result, runs, outcome.problem and outcome.problem.type) == ("failed", 1, kind.uri)
        assert outcome.problem
        assert outcome.problem.close_status == status

    def test_a_rejected_list_fails_at_once(self, world: MemoryWorld) -> None:
        world.close.list_fails = Rejected(ProblemType.CREDENTIAL_REJECTED, "no", close_status=401)

        assert kind_of(world.settle(a_request())[0]) == "credential-rejected"

    def test_a_tenant_that_cannot_be_opened_takes_no_lease(self, world: MemoryWorld) -> None:
        organization = world.organization(Rejected(ProblemType.TENANT_NOT_FOUND, "no such tenant"))

        outcome = world.reconcile(a_request(), organization)

        assert isinstance(outcome, Outcome)
        assert kind_of(outcome) == "tenant-not-found"
        assert world.ledger.resources == {}

    def test_a_failure_does_not_block_the_next_request(self, world: MemoryWorld) -> None:
        world.close.faults = [Rejected(ProblemType.PLAN_LIMIT, "no")]
        world.settle(a_request("1"))

        assert world.settle(a_request("2")) == (world.topic.events[1][1], 1)
        assert world.topic.events[1][1].result == "created"


class TestDeferred:
    def test_a_request_waits_as_long_as_close_asks(self, world: MemoryWorld) -> None:
        world.close.list_fails = RetryLater("Close rate-limited this tenant (429)", 17.5)

        assert world.reconcile(a_request()) == Deferred(17.5, "Close rate-limited this tenant (429)", 1)

    def test_a_request_waits_longer_each_time_when_close_names_no_time(self, world: MemoryWorld) -> None:
        request = a_request()
        world.close.list_fails = Unavailable("Close returned 500")

        deferrals = []
        for _ in range(9):
            result = world.reconcile(request)
            assert isinstance(result, Deferred)
            deferrals.append(result.seconds)

        for seconds, about in zip(deferrals, [5, 10, 20, 40, 80, 160, 300, 300, 300], strict=True):
            assert 0.8 * about <= seconds <= 1.2 * about

    def test_a_deferred_request_goes_on(self, world: MemoryWorld) -> None:
        world.close.faults = [RetryLater("429", 3), Unavailable("refused connection"), RetryLater("429", 1)]

        outcome, runs = world.settle(a_request())

        assert (outcome.result, outcome.attempts, runs) == ("created", 4, 4)
        assert world.close.names == ["Account"]

    def test_a_deferred_request_holds_no_lease(self, world: MemoryWorld) -> None:
        world.close.faults = [Unavailable("refused connection")]
        world.reconcile(a_request("1"))

        assert world.settle(a_request("2"))[1] == 1

    def test_a_deferral_leaves_no_write_in_doubt(self, world: MemoryWorld) -> None:
        """A type that was certainly not created may be created at once by the next request."""
        world.close.faults = [Unavailable("refused connection")]
        world.reconcile(a_request("1"))

        assert world.reconcile(a_request("2")) == world.topic.events[0][1]

    def test_a_request_gives_up_after_the_limit(self) -> None:
        world = MemoryWorld(wait_limit=100)
        world.close.list_fails = RetryLater("Close rate-limited this tenant (429)", 30)

        outcome, runs = world.settle(a_request())

        assert (outcome.result, kind_of(outcome), runs) == ("failed", "deadline-exceeded", 4)
        assert outcome.problem
        assert "Gave up after 100 seconds" in outcome.problem.detail
        assert "Close rate-limited this tenant (429)" in outcome.problem.detail
        world.close.list_fails = None
        assert world.settle(a_request("2"))[0].result == "created"

    def test_a_request_that_gives_up_in_doubt_is_unresolved(self) -> None:
        world = MemoryWorld(list_lag=60, wait_limit=50)
        world.close.faults = [LOST]

        outcome, runs = world.settle(a_request())

        assert (outcome.result, runs) == ("unresolved", 1)
        assert world.topic.events == [(a_request().id, outcome)]

    def test_a_request_waits_while_another_run_holds_the_lease(self, world: MemoryWorld) -> None:
        world.lease_and_vanish(a_request("1"))

        result = world.reconcile(a_request("2"))

        assert isinstance(result, Deferred)
        assert world.close.names == []

    def test_other_types_and_other_tenants_do_not_wait(self, world: MemoryWorld) -> None:
        world.lease_and_vanish(a_request("1"))

        assert world.settle(a_request("2", "Deal"))[1] == 1
        elsewhere = world.close.open(key=OTHER_KEY)
        assert isinstance(world.reconcile(a_request("1", tenant="globex"), elsewhere), Outcome)
