"""Once, while a person renames, and while other requests create something that looks the same but for its name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.contract.outcome import Outcome, TypeOutcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.look_alikes import SENT_SECONDS
from provisioner.reconcile.plan import type_resource
from provisioner.reconcile.retries import Deferred
from tests.close import ID, KEY, KILLED, LOST, LOST_BEFORE, Fault, Killed
from tests.fakes import START, MemoryWorld, a_request

SEATS = {"name": "Seats", "type": "number"}
PLACES = {"name": "Places", "type": "number"}

ACCOUNT = type_resource(ID, "account")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def bare(request_id: str, name: str, plural: str = "Records", **further: Any) -> ProvisioningRequest:
    return a_request(request_id, name, spec={"name_plural": plural}, **further)


def fields(request_id: str, *specs: dict[str, Any], name: str = "Account", **further: Any) -> ProvisioningRequest:
    return a_request(request_id, name, spec={"fields": specs}, **({"if_exists": "update"} | further))


def shared(request_id: str, name: str, of: str = "Account") -> ProvisioningRequest:
    return fields(request_id, {"name": name, "type": "text", "shared": True}, name=of)


def suffer(world: MemoryWorld, request: ProvisioningRequest, *faults: Fault) -> None:
    """One run of the request with these faults of its writes; the lease of a killed run has expired afterwards."""
    world.close.faults = list(faults)
    try:
        assert isinstance(world.reconcile(request), Deferred)
    except Killed:
        world.clock.advance(91)


def rename(world: MemoryWorld, old: str, new: str) -> None:
    [found] = [each for each in (*world.close.existing, *world.close.fields, *world.close.shared) if each.name == old]
    world.close.change(found.id, name=new)


def settled(world: MemoryWorld, request: ProvisioningRequest) -> TypeOutcome | str:
    """The settled type, or the detail of an outcome without success."""
    outcome = world.settle(request)[0]
    assert outcome.result != "failed"
    return outcome.types[0] if outcome.result != "unresolved" or not outcome.problem else outcome.problem.detail


def result_of(world: MemoryWorld, request: ProvisioningRequest) -> tuple[str, ...]:
    found = settled(world, request)
    if isinstance(found, str):
        return ("unresolved",)
    return (found.result, *(str(each.result) for each in found.fields))


def names(rows: list[Any]) -> list[str]:
    return sorted(each.name for each in rows)


class TestAnotherRequestCreatesWhatLooksTheSame:
    def test_a_type_that_the_ledger_knows_is_not_taken_for_a_renamed_one(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST_BEFORE)
        assert result_of(world, bare("2", "Customer")) == ("created",)

        assert result_of(world, bare("1", "Account")) == ("created",)
        assert sorted(world.close.names) == ["Account", "Customer"]

    def test_a_shared_field_that_the_ledger_knows_is_not_taken_for_a_renamed_one(self, world: MemoryWorld) -> None:
        suffer(world, shared("1", "Region"), None, LOST_BEFORE)
        assert result_of(world, shared("2", "Country", of="Order")) == ("created", "created")

        assert result_of(world, shared("1", "Region")) == ("created", "created")
        assert names(world.close.shared) == ["Country", "Region"]

    def test_a_field_of_a_killed_request_is_not_taken_for_a_renamed_one(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS), None, KILLED)
        assert result_of(world, fields("2", PLACES)) == ("updated", "created")

        assert result_of(world, fields("1", SEATS)) == ("recovered", "recovered")
        assert names(world.close.fields) == ["Places", "Seats"]

    def test_the_second_field_of_a_request_that_was_killed_after_the_first_is_missing(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS, PLACES), None, KILLED)
        assert result_of(world, fields("2", PLACES)) == ("updated", "created")

        assert result_of(world, fields("1", SEATS, PLACES)) == ("recovered", "recovered", "unchanged")
        assert names(world.close.fields) == ["Places", "Seats"]

    def test_a_request_that_was_killed_between_two_types_completes_the_second(self, world: MemoryWorld) -> None:
        specs = [{"name": name, "name_plural": "Records"} for name in ("Account", "Customer")]
        both = a_request("1", custom_object_types=specs, custom_object_type=None)
        suffer(world, both, KILLED)
        assert result_of(world, bare("2", "Customer")) == ("created",)

        outcome = world.settle(both)[0]

        assert [each.result for each in outcome.types] == ["recovered", "unchanged"]
        assert sorted(world.close.names) == ["Account", "Customer"]

    def test_two_creates_in_doubt_and_one_type_prove_nothing(self, world: MemoryWorld) -> None:
        """Either the second create happened, or the first one and a person renamed its type."""
        suffer(world, bare("1", "Account"), LOST_BEFORE)
        suffer(world, bare("2", "Customer"), LOST)

        assert "'Customer'" in str(settled(world, bare("1", "Account")))
        assert result_of(world, bare("2", "Customer")) == ("recovered",)
        assert world.close.names == ["Customer"]

    def test_a_run_that_is_under_way_may_still_prove_something(self, world: MemoryWorld) -> None:
        """Another request holds the lease of the present name, and then confirms that it created the type."""
        suffer(world, bare("1", "Account"), LOST_BEFORE)
        world.clock.advance(121)
        waits: list[float] = []

        def meanwhile() -> None:
            world.close.before_list = lambda: None
            waits.append(world.reconcile(bare("1", "Account")).seconds)  # type: ignore[union-attr]

        world.close.faults = []
        create = world.close.simulator.handle

        def respond(request: Any) -> Any:
            response = create(request)
            if request.method == "POST" and not waits:
                meanwhile()
            return response

        world.close.simulator.handle = respond  # type: ignore[method-assign]
        assert result_of(world, bare("2", "Customer")) == ("created",)

        assert waits == [90]
        assert result_of(world, bare("1", "Account")) == ("created",)

    def test_a_type_that_another_request_observed_before_the_create_is_not_its_result(self, world: MemoryWorld) -> None:
        suffer(world, bare("2", "Customer"), LOST)
        assert result_of(world, bare("2", "Customer")) == ("recovered",)
        world.clock.advance(SENT_SECONDS + 1)
        suffer(world, bare("1", "Account"), LOST_BEFORE)

        assert result_of(world, bare("1", "Account")) == ("created",)

    def test_a_type_that_was_observed_while_the_create_may_have_been_sent_may_be_its_result(
        self, world: MemoryWorld
    ) -> None:
        world.close.faults = [KILLED]
        with pytest.raises(Killed):
            world.reconcile(bare("1", "Account"))
        suffer(world, bare("2", "Customer", plural="Customers"), LOST_BEFORE)
        rename(world, "Account", "Customer")
        world.clock.advance(61)
        assert result_of(world, bare("2", "Customer", plural="Customers")) == ("recovered",)
        assert world.clock() < START + SENT_SECONDS
        world.clock.advance(SENT_SECONDS)

        assert result_of(world, bare("1", "Account")) == ("unresolved",)
        assert world.close.names == ["Customer"]

    def test_a_field_whose_create_was_not_sent_is_not_in_doubt(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS, PLACES), None, LOST)
        world.close.add_field(world.close.existing[0].id, "Chairs", type="number")

        assert result_of(world, fields("1", SEATS, PLACES)) == ("created", "recovered", "created")

    def test_a_request_that_is_settled_has_nothing_in_doubt(self, world: MemoryWorld) -> None:
        account = world.close.add("Account", name_plural="Accounts")
        world.close.change(account.id, date_created=datetime.fromtimestamp(world.clock() - 1_000, UTC))
        world.lease_and_vanish(fields("1", SEATS, if_exists="adopt"))
        world.clock.advance(SENT_SECONDS + 1)
        assert result_of(world, fields("1", SEATS, if_exists="adopt")) == ("adopted", "missing")
        assert not world.ledger.read(ACCOUNT).is_certain
        world.close.add_field(account.id, "Chairs", type="number")

        assert result_of(world, fields("2", SEATS)) == ("updated", "created")


class TestAPersonRenamesWhileACreateIsInDoubt:
    def test_nothing_is_in_doubt_once_a_renamed_type_is_known(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), KILLED)
        rename(world, "Account", "Firm")

        assert result_of(world, bare("1", "Account")) == ("adopted",)
        assert world.ledger.read(ACCOUNT).is_certain

    def test_a_type_that_keeps_its_name_is_not_mistaken_for_a_similar_one(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST)
        [own] = world.close.existing
        world.close.change(own.id, name_plural="Accounts")
        world.close.add("Client", name_plural="Records")
        world.clock.advance(2 * world.list_lag + 1)

        found = settled(world, bare("1", "Account"))

        assert isinstance(found, TypeOutcome)
        assert (found.id, found.result) == (own.id, "recovered")

    def test_nothing_is_in_doubt_after_a_kill_if_a_renamed_field_is_known(self, world: MemoryWorld) -> None:
        assert result_of(world, fields("1", SEATS)) == ("created", "created")
        rename(world, "Seats", "Chairs")
        world.lease_and_vanish(fields("2", SEATS))
        world.clock.advance(SENT_SECONDS + 2 * world.list_lag + 1)

        assert result_of(world, fields("2", SEATS)) == ("adopted", "adopted")
        assert world.ledger.read(ACCOUNT).is_certain

    def test_a_type_beside_a_similar_one_is_not_known_again(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST)
        rename(world, "Account", "Firm")
        world.close.add("Client", name_plural="Records")

        assert result_of(world, bare("1", "Account")) == ("unresolved",)
        assert sorted(world.close.names) == ["Client", "Firm"]

    def test_a_field_that_is_given_the_name_of_an_earlier_one_is_not_created_again(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS, PLACES), None, None, LOST)
        [seats] = [each for each in world.close.fields if each.name == "Seats"]
        path = f"custom_field/custom_object_type/{seats.id}/"
        assert world.close.simulator.client(KEY).delete(path).status_code == 204
        rename(world, "Places", "Seats")
        world.clock.advance(2 * world.list_lag + 1)

        assert result_of(world, fields("1", SEATS, PLACES)) == ("unresolved",)
        assert names(world.close.fields) == ["Seats"]

    def test_a_type_is_reported_with_both_names(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST)
        rename(world, "Account", "Customer")

        found = settled(world, bare("1", "Account"))

        assert isinstance(found, TypeOutcome)
        assert (found.result, found.renamed) == ("adopted", "Customer")
        assert world.close.names == ["Customer"]

    @pytest.mark.parametrize("fault", [LOST, KILLED])
    def test_a_field_is_not_created_again(self, world: MemoryWorld, fault: str) -> None:
        suffer(world, fields("1", SEATS), None, fault)
        rename(world, "Seats", "Chairs")

        detail = settled(world, fields("1", SEATS))

        assert isinstance(detail, str)
        assert "'Chairs'" in detail
        assert "the field 'Seats' of the type 'account'" in detail
        assert names(world.close.fields) == ["Chairs"]

    @pytest.mark.parametrize("fault", [LOST, KILLED])
    def test_a_shared_field_is_not_created_again(self, world: MemoryWorld, fault: str) -> None:
        suffer(world, shared("1", "Region"), None, fault)
        rename(world, "Region", "Area")

        assert "'Area'" in str(settled(world, shared("1", "Region")))
        assert result_of(world, shared("2", "Region")) == ("unresolved",)
        assert names(world.close.shared) == ["Area"]

    def test_a_field_of_a_killed_request_is_remembered_by_requests_for_others(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS), None, KILLED)
        rename(world, "Seats", "Chairs")
        world.clock.advance(1_000)
        assert result_of(world, fields("2", PLACES)) == ("updated", "created")

        assert result_of(world, fields("1", SEATS)) == ("unresolved",)
        assert names(world.close.fields) == ["Chairs", "Places"]

    def test_a_field_of_a_killed_request_is_not_unchanged_after_requests_for_others(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS), None, KILLED)
        world.clock.advance(1_000)
        assert result_of(world, fields("2", PLACES)) == ("updated", "created")

        assert result_of(world, fields("1", SEATS)) == ("recovered", "recovered")

    def test_a_type_is_known_by_what_its_sender_sent(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account", "Accounts"), LOST)
        rename(world, "Account", "Customer")

        found = settled(world, bare("2", "Account", "Firms"))

        assert isinstance(found, TypeOutcome)
        assert (found.result, found.renamed) == ("adopted", "Customer")
        assert world.close.names == ["Customer"]

    def test_a_type_may_not_be_reported_as_failed(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account", if_exists="fail"), LOST)
        rename(world, "Account", "Customer")

        assert result_of(world, bare("1", "Account", if_exists="fail")) == ("unresolved",)

    def test_a_type_of_another_request_is_not_claimed(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST_BEFORE)
        assert result_of(world, bare("2", "Customer")) == ("created",)
        rename(world, "Customer", "Firm")

        assert result_of(world, bare("1", "Account")) == ("adopted",)

    def test_a_type_is_not_created_again_when_its_new_name_is_requested_too(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST)
        rename(world, "Account", "Customer")
        assert result_of(world, bare("2", "Customer")) == ("unchanged",)

        found = settled(world, bare("1", "Account"))
        assert isinstance(found, TypeOutcome)
        assert (found.result, found.renamed) == ("adopted", "Customer")

    def test_a_person_who_adds_the_like_of_a_field_leaves_it_unresolved(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS), None, LOST_BEFORE)
        world.close.add_field(world.close.existing[0].id, "Chairs", type="number")

        assert result_of(world, fields("1", SEATS)) == ("unresolved",)

    def test_what_was_there_before_is_not_a_renamed_field(self, world: MemoryWorld) -> None:
        account = world.close.add("Account", name_plural="Accounts")
        world.close.add_field(account.id, "Chairs", type="number")
        world.clock.advance(400)
        suffer(world, fields("1", SEATS), LOST_BEFORE)

        assert result_of(world, fields("1", SEATS)) == ("updated", "created")


class TestARenamedSharedField:
    def test_is_associated_with_further_types(self, world: MemoryWorld) -> None:
        assert result_of(world, shared("1", "Region")) == ("created", "created")
        rename(world, "Region", "Area")

        found = settled(world, shared("2", "Region", of="Order"))

        assert isinstance(found, TypeOutcome)
        assert (found.result, [each.result for each in found.fields]) == ("created", ["created"])
        assert [(each.desired, each.observed) for each in found.differences] == [("Region", "Area")]
        assert len(world.close.associations) == 2
        assert names(world.close.shared) == ["Area"]

    @pytest.mark.parametrize("fault", [None, LOST, KILLED])
    def test_is_associated_once_under_two_names(self, world: MemoryWorld, fault: str | None) -> None:
        assert result_of(world, shared("1", "Region")) == ("created", "created")
        rename(world, "Region", "Area")
        world.close.lag = 50
        if fault:
            suffer(world, shared("2", "Region", of="Order"), None, fault)
        else:
            settled(world, shared("2", "Region", of="Order"))

        assert isinstance(world.settle(shared("3", "Area", of="Order"))[0], Outcome)

        assert world.close.writes.count("associate") == 2
        assert result_of(world, shared("2", "Region", of="Order"))[1] in {"created", "recovered"}


class TestAPersonGivesTheNameToAnother:
    def test_a_type_that_a_person_created_is_not_said_to_be_created_here(self, world: MemoryWorld) -> None:
        suffer(world, fields("1", SEATS), None, LOST_BEFORE)
        rename(world, "Account", "Firm")
        by_hand = world.close.add("Account", name_plural="Accounts")

        found = settled(world, fields("1", SEATS))

        assert isinstance(found, TypeOutcome)
        assert (found.id, found.result) == (by_hand.id, "updated")

    def test_a_create_in_doubt_may_have_made_either_of_two_fields(self, world: MemoryWorld) -> None:
        """A person adds the same field; another request takes that one for the result of the create in doubt."""
        suffer(world, fields("1", SEATS), None, LOST)
        [own] = world.close.fields
        by_hand = world.close.add_field(world.close.existing[0].id, "Seats", type="number")
        world.close.change(by_hand.id, date_created=datetime.fromtimestamp(world.clock() - 1, UTC))
        assert result_of(world, fields("2", SEATS)) == ("unchanged", "unchanged")
        world.close.change(by_hand.id, name="Chairs")

        found = settled(world, fields("1", SEATS))

        assert isinstance(found, TypeOutcome)
        assert [(each.id, each.result) for each in found.fields] == [(own.id, "recovered")]

    def test_a_similar_type_is_not_taken_while_the_list_may_lag(self, world: MemoryWorld) -> None:
        world.close.lag = 50
        suffer(world, bare("1", "Account"), LOST)
        world.close.add("Client", name_plural="Records")

        assert isinstance(world.reconcile(bare("2", "Account")), Deferred)
        assert result_of(world, bare("1", "Account")) == ("recovered",)

    def test_a_field_that_a_request_for_the_new_name_added_is_not_claimed(self, world: MemoryWorld) -> None:
        assert result_of(world, bare("1", "Account")) == ("created",)
        rename(world, "Account", "Firm")
        world.lease_and_vanish(fields("2", SEATS))
        world.clock.advance(91)
        assert result_of(world, fields("3", SEATS, name="Firm")) == ("updated", "created")

        assert result_of(world, fields("2", SEATS)) == ("adopted", "unchanged")

    def test_a_field_of_a_type_that_was_renamed_since_is_claimed(self, world: MemoryWorld) -> None:
        assert result_of(world, bare("1", "Account")) == ("created",)
        suffer(world, fields("2", SEATS), None, KILLED)
        rename(world, "Account", "Firm")

        assert result_of(world, fields("2", SEATS))[1:] == ("recovered",)

    def test_a_create_in_doubt_may_have_made_either_of_two_types(self, world: MemoryWorld) -> None:
        """The other request took the older of two types of its name for its own; its own one was not renamed."""
        by_hand = world.close.add("Account", name_plural="Accounts")
        world.close.change(by_hand.id, date_created=datetime.fromtimestamp(world.clock() - 1, UTC))
        suffer(world, bare("2", "Customer"), LOST)
        rename(world, "Account", "Customer")
        recovered = settled(world, bare("2", "Customer"))
        assert isinstance(recovered, TypeOutcome)
        assert (recovered.id, recovered.result) == (by_hand.id, "recovered")
        suffer(world, bare("1", "Account"), LOST_BEFORE)

        assert result_of(world, bare("1", "Account")) == ("unresolved",)


class TestARequestForBothNames:
    @staticmethod
    def both(request_id: str, *names: str, **further: Any) -> ProvisioningRequest:
        specs = [{"name": name, "name_plural": "Records"} for name in names]
        return a_request(request_id, custom_object_types=specs, custom_object_type=None, **further)

    def test_does_not_create_the_old_name_again_while_it_is_in_doubt(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST)
        rename(world, "Account", "Customer")

        assert world.settle(self.both("2", "Customer", "Account"))[0].result == "unresolved"
        assert world.close.names == ["Customer"]

    def test_of_its_own_neither(self, world: MemoryWorld) -> None:
        suffer(world, self.both("1", "Account", "Customer"), LOST)
        rename(world, "Account", "Customer")

        assert world.settle(self.both("1", "Account", "Customer"))[0].result == "unresolved"
        assert world.close.names == ["Customer"]

    def test_of_its_own_neither_if_the_new_name_is_there_as_well(self, world: MemoryWorld) -> None:
        suffer(world, self.both("1", "Customer", "Account"), None, LOST)
        rename(world, "Account", "Customer")

        assert world.settle(self.both("1", "Customer", "Account"))[0].result == "unresolved"
        assert world.close.names == ["Customer", "Customer"]

    def test_creates_the_second_after_a_kill_if_another_one_had_its_name_before(self, world: MemoryWorld) -> None:
        assert result_of(world, bare("0", "Account")) == ("created",)
        path = f"custom_object_type/{world.close.existing[0].id}/"
        assert world.close.simulator.client(KEY).delete(path).status_code == 204
        world.clock.advance(2 * world.list_lag + 1)
        suffer(world, self.both("1", "Customer", "Account"), KILLED)

        assert world.settle(self.both("1", "Customer", "Account"))[0].result == "created"

    def test_creates_both_where_another_request_sent_nothing(self, world: MemoryWorld) -> None:
        suffer(world, bare("1", "Account"), LOST_BEFORE)

        assert world.settle(self.both("2", "Customer", "Account"))[0].result == "created"
        assert sorted(world.close.names) == ["Account", "Customer"]

    @pytest.mark.parametrize("fields", [("First", "Second"), ("Second", "First")])
    def test_a_kill_between_two_references_leaves_the_second_to_be_created(
        self, world: MemoryWorld, fields: tuple[str, str]
    ) -> None:
        world.close.add("Order")
        references = [{"name": name, "type": "custom_object", "references": "Order"} for name in fields]
        request = a_request("1", spec={"fields": references})
        suffer(world, request, None, KILLED)

        assert result_of(world, request) == ("recovered", "recovered", "created")

    def test_a_kill_between_two_references_to_a_later_type(self, world: MemoryWorld) -> None:
        """Each of two types refers to the other, so one of the references is created last."""
        types = [
            {
                "name": name,
                "name_plural": f"{name}s",
                "fields": [
                    {"name": "Later", "type": "custom_object", "references": other},
                    {"name": "Self", "type": "custom_object", "references": name},
                ],
            }
            for name, other in (("Account", "Order"), ("Order", "Account"))
        ]
        request = a_request("1", custom_object_types=types, custom_object_type=None)
        for writes in range(6):
            world = MemoryWorld()
            suffer(world, request, *[None] * writes, KILLED)
            assert world.settle(request)[0].result in {"created", "recovered"}
            assert len(world.close.fields) == 4
