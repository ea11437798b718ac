"""A person's word about an unresolved request: it is taken only when Close's lists agree, and never doubles a type."""

import pytest

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.resolutions import Resolver, Word
from tests.close import LOST, LOST_BEFORE, Fault
from tests.fakes import MemoryWorld, a_request

SEATS = {"fields": [{"name": "Seats", "type": "number"}]}
SHARED = {"fields": [{"name": "Region", "type": "text", "shared": True}]}


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(list_lag=60)


def unresolved(world: MemoryWorld, request: ProvisioningRequest, *faults: Fault) -> None:
    """Lose the responses, and give the request up at once, as after five failures in a row."""
    world.close.faults = list(faults)
    world.reconcile(request)
    record = world.ledger.accept(request)
    assert world.provisioner.give_up(record, request, "It failed.").result == "unresolved"


def resolve(world: MemoryWorld, request: ProvisioningRequest, *, there: bool) -> Word:
    job = Job(world.ledger.accept(request), request, world.organization())
    return Resolver(world.provisioner).resolve(job, there=there)


def contradiction(world: MemoryWorld, request: ProvisioningRequest, *, there: bool) -> str:
    with pytest.raises(Rejected) as raised:
        resolve(world, request, there=there)
    assert raised.value.kind is ProblemType.CONTRADICTED
    return str(raised.value)


class TestNotThere:
    def test_lets_another_request_create_at_once_what_two_lost_creates_forbade(self, world: MemoryWorld) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        assert world.settle(a_request("1"))[0].result == "unresolved"
        assert world.settle(a_request("2"))[0].result == "unresolved"

        word = resolve(world, a_request("1"), there=False)

        assert word.types == {"Account": None}
        assert world.settle(a_request("3"))[0].result == "created"
        assert world.close.names == ["Account"]

    @pytest.mark.parametrize("after", [0, 1, 59, 60, 61, 119.9])
    def test_is_too_early_before_two_lags_have_passed(self, world: MemoryWorld, after: float) -> None:
        unresolved(world, a_request(), LOST_BEFORE)
        world.clock.advance(after)

        assert "too early" in contradiction(world, a_request(), there=False)

        world.clock.advance(120.001 - after)
        assert resolve(world, a_request(), there=False).types == {"Account": None}

    def test_is_too_early_while_a_create_of_another_request_may_still_land(self, world: MemoryWorld) -> None:
        unresolved(world, a_request("1"), LOST_BEFORE)
        world.clock.advance(120.001)
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request("2"))
        world.clock.advance(119)

        assert "too early" in contradiction(world, a_request("1"), there=False)

    @pytest.mark.parametrize("hidden", [0, 59, 119])
    @pytest.mark.parametrize("after", [0, 58, 60, 118, 120.001, 500])
    def test_a_wrong_word_never_doubles_a_type(self, world: MemoryWorld, hidden: float, after: float) -> None:
        world.close.lag = hidden
        unresolved(world, a_request("1"), LOST)
        world.clock.advance(after)

        assert contradiction(world, a_request("1"), there=False)

        world.settle(a_request("2"))
        assert world.close.names == ["Account"]

    def test_a_type_that_was_renamed_meanwhile_is_not_missing(self, world: MemoryWorld) -> None:
        unresolved(world, a_request(), LOST)
        [type_id] = [each.id for each in world.close.existing]
        world.close.change(type_id, name="Customer")
        world.clock.advance(200)

        assert type_id in contradiction(world, a_request(), there=False)

    def test_a_field_that_is_missing_may_be_created_again(self, world: MemoryWorld) -> None:
        request = a_request("1", spec=SEATS, if_exists="update")
        unresolved(world, request, None, LOST_BEFORE)
        world.clock.advance(120.001)

        assert resolve(world, request, there=False).missing == ("a field of 'account' (seats)",)

        again = a_request("2", spec=SEATS, if_exists="update")
        assert world.settle(again, runs=1)[0].result == "updated"
        assert [each.name for each in world.close.fields] == ["Seats"]

    def test_a_shared_field_likewise(self, world: MemoryWorld) -> None:
        request = a_request("1", spec=SHARED)
        unresolved(world, request, LOST_BEFORE)
        world.clock.advance(120.001)

        assert "the shared field 'region'" in resolve(world, request, there=False).missing

        assert world.settle(a_request("2", spec=SHARED), runs=1)[0].result == "created"
        assert len(world.close.shared) == 1

    def test_rules_out_the_creates_of_holders_that_died(self, world: MemoryWorld) -> None:
        for number in range(4):
            world.lease_and_vanish(a_request(str(number)))
            world.clock.advance(91)
        world.provisioner.give_up(world.ledger.accept(a_request("0")), a_request("0"), "It failed.")
        assert "too early" in contradiction(world, a_request("0"), there=False)
        world.clock.advance(200)

        resolve(world, a_request("0"), there=False)

        assert world.settle(a_request("9"), runs=1)[0].result == "created"

    def test_says_nothing_of_other_fields_that_a_killed_request_may_have_created(self, world: MemoryWorld) -> None:
        account = world.close.add("Account", name_plural="Accounts")
        world.clock.advance(1_000)
        world.lease_and_vanish(a_request("1", spec=SEATS, if_exists="update"))
        world.close.add_field(account.id, "Chairs", type="number")  # the killed request's, and renamed since
        places = a_request("2", spec={"fields": [{"name": "Places", "type": "text"}]}, if_exists="update")
        world.clock.advance(91)
        unresolved(world, places, LOST_BEFORE)
        world.clock.advance(300)

        resolve(world, places, there=False)

        assert world.settle(a_request("1", spec=SEATS, if_exists="update"))[0].result == "unresolved"

    def test_no_list_read_before_counts_from_then_on(self, world: MemoryWorld) -> None:
        """A worker with an old list in its cache has to read it again before it creates."""
        organization = world.organization()
        unresolved(world, a_request("1"), LOST)
        hidden = [each.id for each in world.close.existing]
        world.close.hide(hidden[0], 119)
        world.clock.advance(1)
        organization.types()
        world.clock.advance(121)
        world.close.hide(hidden[0], 0.5)  # for the person, by a list that lags again
        resolve(world, a_request("1"), there=False)
        world.clock.advance(1)

        world.reconcile(a_request("2"), organization)

        assert world.close.names == ["Account"]


