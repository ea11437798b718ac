"""Once: after a lost answer, after a kill, and after both."""

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import Mock

import pytest

from provisioner.close.models import CustomObjectType
from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.plan import type_resource
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from tests.fakes import LOST, LOST_BEFORE, MemoryOrganization, MemoryWorld, a_request, kind_of

DAY = 24 * 3600


class BlindOrganization(MemoryOrganization):
    """Close does not accept the credential any more."""

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]:
        raise Rejected(ProblemType.CREDENTIAL_REJECTED, "no", close_status=401)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(list_lag=60)


class TestOnceAfterALostAnswer:
    def test_recovered_when_the_create_had_happened(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.close.lag = 50

        first = world.reconcile(a_request())
        assert isinstance(first, Deferred)
        assert first.seconds == 60  # the list is sure to show it by then

        outcome, runs = world.settle(a_request())
        assert (outcome.result, runs) == ("recovered", 2)
        assert world.close.names == ["Account"]

    def test_recovered_even_when_existing_ones_shall_fail(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]

        assert world.settle(a_request(if_exists="fail"))[0].result == "recovered"

    def test_what_is_found_is_taken_at_once(self, world: MemoryWorld) -> None:
        """Only what is not found yet may still come."""
        world.close.faults = [LOST]
        world.reconcile(a_request())
        world.clock.advance(1)

        assert world.settle(a_request()) == (world.topic.events[0][1], 1)
        assert world.topic.events[0][1].result == "recovered"

    @pytest.mark.parametrize(("after", "wait"), [(1, 59), (59, 1), (60, 60), (61, 59), (119, 1)])
    def test_nobody_creates_before_two_lags_are_over(self, world: MemoryWorld, after: float, wait: float) -> None:
        """Who looks in between waits for the next of the two looks that count."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request())
        world.clock.advance(after)

        again = world.reconcile(a_request())

        assert isinstance(again, Deferred)
        assert again.seconds == pytest.approx(wait)
        world.clock.advance(120 - after)
        assert world.settle(a_request()) == (world.topic.events[0][1], 1)
        assert world.close.names == ["Account"]

    def test_another_request_finds_it_and_did_not_make_it(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))

        assert world.settle(a_request("2"))[0].result == "unchanged"
        assert world.settle(a_request("1"))[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_of_two_whose_creates_got_lost_one_says_that_it_made_it(self, world: MemoryWorld) -> None:
        """Nobody can know which of the two it was; but one type has one maker."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request("1"))
        world.close.faults = [LOST]
        for _ in range(2):  # looks
            world.clock.advance(61)
            world.reconcile(a_request("2"))

        assert world.settle(a_request("3"))[0].result == "unchanged"
        results = [world.settle(a_request(request_id))[0].result for request_id in ("1", "2")]

        assert sorted(results) == ["recovered", "unchanged"]
        assert world.close.names == ["Account"]

    def test_a_list_from_before_the_doubt_does_not_count(self, world: MemoryWorld) -> None:
        """A batch holds an old list without the type. The look that decides must be a new one."""
        old = world.organization()
        old.types(0)
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))
        world.clock.advance(61)

        outcome = world.reconcile(a_request("2"), old)

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unchanged"
        assert world.close.names == ["Account"]

    def test_sent_once_more_after_two_looks_that_did_not_find_it(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE]
        results = []
        for _ in range(3):
            results.append(world.reconcile(a_request()))
            world.clock.advance(60.001)

        assert [isinstance(each, Deferred) for each in results] == [True, True, False]
        assert world.topic.events[0][1].result == "created"
        assert world.close.names == ["Account"]

    def test_two_looks_in_the_same_moment_are_one(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request())
        world.clock.advance(61)

        for _ in range(5):
            assert isinstance(world.reconcile(a_request()), Deferred)
        assert world.close.names == []

    def test_twice_lost_and_twice_there_is_still_one(self, world: MemoryWorld) -> None:
        """The first create was late: it shows after the second look of another, so the second create never starts."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request())
        world.clock.advance(61)
        world.reconcile(a_request())
        world.close.add("Account")  # at last
        world.clock.advance(61)

        assert world.settle(a_request())[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_unresolved_when_two_were_lost_and_none_is_to_be_seen(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]

        outcome, _ = world.settle(a_request())

        assert outcome.result == "unresolved"
        assert outcome.problem
        assert outcome.problem.detail.startswith(
            "Up to 2 creates of the type 'Account' were sent, their responses were lost"
        )
        assert world.close.names == []

    def test_never_a_third_create_on_the_same_day(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))

        outcome, _ = world.settle(a_request("2"))

        assert outcome.result == "unresolved"
        assert world.close.names == []

    def test_doubt_ends_after_a_day(self, world: MemoryWorld) -> None:
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

    def test_lost_then_refused_is_not_called_a_failure(self, world: MemoryWorld) -> None:
        """Its own create may have happened: nobody may say that it failed."""
        world.close.faults = [LOST_BEFORE, Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402)]

        outcome, _ = world.settle(a_request())

        assert outcome.result == "unresolved"

    def test_lost_then_found_by_another_is_not_called_a_failure(self, world: MemoryWorld) -> None:
        """Somebody saw that it did happen: that its key was revoked since does not undo it."""
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))
        assert world.settle(a_request("2"))[0].result == "unchanged"

        outcome = world.reconcile(
            a_request("1"), world.organization(Rejected(ProblemType.TENANT_NOT_FOUND, "no such tenant"))
        )

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"

    def test_lost_then_found_by_another_and_a_look_that_is_refused(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))
        assert world.settle(a_request("2"))[0].result == "unchanged"

        outcome = world.reconcile(a_request("1"), BlindOrganization(world.close))

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"

    def test_nothing_is_created_for_a_request_that_failed_meanwhile(self, world: MemoryWorld) -> None:
        """It was delivered twice at once, and the other run was refused: what it announced stays true."""
        world.ledger.accept(a_request("1"))
        stale = world.ledger.accept(a_request("1"))
        failed = world.reconcile(a_request("1"), BlindOrganization(world.close))
        assert isinstance(failed, Outcome)
        assert failed.result == "failed"

        assert world.provisioner.reconcile(Job(stale, a_request("1"), world.organization())) == failed
        assert world.close.names == []

    def test_refused_while_the_doubt_is_another_ones_is_a_failure(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402)]
        world.reconcile(a_request("1"))

        assert kind_of(world.settle(a_request("2"))[0]) == "plan-limit"

    def test_busy_between_the_looks_and_the_create_costs_no_create(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, RetryLater("429", 5), RetryLater("429", 5)]

        assert world.settle(a_request())[0].result == "created"
        assert world.close.names == ["Account"]

    def test_what_was_deleted_after_it_was_created_and_lost_is_unknown(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST]
        world.reconcile(a_request())
        world.close.existing.clear()

        assert world.settle(a_request())[0].result == "created"


class TestOnceAfterAKill:
    """A holder that vanishes leaves its lease: whoever comes after its end treats it as a create at large."""

    def orphaned(self, world: MemoryWorld, request: ProvisioningRequest, *, after_create: bool) -> None:
        world.lease_and_vanish(request)
        if after_create:
            world.close.add("Account")

    def test_nobody_gets_in_before_the_lease_ends(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=False)
        world.clock.advance(89)

        assert isinstance(world.reconcile(a_request("2")), Deferred)

    def test_killed_after_the_create(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=True)

        assert world.settle(a_request("1"), runs=60)[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_killed_after_the_create_and_another_comes(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=True)

        assert world.settle(a_request("2"), runs=60)[0].result == "unchanged"
        assert world.close.names == ["Account"]

    def test_killed_before_the_create(self, world: MemoryWorld) -> None:
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

    def test_killed_and_lost_together_may_be_followed_by_one_more(self, world: MemoryWorld) -> None:
        """The killed one perhaps never sent its create."""
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request("1"))
        world.clock.advance(61)
        self.orphaned(world, a_request("2"), after_create=False)

        assert world.settle(a_request("3"), runs=60)[0].result == "created"
        assert world.close.names == ["Account"]

    def test_unresolved_after_four_kills(self, world: MemoryWorld) -> None:
        for number in range(4):
            self.orphaned(world, a_request(f"{number}"), after_create=False)
            world.clock.advance(91)

        outcome, _ = world.settle(a_request("last"), runs=60)

        assert outcome.result == "unresolved"
        assert world.close.names == []

    def test_killed_before_it_saw_what_had_long_been_there(self, world: MemoryWorld) -> None:
        """What is older than the request was not created by it."""
        world.close.add("Account")
        world.clock.advance(DAY)
        self.orphaned(world, a_request("1"), after_create=False)

        assert world.settle(a_request("1"), runs=60)[0].result == "unchanged"

    def test_gives_up_unresolved_while_a_killed_run_of_its_own_may_have_created(self) -> None:
        world = MemoryWorld(wait_limit=0)
        self.orphaned(world, a_request("1"), after_create=True)

        assert world.settle(a_request("1"))[0].result == "unresolved"
        assert kind_of(world.settle(a_request("2"))[0]) == "deadline-exceeded"

    def test_a_tenant_that_went_away_meanwhile(self, world: MemoryWorld) -> None:
        self.orphaned(world, a_request("1"), after_create=True)
        gone = world.organization(Rejected(ProblemType.TENANT_NOT_FOUND, "no such tenant"))

        outcome = world.reconcile(a_request("1"), gone)

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"
        assert outcome.problem
        assert outcome.problem.detail.startswith("no such tenant Check in Close")

    @pytest.mark.parametrize(("lags", "result"), [(1, "unresolved"), (2, "failed")])
    def test_killed_and_then_refused_it_failed_as_soon_as_that_is_sure(
        self, world: MemoryWorld, lags: int, result: str
    ) -> None:
        """Another's type was there all the time: when a look has shown all that the killed run may have sent."""
        world.close.add("Account")
        world.clock.advance(DAY)
        request = a_request("1", if_exists="fail")
        self.orphaned(world, request, after_create=False)
        world.clock.advance(91 + lags * 60)  # the killed run's lease, and then so many lags of the list

        assert world.settle(request, runs=1)[0].result == result

    def test_given_up_while_another_run_is_at_it_it_waits(
        self, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.provisioner = replace(world.provisioner, wait_limit=0)
        world.close.list_fails = Unavailable("Close returned 500")
        monkeypatch.setattr(world.ledger, "settle", Mock(side_effect=RetryLater("another run has the lease", 2)))

        assert world.reconcile(a_request("1")) == Deferred(2, "another run has the lease", 1)

    def test_a_holder_that_was_slow_cannot_settle_over_the_next_one(self, world: MemoryWorld) -> None:
        slow, quick = a_request("1"), a_request("2")
        record = world.ledger.accept(slow)
        lease = world.ledger.lease(record, type_resource("acme", "account"))
        world.clock.advance(91)
        world.settle(quick)

        with pytest.raises(RetryLater):
            world.ledger.settle(record, world.topic.events[0][1], [lease])
        assert world.ledger.requests[slow.id][0].outcome is None
