"""The use case, later: changes by hand in Close, and unresolved requests."""

from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from tests.close import LOST_BEFORE
from tests.fakes import MemoryWorld, a_request

DAY = 24 * 3600


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(list_lag=60)


class TestChangedByHandInClose:
    def test_a_deleted_type_is_created_again(self, world: MemoryWorld) -> None:
        world.settle(a_request("1"))
        world.close.delete_all()
        world.clock.advance(3600)

        assert world.settle(a_request("2"))[0].result == "created"
        assert world.close.names == ["Account"]

    def test_a_new_type_that_no_read_shows_is_not_created_again(self, world: MemoryWorld) -> None:
        world.settle(a_request("1"))
        world.close.hide(world.close.existing[0].id, seconds=60)

        result = world.reconcile(a_request("2"))
        assert isinstance(result, Deferred)

        world.clock.advance(result.seconds)
        assert world.settle(a_request("2"))[0].result == "unchanged"

    def test_a_new_type_that_is_not_listed_is_read_by_its_id(self, world: MemoryWorld) -> None:
        world.close.lag = 30
        world.settle(a_request("1"))

        assert world.settle(a_request("2")) == (world.topic.events[1][1], 1)
        assert world.topic.events[1][1].result == "unchanged"

    def test_a_renamed_type_is_adopted(self, world: MemoryWorld) -> None:
        world.settle(a_request("1"))
        world.close.change(world.close.existing[0].id, name="Customer")

        outcome, _ = world.settle(a_request("2"))

        assert outcome.result == "adopted"
        assert [(each.field, each.observed) for each in outcome.types[0].differences] == [("name", "Customer")]
        assert world.close.names == ["Customer"]

    def test_a_second_type_by_hand_does_not_hide_the_first(self, world: MemoryWorld) -> None:
        first, _ = world.settle(a_request("1"))
        world.clock.advance(1)
        second = world.close.add("account")

        outcome, _ = world.settle(a_request("2"))

        assert outcome.types[0].custom_object_type == first.types[0].custom_object_type
        assert outcome.types[0].other_matches == (second.id,)


class TestUnresolvedRequests:
    """An unresolved request is sent again: its outcome stays, but its types may be resolved."""

    @pytest.fixture
    def unresolved(self, world: MemoryWorld) -> MemoryWorld:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request())
        assert world.topic.events[0][1].result == "unresolved"
        return world

    def reconcile_unresolved(self, world: MemoryWorld, organization: Any = None) -> Any:
        record = world.ledger.accept(a_request())
        return world.provisioner.reconcile_unresolved(Job(record, a_request(), organization or world.organization()))

    def test_a_type_found_later_is_announced(self, unresolved: MemoryWorld) -> None:
        there = unresolved.close.add("Account")
        unresolved.clock.advance(61)

        assert self.reconcile_unresolved(unresolved) is None
        [(_, told)] = unresolved.topic.types
        assert (told.result, [each.id for each in told.types]) == ("recovered", [there.id])
        assert len(unresolved.topic.events) == 1  # the request's outcome stays what it was
        assert unresolved.settle(a_request("2"))[0].result == "unchanged"

    def test_a_resolved_type_is_announced_under_one_id(self, unresolved: MemoryWorld) -> None:
        unresolved.close.add("Account")
        unresolved.clock.advance(61)
        self.reconcile_unresolved(unresolved)
        self.reconcile_unresolved(unresolved)

        (one, _), (other, _) = unresolved.topic.types
        assert one == other != a_request().id

    def test_a_type_no_longer_in_doubt_is_created(self, unresolved: MemoryWorld) -> None:
        unresolved.clock.advance(DAY + 1)

        assert self.reconcile_unresolved(unresolved) is None
        assert unresolved.close.names == ["Account"]
        assert [told.result for _, told in unresolved.topic.types] == ["created"]

    def test_a_type_that_stays_in_doubt_is_not_announced(self, unresolved: MemoryWorld) -> None:
        unresolved.clock.advance(61)

        result = self.reconcile_unresolved(unresolved)
        while isinstance(result, Deferred):
            unresolved.clock.advance(result.seconds + 1)
            result = self.reconcile_unresolved(unresolved)

        assert result is None
        assert (unresolved.topic.types, unresolved.close.names) == ([], [])

    def test_a_rejected_request_announces_nothing(self, unresolved: MemoryWorld) -> None:
        organization = unresolved.organization(Rejected(ProblemType.TENANT_NOT_FOUND, "gone"))

        assert self.reconcile_unresolved(unresolved, organization) is None
        assert unresolved.topic.types == []

    def test_a_leased_type_defers_the_request(self, unresolved: MemoryWorld) -> None:
        unresolved.lease_and_vanish(a_request("2"))

        assert isinstance(self.reconcile_unresolved(unresolved), Deferred)