class TestThere:
    def test_confirms_what_the_lists_show_and_tells_its_subscribers(self, world: MemoryWorld) -> None:
        unresolved(world, a_request(), LOST)
        [type_id] = [each.id for each in world.close.existing]

        word = resolve(world, a_request(), there=True)

        assert (word.types, word.missing) == ({"Account": type_id}, ())
        [(_, told)] = world.topic.types
        assert [(each.id, each.result) for each in told.types] == [(type_id, "recovered")]
        assert world.settle(a_request("2"))[0].result == "unchanged"

    def test_is_not_taken_for_a_type_that_the_lists_do_not_show(self, world: MemoryWorld) -> None:
        unresolved(world, a_request("1"), LOST_BEFORE)
        world.clock.advance(500)

        assert "the type 'account'" in contradiction(world, a_request("1"), there=True)

        assert world.close.writes == ["create type"], "only the one that was lost"
        assert world.ledger.resources[next(iter(world.ledger.resources))].in_doubt, "it is in doubt as before"

    def test_writes_nothing_though_a_field_is_missing(self, world: MemoryWorld) -> None:
        request = a_request("1", spec=SEATS, if_exists="update")
        unresolved(world, request, None, LOST_BEFORE)
        before = list(world.close.writes)

        assert "seats" in contradiction(world, request, there=True)

        assert world.close.writes == before

    def test_keeps_the_outcome(self, world: MemoryWorld) -> None:
        unresolved(world, a_request(), LOST)
        resolve(world, a_request(), there=True)
        found = world.ledger.find(a_request().id)
        assert found
        assert found.outcome
        assert found.outcome.result == "unresolved"


@pytest.mark.parametrize("there", [True, False])
class TestWhenCloseCannotBeRead:
    def test_nothing_changes(self, world: MemoryWorld, there: bool) -> None:
        unresolved(world, a_request("1"), LOST_BEFORE)
        known = {key: each.in_doubt for key, each in world.ledger.resources.items()}
        world.clock.advance(200)
        world.close.list_fails = Unavailable("down")

        with pytest.raises(Unavailable):
            resolve(world, a_request("1"), there=there)

        assert {key: each.in_doubt for key, each in world.ledger.resources.items()} == known
        assert not world.ledger.leased_until

    def test_it_waits_for_a_request_that_is_at_work(self, world: MemoryWorld, there: bool) -> None:
        unresolved(world, a_request("1"), LOST_BEFORE)
        world.clock.advance(200)
        world.lease_and_vanish(a_request("2"))

        with pytest.raises(RetryLater):
            resolve(world, a_request("1"), there=there)
