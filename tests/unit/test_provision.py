"""The use case: what becomes of a request, whatever Close has, says, or fails to say."""

from typing import Any

import pytest

from provisioner.contract import Outcome, ProvisioningRequest, Result
from provisioner.errors import Busy, Kind, NotCreated, Refused
from provisioner.provision import Wait
from provisioner.records import RequestState
from tests.fakes import LOST, LOST_BEFORE, World, a_request

DAY = 24 * 3600


@pytest.fixture
def world() -> World:
    return World(list_lag=60)


def kind_of(outcome: Outcome) -> str:
    assert outcome.problem
    return outcome.problem.type.rpartition(":")[2]


def leased(world: World, request: ProvisioningRequest) -> None:
    """Somebody works on the request's type, and nothing more is heard of them."""
    world.ledger.lease(world.ledger.accept(request), request)


class TestWithoutTrouble:
    def test_created(self, world: World) -> None:
        outcome, runs = world.settle(a_request(spec={"description": "Who pays us"}))

        assert (outcome.result, runs, outcome.attempts) == ("created", 1, 1)
        assert (outcome.tenant, outcome.request_id) == ("acme", "signup-8841")
        assert outcome.custom_object_type
        assert outcome.custom_object_type["id"] == "cotype_1"
        assert outcome.custom_object_type["description"] == "Who pays us"
        assert outcome.settled_at == "2027-01-15T08:00:00+00:00"
        assert world.close.names == ["Account"]

    def test_adopted_with_its_differences(self, world: World) -> None:
        there = world.close.add("account", description="Old")

        outcome, _ = world.settle(a_request(spec={"description": "New"}))

        assert outcome.result == "adopted"
        assert {each.field: (each.wanted, each.actual) for each in outcome.differences} == {
            "name": ("Account", "account"), "name_plural": ("Accounts", "accounts"), "description": ("New", "Old"),
        }  # fmt: skip
        assert world.close.existing == [there]

    def test_unchanged(self, world: World) -> None:
        world.close.add("Account", description="not compared")

        outcome, _ = world.settle(a_request())

        assert (outcome.result, outcome.differences) == ("unchanged", ())

    def test_fail_if_it_exists(self, world: World) -> None:
        world.close.add("Account")

        outcome, _ = world.settle(a_request(if_exists="fail"))

        assert (outcome.result, kind_of(outcome)) == ("failed", "type-exists")
        assert outcome.problem
        assert (outcome.problem.status, "cotype_1" in outcome.problem.detail) == (409, True)

    def test_fail_if_it_exists_creates_what_does_not(self, world: World) -> None:
        assert world.settle(a_request(if_exists="fail"))[0].result == "created"

    def test_what_this_service_created_is_unchanged_for_the_next_request(self, world: World) -> None:
        world.settle(a_request("1"))

        assert world.settle(a_request("2"))[0].result == "unchanged"
        assert kind_of(world.settle(a_request("3", if_exists="fail"))[0]) == "type-exists"
        assert world.close.names == ["Account"]

    def test_of_several_the_oldest_is_taken_and_the_others_are_told_of(self, world: World) -> None:
        world.close.add("Account", id="young", date_created="2026-03-01T00:00:00.000000")
        world.close.add("ACCOUNT", id="old", date_created="2026-02-01T00:00:00.000000")
        world.close.add("Deal", id="other", date_created="2020-02-01T00:00:00.000000")

        outcome, _ = world.settle(a_request())

        assert outcome.custom_object_type
        assert (outcome.custom_object_type["id"], outcome.also_found) == ("old", ("young",))
        assert len(world.close.existing) == 3

    def test_one_look_serves_a_batch(self, world: World) -> None:
        batch = world.organization()
        outcomes = [
            world.carry_out(a_request(each, name), batch) for each, name in (("1", "A"), ("2", "B"), ("3", "a"))
        ]

        assert [each.result for each in outcomes if isinstance(each, Outcome)] == ["created", "created", "adopted"]
        assert world.close.names == ["A", "B"]


