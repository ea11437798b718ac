"""Once: after a lost response, after a kill, and after both."""

from dataclasses import replace
from unittest.mock import Mock

import pytest

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.plan import type_resource
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from tests.close import LOST, LOST_BEFORE
from tests.fakes import MemoryWorld, a_request, kind_of

DAY = 24 * 3600


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(list_lag=60)


def reconcile_with_a_revoked_key(world: MemoryWorld, request: ProvisioningRequest) -> Outcome | Deferred:
    world.close.list_fails = Rejected(ProblemType.CREDENTIAL_REJECTED, "no", close_status=401)
    result = world.reconcile(request)
    world.close.list_fails = None
    return result


class TestOnceAfterALostResponse:
    def test_a_create_that_had_happened_is_recovered(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.close.lag = 50

        first = world.reconcile(a_request())
        assert isinstance(first, Deferred)
        assert first.seconds == 60  # the list is sure to show it by then

        outcome, runs = world.settle(a_request())
        assert (outcome.result, runs) == ("recovered", 2)
        assert world.close.names == ["Account"]

    def test_a_create_is_recovered_even_when_existing_types_are_rejected(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]

        assert world.settle(a_request(if_exists="fail"))[0].result == "recovered"

    def test_a_type_that_is_found_is_taken_at_once(self, world: MemoryWorld) -> None:
        """Only a type that is not listed yet may still appear."""
        world.close.faults = [LOST]
        world.reconcile(a_request())
        world.clock.advance(1)

        assert world.settle(a_request()) == (world.topic.events[0][1], 1)
        assert world.topic.events[0][1].result == "recovered"

    @pytest.mark.parametrize(("after", "wait"), [(1, 59), (59, 1), (60, 60), (61, 59), (119, 1)])
    def test_no_run_creates_before_two_lags_have_passed(self, world: MemoryWorld, after: float, wait: float) -> None:
        """A run in between waits for the next of the two reads that count."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request())
        world.clock.advance(after)

        again = world.reconcile(a_request())

        assert isinstance(again, Deferred)
        assert again.seconds == pytest.approx(wait)
        world.clock.advance(120 - after)
        assert world.settle(a_request()) == (world.topic.events[0][1], 1)
        assert world.close.names == ["Account"]

    def test_another_request_finds_the_type_and_does_not_claim_it(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))

        assert world.settle(a_request("2"))[0].result == "unchanged"
        assert world.settle(a_request("1"))[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_one_of_two_requests_with_lost_responses_claims_the_type(self, world: MemoryWorld) -> None:
        """Which of the two created it cannot be known, but a type is created by one request."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request("1"))
        world.close.faults = [LOST]
        for _ in range(2):  # reads
            world.clock.advance(61)
            world.reconcile(a_request("2"))

        assert world.settle(a_request("3"))[0].result == "unchanged"
        results = [world.settle(a_request(request_id))[0].result for request_id in ("1", "2")]

        assert sorted(results) == ["recovered", "unchanged"]
        assert world.close.names == ["Account"]

    def test_a_list_read_before_the_write_does_not_count(self, world: MemoryWorld) -> None:
        """A batch holds an old list without the type. Only a list read since then decides."""
        old = world.organization()
        old.types(0)
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))
        world.clock.advance(61)

        outcome = world.reconcile(a_request("2"), old)

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unchanged"
        assert world.close.names == ["Account"]

    def test_a_create_is_resent_once_after_two_reads_without_the_type(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE]
        results = []
        for _ in range(3):
            results.append(world.reconcile(a_request()))
            world.clock.advance(60.001)

        assert [isinstance(each, Deferred) for each in results] == [True, True, False]
        assert world.topic.events[0][1].result == "created"
        assert world.close.names == ["Account"]

    def test_two_reads_at_the_same_moment_count_once(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request())
        world.clock.advance(61)

        for _ in range(5):
            assert isinstance(world.reconcile(a_request()), Deferred)
        assert world.close.names == []

    def test_a_late_create_is_found_before_the_second_is_sent(self, world: MemoryWorld) -> None:
        """The first create landed late and is listed by the second read, so no second create is sent."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request())
        world.clock.advance(61)
        world.reconcile(a_request())
        world.close.add("Account")  # at last
        world.clock.advance(61)

        assert world.settle(a_request())[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_a_request_is_unresolved_after_two_lost_creates(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]

        outcome, _ = world.settle(a_request())

        assert outcome.result == "unresolved"
        assert outcome.problem
        assert outcome.problem.detail.startswith(
            "Up to 2 creates of the type 'Account' were sent, their responses were lost"
        )
        assert world.close.names == []

    def test_no_third_create_is_sent_on_the_same_day(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))

        outcome, _ = world.settle(a_request("2"))

        assert outcome.result == "unresolved"
        assert world.close.names == []

    def test_a_write_is_in_doubt_for_a_day(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))
        world.clock.advance(DAY + 1)

        assert world.settle(a_request("2"))[0].result == "created"
        assert world.close.names == ["Account"]

    def test_late_creates_are_found_the_next_day(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))
        world.close.add("Account")
        world.clock.advance(DAY + 1)

        assert world.settle(a_request("2"))[0].result == "unchanged"
        assert world.close.names == ["Account"]

    def test_a_rejection_after_a_lost_response_is_not_a_failure(self, world: MemoryWorld) -> None:
        """Its own create may have happened, so it must not be reported as failed."""
        world.close.faults = [LOST_BEFORE, Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402)]

        outcome, _ = world.settle(a_request())

        assert outcome.result == "unresolved"

    def test_a_removed_tenant_after_a_lost_response_is_not_a_failure(self, world: MemoryWorld) -> None:
        """Another request saw that the create happened; removing the tenant since does not undo it."""
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))
        assert world.settle(a_request("2"))[0].result == "unchanged"

        outcome = world.reconcile(
            a_request("1"), world.organization(Rejected(ProblemType.TENANT_NOT_FOUND, "no such tenant"))
        )

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"

    def test_a_rejected_read_after_a_lost_response_is_not_a_failure(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))
        assert world.settle(a_request("2"))[0].result == "unchanged"

        outcome = reconcile_with_a_revoked_key(world, a_request("1"))

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"

    def test_a_request_that_failed_meanwhile_creates_nothing(self, world: MemoryWorld) -> None:
        """It was delivered twice at once. The other run was rejected, and its published outcome stays true."""
        world.ledger.accept(a_request("1"))
        stale = world.ledger.accept(a_request("1"))
        failed = reconcile_with_a_revoked_key(world, a_request("1"))
        assert isinstance(failed, Outcome)
        assert failed.result == "failed"

        assert world.provisioner.reconcile(Job(stale, a_request("1"), world.organization())) == failed
        assert world.close.names == []

    def test_a_rejection_is_a_failure_when_only_another_request_is_in_doubt(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402)]
        world.reconcile(a_request("1"))

        assert kind_of(world.settle(a_request("2"))[0]) == "plan-limit"

    def test_a_429_between_the_reads_and_the_create_costs_no_create(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, RetryLater("429", 5), RetryLater("429", 5)]

        assert world.settle(a_request())[0].result == "created"
        assert world.close.names == ["Account"]

    def test_a_type_deleted_after_its_lost_response_is_created_again(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.reconcile(a_request())
        world.close.delete_all()

        assert world.settle(a_request())[0].result == "created"


class TestOnceAfterAKill:
    """A killed holder leaves its lease. After its end, the next holder assumes that a create may still land."""

    def orphaned(self, world: MemoryWorld, request: ProvisioningRequest, *, after_create: bool) -> None:
        world.lease_and_vanish(request)
        if after_create:
            world.close.add("Account")

    def test_no_other_run_starts_before_the_lease_ends(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=False)
        world.clock.advance(89)

        assert isinstance(world.reconcile(a_request("2")), Deferred)

    def test_a_run_killed_after_the_create_is_recovered(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=True)

        assert world.settle(a_request("1"), runs=60)[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_another_request_finds_the_type_of_a_killed_run(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=True)

        assert world.settle(a_request("2"), runs=60)[0].result == "unchanged"
        assert world.close.names == ["Account"]

    def test_a_run_killed_before_the_create_is_repeated(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=False)

        assert world.settle(a_request("1"), runs=60)[0].result == "created"
        assert world.close.names == ["Account"]

    def test_the_lag_counts_from_the_end_of_the_lease(self, world: MemoryWorld) -> None:
        """The holder may have sent its create at the last moment of its lease."""
        self.orphaned(world, a_request("1"), after_create=False)
        world.clock.advance(91)

        result = world.reconcile(a_request("2"))

        assert isinstance(result, Deferred)
        assert result.seconds == pytest.approx(59)

    def test_one_more_create_follows_a_kill_and_a_lost_response(self, world: MemoryWorld) -> None:
        """The killed run may never have sent its create."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request("1"))
        world.clock.advance(61)
        self.orphaned(world, a_request("2"), after_create=False)

        assert world.settle(a_request("3"), runs=60)[0].result == "created"
        assert world.close.names == ["Account"]

    def test_a_request_is_unresolved_after_four_kills(self, world: MemoryWorld) -> None:
        for number in range(4):
            self.orphaned(world, a_request(f"{number}"), after_create=False)
            world.clock.advance(91)

        outcome, _ = world.settle(a_request("last"), runs=60)

        assert outcome.result == "unresolved"
        assert world.close.names == []

    def test_a_run_killed_before_it_found_an_old_type_does_not_claim_it(self, world: MemoryWorld) -> None:
        """A type that is older than the request was not created by it."""
        world.close.add("Account")
        world.clock.advance(DAY)
        self.orphaned(world, a_request("1"), after_create=False)

        assert world.settle(a_request("1"), runs=60)[0].result == "unchanged"

    def test_a_request_gives_up_unresolved_while_its_killed_run_may_have_created(self) -> None:
        world = MemoryWorld(wait_limit=0)
        self.orphaned(world, a_request("1"), after_create=True)

        assert world.settle(a_request("1"))[0].result == "unresolved"
        assert kind_of(world.settle(a_request("2"))[0]) == "deadline-exceeded"

    def test_a_tenant_removed_after_a_kill_leaves_the_request_unresolved(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=True)
        gone = world.organization(Rejected(ProblemType.TENANT_NOT_FOUND, "no such tenant"))

        outcome = world.reconcile(a_request("1"), gone)

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"
        assert outcome.problem
        assert outcome.problem.detail.startswith("no such tenant Check in Close")

    @pytest.mark.parametrize(("lags", "result"), [(1, "unresolved"), (2, "failed")])
    def test_a_killed_and_rejected_request_fails_once_its_create_is_ruled_out(
        self, world: MemoryWorld, lags: int, result: str
    ) -> None:
        """The type existed all the time. Two reads rule out that the killed run created another one."""
        world.close.add("Account")
        world.clock.advance(DAY)
        request = a_request("1", if_exists="fail")
        self.orphaned(world, request, after_create=False)
        world.clock.advance(91 + lags * 60)  # the killed run's lease, and then so many lags of the list

        assert world.settle(request, runs=1)[0].result == result

    def test_giving_up_waits_for_another_run_of_the_request(
        self, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.provisioner = replace(world.provisioner, wait_limit=0)
        world.close.list_fails = Unavailable("Close returned 500")
        monkeypatch.setattr(world.ledger, "settle", Mock(side_effect=RetryLater("another run has the lease", 2)))

        assert world.reconcile(a_request("1")) == Deferred(2, "another run has the lease", 1)

    def test_a_slow_holder_cannot_settle_over_the_next_one(self, world: MemoryWorld) -> None:
        slow, quick = a_request("1"), a_request("2")
        record = world.ledger.accept(slow)
        lease = world.ledger.lease(record, type_resource("orga_acme", "account"))
        world.clock.advance(91)
        world.settle(quick)

        with pytest.raises(RetryLater):
            world.ledger.settle(record, world.topic.events[0][1], [lease])
        assert world.ledger.requests[slow.id][0].outcome is None