class TestSettledAndAnnounced:
    def test_a_settled_request_is_announced_once_under_its_id(self, world: World) -> None:
        request = a_request()

        first, _ = world.settle(request)
        again, _ = world.settle(request)

        assert first == again
        assert world.outcomes.events == [(request.id, first)]
        assert world.ledger.requests[request.id][0].state is RequestState.ANNOUNCED

    def test_an_outcome_never_changes(self, world: World) -> None:
        first, _ = world.settle(a_request("1"))
        world.close.existing.clear()
        world.clock.advance(DAY)

        assert world.settle(a_request("1"))[0] == first
        assert world.close.names == []

    def test_stored_before_it_is_published(self, world: World) -> None:
        request = a_request()
        world.outcomes.fails = ConnectionError()

        with pytest.raises(ConnectionError):
            world.carry_out(request)
        assert world.ledger.requests[request.id][0].state is RequestState.SETTLED

        world.outcomes.fails = None
        outcome = world.carry_out(request)
        assert world.outcomes.events == [(request.id, outcome)]
        assert world.close.names == ["Account"]

    def test_another_has_settled_it_meanwhile(self, world: World) -> None:
        request = a_request()
        record = world.ledger.accept(request)
        given_up = world.provisioner.give_up(record, request, "It failed too often.")

        late = world.provisioner.carry_out(record, request, world.organization())

        assert late == given_up
        assert given_up.result is Result.UNRESOLVED

    def test_giving_up_what_is_settled_keeps_its_outcome(self, world: World) -> None:
        request = a_request()
        outcome, _ = world.settle(request)

        assert world.provisioner.give_up(world.ledger.accept(request), request, "whatever") == outcome

    def test_giving_up_says_what_to_look_for(self, world: World) -> None:
        request = a_request()

        outcome = world.provisioner.give_up(world.ledger.accept(request), request, "It failed too often.")

        assert (outcome.result, kind_of(outcome)) == ("unresolved", "unresolved")
        assert outcome.problem
        assert outcome.problem.detail.startswith(
            "It failed too often. Please look in Close, organisation of tenant 'acme'"
        )
        assert "'Account'" in outcome.problem.detail
        assert world.outcomes.events == [(request.id, outcome)]


class TestFinal:
    @pytest.mark.parametrize(
        "kind", [Kind.SPEC_REJECTED, Kind.CREDENTIAL_REJECTED, Kind.PLAN_LIMIT, Kind.PERMISSION_MISSING]
    )
    def test_a_refused_create_fails_at_once(self, world: World, kind: Kind) -> None:
        world.close.faults = [Refused(kind, "no", close_status=402)]

        outcome, runs = world.settle(a_request())

        assert (outcome.result, runs, outcome.problem and outcome.problem.type) == ("failed", 1, kind.uri)
        assert outcome.problem
        assert outcome.problem.close_status == 402

    def test_a_refused_list_fails_at_once(self, world: World) -> None:
        world.close.list_fails = Refused(Kind.CREDENTIAL_REJECTED, "no", close_status=401)

        assert kind_of(world.settle(a_request())[0]) == "credential-rejected"

    def test_a_tenant_that_cannot_be_opened_takes_no_lease(self, world: World) -> None:
        organization = world.organization(Refused(Kind.TENANT_UNKNOWN, "no such tenant"))

        outcome = world.carry_out(a_request(), organization)

        assert isinstance(outcome, Outcome)
        assert kind_of(outcome) == "tenant-unknown"
        assert world.ledger.types == {}

    def test_a_failure_does_not_stand_in_the_way_of_the_next_request(self, world: World) -> None:
        world.close.faults = [Refused(Kind.PLAN_LIMIT, "no")]
        world.settle(a_request("1"))

        assert world.settle(a_request("2")) == (world.outcomes.events[1][1], 1)
        assert world.outcomes.events[1][1].result == "created"


class TestWaiting:
    def test_as_long_as_asked(self, world: World) -> None:
        world.close.list_fails = Busy("Close asks to wait (429)", 17.5)

        assert world.carry_out(a_request()) == Wait(17.5, "Close asks to wait (429)")

    def test_a_little_longer_each_time_when_nobody_said_how_long(self, world: World) -> None:
        request = a_request()
        world.close.list_fails = NotCreated("Close answered 500")

        waits = []
        for _ in range(9):
            result = world.carry_out(request)
            assert isinstance(result, Wait)
            waits.append(result.seconds)

        for seconds, about in zip(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300], strict=True):
            assert 0.8 * about <= seconds <= 1.2 * about

    def test_then_it_goes_on(self, world: World) -> None:
        world.close.faults = [Busy("429", 3), NotCreated("refused connection"), Busy("429", 1)]

        outcome, runs = world.settle(a_request())

        assert (outcome.result, outcome.attempts, runs) == ("created", 4, 4)
        assert world.close.names == ["Account"]

    def test_a_wait_holds_no_lease(self, world: World) -> None:
        world.close.faults = [Busy("429", 600)]
        world.carry_out(a_request("1"))

        assert world.settle(a_request("2"))[1] == 1

    def test_a_wait_leaves_no_doubt(self, world: World) -> None:
        """What surely was not created may be created at once by the next."""
        world.close.faults = [NotCreated("refused connection")]
        world.carry_out(a_request("1"))

        assert world.carry_out(a_request("2")) == world.outcomes.events[0][1]

    def test_gives_up_after_the_limit(self) -> None:
        world = World(wait_limit=100)
        world.close.list_fails = Busy("Close asks to wait (429)", 30)

        outcome, runs = world.settle(a_request())

        assert (outcome.result, kind_of(outcome), runs) == ("failed", "gave-up", 4)
        assert outcome.problem
        assert "tried for 100 seconds" in outcome.problem.detail
        assert "Close asks to wait (429)" in outcome.problem.detail
        world.close.list_fails = None
        assert world.settle(a_request("2"))[0].result == "created"

    def test_unresolved_if_it_gives_up_in_doubt(self) -> None:
        world = World(list_lag=60, wait_limit=50)
        world.close.faults = [LOST]

        outcome, runs = world.settle(a_request())

        assert (outcome.result, runs) == ("unresolved", 1)
        assert world.outcomes.events == [(a_request().id, outcome)]

    def test_busy_while_another_holds_the_lease(self, world: World) -> None:
        leased(world, a_request("1"))

        result = world.carry_out(a_request("2"))

        assert isinstance(result, Wait)
        assert world.close.names == []

    def test_other_types_and_other_tenants_do_not_wait_for_it(self, world: World) -> None:
        leased(world, a_request("1"))

        assert world.settle(a_request("2", "Deal"))[1] == 1
        assert world.settle(a_request("1", tenant="globex"))[1] == 1


class TestOnceAfterALostAnswer:
    def test_recovered_when_the_create_had_happened(self, world: World) -> None:
        world.close.faults = [LOST]
        world.close.lag = 50

        first = world.carry_out(a_request())
        assert isinstance(first, Wait)
        assert first.seconds == 60  # the list is sure to show it by then

        outcome, runs = world.settle(a_request())
        assert (outcome.result, runs) == ("recovered", 2)
        assert world.close.names == ["Account"]

    def test_recovered_even_when_existing_ones_shall_fail(self, world: World) -> None:
        world.close.faults = [LOST]

        assert world.settle(a_request(if_exists="fail"))[0].result == "recovered"

    def test_nobody_looks_before_the_lag_is_over(self, world: World) -> None:
        world.close.faults = [LOST]
        world.carry_out(a_request())
        world.clock.advance(59)

        again = world.carry_out(a_request())

        assert isinstance(again, Wait)
        assert again.seconds == pytest.approx(1)

    def test_another_request_finds_it_and_did_not_make_it(self, world: World) -> None:
        world.close.faults = [LOST]
        world.carry_out(a_request("1"))

        assert world.settle(a_request("2"))[0].result == "unchanged"
        assert world.settle(a_request("1"))[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_a_list_from_before_the_doubt_does_not_count(self, world: World) -> None:
        """A batch holds an old list without the type. The look that decides must be a new one."""
        old = world.organization()
        old.types(0)
        world.close.faults = [LOST]
        world.carry_out(a_request("1"))
        world.clock.advance(61)

        outcome = world.carry_out(a_request("2"), old)

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unchanged"
        assert world.close.names == ["Account"]

    def test_sent_once_more_after_two_looks_that_did_not_find_it(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE]
        results = []
        for _ in range(3):
            results.append(world.carry_out(a_request()))
            world.clock.advance(60.001)

        assert [isinstance(each, Wait) for each in results] == [True, True, False]
        assert world.outcomes.events[0][1].result == "created"
        assert world.close.names == ["Account"]

    def test_two_looks_in_the_same_moment_are_one(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE]
        world.carry_out(a_request())
        world.clock.advance(61)

        for _ in range(5):
            assert isinstance(world.carry_out(a_request()), Wait)
        assert world.close.names == []

    def test_twice_lost_and_twice_there_is_still_one(self, world: World) -> None:
        """The first create was late: it shows after the second look of another, so the second create never starts."""
        world.close.faults = [LOST_BEFORE]
        world.carry_out(a_request())
        world.clock.advance(61)
        world.carry_out(a_request())
        world.close.add("Account")  # at last
        world.clock.advance(61)

        assert world.settle(a_request())[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_unresolved_when_two_were_lost_and_none_is_to_be_seen(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]

        outcome, _ = world.settle(a_request())

        assert outcome.result == "unresolved"
        assert outcome.problem
        assert outcome.problem.detail.startswith("Up to 2 creates were sent, their answers got lost")
        assert world.close.names == []

    def test_never_a_third_create_on_the_same_day(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))

        outcome, _ = world.settle(a_request("2"))

        assert outcome.result == "unresolved"
        assert world.close.names == []

    def test_doubt_ends_after_a_day(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))
        world.clock.advance(DAY + 1)

        assert world.settle(a_request("2"))[0].result == "created"
        assert world.close.names == ["Account"]

    def test_late_creates_are_found_the_next_day(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))
        world.close.add("Account")
        world.clock.advance(DAY + 1)

        assert world.settle(a_request("2"))[0].result == "unchanged"
        assert world.close.names == ["Account"]

    def test_lost_then_refused_is_not_called_a_failure(self, world: World) -> None:
        """Its own create may have happened: nobody may say that it failed."""
        world.close.faults = [LOST_BEFORE, Refused(Kind.PLAN_LIMIT, "no", close_status=402)]

        outcome, _ = world.settle(a_request())

        assert outcome.result == "unresolved"

    def test_refused_while_the_doubt_is_another_ones_is_a_failure(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE, Refused(Kind.PLAN_LIMIT, "no", close_status=402)]
        world.carry_out(a_request("1"))

        assert kind_of(world.settle(a_request("2"))[0]) == "plan-limit"

    def test_busy_between_the_looks_and_the_create_costs_no_create(self, world: World) -> None:
        world.close.faults = [LOST_BEFORE, Busy("429", 5), Busy("429", 5)]

        assert world.settle(a_request())[0].result == "created"
        assert world.close.names == ["Account"]

    def test_what_was_deleted_after_it_was_created_and_lost_is_unknown(self, world: World) -> None:
        world.close.faults = [LOST]
        world.carry_out(a_request())
        world.close.existing.clear()

        assert world.settle(a_request())[0].result == "created"


class TestOnceAfterAKill:
    """A holder that vanishes leaves its lease: whoever comes after its end treats it as a create at large."""

    def killed(self, world: World, request: ProvisioningRequest, *, after_create: bool) -> None:
        leased(world, request)
        if after_create:
            world.close.add("Account")

    def test_nobody_gets_in_before_the_lease_ends(self, world: World) -> None:
        self.killed(world, a_request("1"), after_create=False)
        world.clock.advance(89)

        assert isinstance(world.carry_out(a_request("2")), Wait)

    def test_killed_after_the_create(self, world: World) -> None:
        self.killed(world, a_request("1"), after_create=True)

        assert world.settle(a_request("1"), runs=60)[0].result == "recovered"
        assert world.close.names == ["Account"]

    def test_killed_after_the_create_and_another_comes(self, world: World) -> None:
        self.killed(world, a_request("1"), after_create=True)

        assert world.settle(a_request("2"), runs=60)[0].result == "unchanged"
        assert world.close.names == ["Account"]

    def test_killed_before_the_create(self, world: World) -> None:
        self.killed(world, a_request("1"), after_create=False)

        assert world.settle(a_request("1"), runs=60)[0].result == "created"
        assert world.close.names == ["Account"]

    def test_the_lag_counts_from_the_end_of_the_lease(self, world: World) -> None:
        """The holder may have sent its create at the last moment of its lease."""
        self.killed(world, a_request("1"), after_create=False)
        world.clock.advance(91)

        result = world.carry_out(a_request("2"))

        assert isinstance(result, Wait)
        assert result.seconds == pytest.approx(59)

    def test_killed_and_lost_together_may_be_followed_by_one_more(self, world: World) -> None:
        """The killed one perhaps never sent its create."""
        world.close.faults = [LOST_BEFORE]
        world.carry_out(a_request("1"))
        world.clock.advance(61)
        self.killed(world, a_request("2"), after_create=False)

        assert world.settle(a_request("3"), runs=60)[0].result == "created"
        assert world.close.names == ["Account"]

    def test_unresolved_after_four_kills(self, world: World) -> None:
        for number in range(4):
            self.killed(world, a_request(f"{number}"), after_create=False)
            world.clock.advance(91)

        outcome, _ = world.settle(a_request("last"), runs=60)

        assert outcome.result == "unresolved"
        assert world.close.names == []

    def test_killed_before_it_saw_what_had_long_been_there(self, world: World) -> None:
        """What is older than the request was not created by it."""
        world.close.add("Account")
        world.clock.advance(DAY)
        self.killed(world, a_request("1"), after_create=False)

        assert world.settle(a_request("1"), runs=60)[0].result == "unchanged"

    def test_gives_up_unresolved_while_a_killed_run_of_its_own_may_have_created(self) -> None:
        world = World(wait_limit=0)
        self.killed(world, a_request("1"), after_create=True)

        assert world.settle(a_request("1"))[0].result == "unresolved"
        assert kind_of(world.settle(a_request("2"))[0]) == "gave-up"

    def test_a_tenant_that_went_away_meanwhile(self, world: World) -> None:
        self.killed(world, a_request("1"), after_create=True)
        gone = world.organization(Refused(Kind.TENANT_UNKNOWN, "no such tenant"))

        outcome = world.carry_out(a_request("1"), gone)

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"
        assert outcome.problem
        assert outcome.problem.detail.startswith("no such tenant Please look in Close")

    def test_a_holder_that_was_slow_cannot_settle_over_the_next_one(self, world: World) -> None:
        slow, quick = a_request("1"), a_request("2")
        record = world.ledger.accept(slow)
        lease = world.ledger.lease(record, slow)
        world.clock.advance(91)
        world.settle(quick)

        with pytest.raises(Busy):
            world.ledger.settle(record, world.outcomes.events[0][1], lease)
        assert world.ledger.requests[slow.id][0].outcome is None


class TestChangedByHandInClose:
    def test_deleted_it_is_created_again(self, world: World) -> None:
        world.settle(a_request("1"))
        world.close.existing.clear()
        world.clock.advance(3600)

        assert world.settle(a_request("2"))[0].result == "created"
        assert world.close.names == ["Account"]

    def test_just_created_and_not_shown_anywhere_yet_is_not_created_again(self, world: World) -> None:
        world.settle(a_request("1"))
        hidden, world.close.existing = world.close.existing, []

        result = world.carry_out(a_request("2"))
        assert isinstance(result, Wait)

        world.close.existing = hidden
        world.clock.advance(result.seconds)
        assert world.settle(a_request("2"))[0].result == "unchanged"

    def test_just_created_and_not_listed_yet_is_asked_for_by_its_id(self, world: World) -> None:
        world.close.lag = 30
        world.settle(a_request("1"))

        assert world.settle(a_request("2")) == (world.outcomes.events[1][1], 1)
        assert world.outcomes.events[1][1].result == "unchanged"

    def test_renamed_it_is_still_the_one(self, world: World) -> None:
        world.settle(a_request("1"))
        world.close.existing = [world.close.existing[0].model_copy(update={"name": "Customer"})]

        outcome, _ = world.settle(a_request("2"))

        assert outcome.result == "adopted"
        assert [(each.field, each.actual) for each in outcome.differences] == [("name", "Customer")]
        assert world.close.names == ["Customer"]

    def test_a_second_one_by_hand_does_not_hide_the_first(self, world: World) -> None:
        first, _ = world.settle(a_request("1"))
        world.close.add("account")

        outcome, _ = world.settle(a_request("2"))

        assert outcome.custom_object_type == first.custom_object_type
        assert outcome.also_found == ("cotype_2",)


class TestFollowUp:
    """An unresolved request is sent again: its outcome stays, but its type may be found out about."""

    @pytest.fixture
    def unresolved(self, world: World) -> World:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request())
        assert world.outcomes.events[0][1].result == "unresolved"
        return world

    def follow_up(self, world: World, organization: Any = None) -> Any:
        record = world.ledger.accept(a_request())
        return world.provisioner.follow_up(record, a_request(), organization or world.organization())

    def test_found_by_now(self, unresolved: World) -> None:
        there = unresolved.close.add("Account")
        unresolved.clock.advance(61)

        assert self.follow_up(unresolved) is None
        [(_, told)] = unresolved.outcomes.types
        assert (told.result, told.custom_object_type and told.custom_object_type["id"]) == ("recovered", there.id)
        assert len(unresolved.outcomes.events) == 1  # the request's outcome stays what it was
        assert unresolved.settle(a_request("2"))[0].result == "unchanged"

    def test_told_under_the_same_id_each_time(self, unresolved: World) -> None:
        unresolved.close.add("Account")
        unresolved.clock.advance(61)
        self.follow_up(unresolved)
        self.follow_up(unresolved)

        (one, _), (other, _) = unresolved.outcomes.types
        assert one == other != a_request().id

    def test_created_when_the_doubt_is_over(self, unresolved: World) -> None:
        unresolved.clock.advance(DAY + 1)

        assert self.follow_up(unresolved) is None
        assert unresolved.close.names == ["Account"]
        assert [told.result for _, told in unresolved.outcomes.types] == ["created"]

    def test_still_unknown(self, unresolved: World) -> None:
        unresolved.clock.advance(61)

        result = self.follow_up(unresolved)
        while isinstance(result, Wait):
            unresolved.clock.advance(result.seconds + 1)
            result = self.follow_up(unresolved)

        assert result is None
        assert (unresolved.outcomes.types, unresolved.close.names) == ([], [])

    def test_refused(self, unresolved: World) -> None:
        organization = unresolved.organization(Refused(Kind.TENANT_UNKNOWN, "gone"))

        assert self.follow_up(unresolved, organization) is None
        assert unresolved.outcomes.types == []

    def test_waits_as_everybody_does(self, unresolved: World) -> None:
        leased(unresolved, a_request("2"))

        assert isinstance(self.follow_up(unresolved), Wait)
