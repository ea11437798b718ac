"""The use case for types with fields: once, complete, additive, and never over the work of other users."""

import json
from contextlib import suppress
from typing import Any

import pytest

from provisioner.close.models import CustomObjectType
from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected, RetryLater
from provisioner.contract.outcome import Outcome, TypeOutcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.validation import parse_request
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from tests.close import KILLED, KILLED_BEFORE, LOST, LOST_BEFORE, Killed
from tests.fakes import MemoryWorld, a_request, kind_of

SEATS: dict[str, Any] = {"name": "Seats", "type": "number"}
PLAN: dict[str, Any] = {"name": "Plan", "type": "choices", "choices": ["Free"]}
REGION: dict[str, Any] = {"name": "Region", "type": "text", "shared": True}
DEAL: dict[str, Any] = {"name": "Deal", "type": "custom_object", "references": "Deal"}
ALL: list[dict[str, Any]] = [SEATS, PLAN, REGION]
WRITES = ["create type", "create field", "create field", "create field", "associate"]
PLACES = (0, 1, 3, 4)
"""One write of each kind: of a type, a field, a shared field and an association."""


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(list_lag=60)


def wants(*fields: dict[str, Any], request_id: str = "1", **further: Any) -> ProvisioningRequest:
    return a_request(request_id, spec={"fields": list(fields), **further.pop("spec", {})}, **further)


def several(*types: tuple[str, list[dict[str, Any]]], request_id: str = "1", **further: Any) -> ProvisioningRequest:
    specs = [{"name": name, "name_plural": f"{name}s", "fields": fields} for name, fields in types]
    return ProvisioningRequest.model_validate(
        {"tenant": "acme", "request_id": request_id, "custom_object_types": specs, **further}
    )


def fields_of(outcome: TypeOutcome) -> dict[str, str]:
    return {each.name: str(each.result) for each in outcome.fields}


def type_of(world: MemoryWorld, name: str = "Account") -> CustomObjectType:
    [found] = [each for each in world.close.existing if each.name == name]
    return found


def field_names(world: MemoryWorld, name: str = "Account") -> list[str]:
    """Return the names of the type's fields in order, shared ones included."""
    close = world.close
    names = {each.id: each.name for each in (*close.fields, *close.shared)}
    return [names[each] for each in close.order.get(type_of(world, name).id, [])]


def is_well_formed(world: MemoryWorld) -> bool:
    """Tell whether the type exists with all of its fields, each of them once."""
    shared = [each.name for each in world.close.shared]
    return (world.close.names, sorted(field_names(world)), shared) == (
        ["Account"],
        ["Plan", "Region", "Seats"],
        ["Region"],
    )


class TestCreatedWithFields:
    def test_a_type_is_created_with_its_fields(self, world: MemoryWorld) -> None:
        outcome, runs = world.settle(wants(*ALL))

        [made] = outcome.types
        assert (outcome.result, made.result, runs) == ("created", "created", 1)
        assert field_names(world) == ["Seats", "Plan", "Region"]
        assert fields_of(made) == {"Seats": "created", "Plan": "created", "Region": "created"}
        assert [each.id for each in made.fields] == world.close.order[type_of(world).id]
        assert made.steps == (
            "created type Account", "created field Seats", "created field Plan", "created shared field Region",
            "created association of field Region",
        )  # fmt: skip
        assert (made.differences, made.blocked) == ((), ())

    def test_every_key_of_a_field_reaches_close(self, world: MemoryWorld) -> None:
        deal_type = world.close.add("Deal")
        world.close.add_roles(role_1="Manager")
        choices = {**PLAN, "description": "d", "required": True, "accepts_multiple_values": True}

        world.settle(
            wants({**choices, "editable_with_roles": ["manager"]}, {**DEAL, "back_reference_is_visible": True})
        )

        plan, deal = (each.model_dump(mode="json") for each in world.close.fields)
        assert {key: plan[key] for key in choices} == choices
        assert plan["editable_with_roles"] == ["role_1"]
        assert (deal["referenced_custom_type_id"], deal["back_reference_is_visible"]) == (deal_type.id, True)
        assert "references" not in deal

    def test_a_repeated_spec_is_unchanged(self, world: MemoryWorld) -> None:
        world.settle(wants(*ALL))
        before = list(world.close.writes)

        outcome, _ = world.settle(wants(*ALL, request_id="2", if_exists="update"))

        assert (outcome.result, fields_of(outcome.types[0])) == (
            "unchanged", {"Seats": "unchanged", "Plan": "unchanged", "Region": "unchanged"}
        )  # fmt: skip
        assert (outcome.types[0].steps, world.close.writes) == ((), before)

    def test_an_existing_shared_field_is_only_associated(self, world: MemoryWorld) -> None:
        world.close.add_field(None, "region")

        outcome, _ = world.settle(wants({**REGION, "required": True}))

        assert [each.name for each in world.close.shared] == ["region"]
        assert list(world.close.associations.values()) == [{"required": True, "editable_with_roles": []}]
        assert outcome.types[0].steps == ("created type Account", "created association of field Region")


class TestLostResponsesOfFields:
    """Each kind of create: the type, a field, a shared field, an association."""

    @pytest.mark.parametrize("place", PLACES)
    def test_a_create_that_happened_is_recovered(self, world: MemoryWorld, place: int) -> None:
        world.close.lag = 50
        world.close.faults = [*[None] * place, LOST]

        outcome, runs = world.settle(wants(*ALL))

        assert is_well_formed(world)
        assert world.close.writes == WRITES
        assert (outcome.result, runs) == ("recovered" if place == 0 else "created", 2)
        if place == 1:
            assert list(fields_of(outcome.types[0]).values()).count("recovered") == 1

    @pytest.mark.parametrize("place", PLACES)
    def test_a_create_that_did_not_happen_is_resent(self, world: MemoryWorld, place: int) -> None:
        world.close.lag = 50
        world.close.faults = [*[None] * place, LOST_BEFORE]

        outcome, _ = world.settle(wants(*ALL))

        assert is_well_formed(world)
        assert world.close.writes == [*WRITES[: place + 1], *WRITES[place:]]
        assert outcome.result == "created"
        assert set(fields_of(outcome.types[0]).values()) == {"created"}

    @pytest.mark.parametrize("place", PLACES)
    def test_a_create_lost_twice_is_unresolved_and_never_sent_again(self, world: MemoryWorld, place: int) -> None:
        world.close.faults = [*[None] * place, LOST_BEFORE, LOST_BEFORE]

        outcome, _ = world.settle(wants(*ALL))

        assert outcome.result == "unresolved"
        assert outcome.problem
        assert outcome.problem.detail.startswith("Up to 2 creates of the ")
        assert world.close.writes == [*WRITES[: place + 1], WRITES[place]]
        assert world.settle(wants(*ALL, request_id="2", if_exists="update"))[0].result == "unresolved"
        assert world.close.writes == [*WRITES[: place + 1], WRITES[place]]

    @pytest.mark.parametrize("place", PLACES)
    def test_no_run_creates_before_two_lags_have_passed(self, world: MemoryWorld, place: int) -> None:
        world.close.faults = [*[None] * place, LOST_BEFORE]
        world.reconcile(wants(*ALL))
        sent = len(world.close.writes)

        for _ in range(11):
            world.clock.advance(10)
            for request in (wants(*ALL), wants(*ALL, request_id="2", if_exists="update")):
                assert isinstance(world.reconcile(request), Deferred)
                assert len(world.close.writes) == sent
        world.clock.advance(11)
        world.settle(wants(*ALL))
        assert is_well_formed(world)

    def test_another_request_finds_the_field_and_does_not_claim_it(self, world: MemoryWorld) -> None:
        world.close.faults = [None, LOST]
        world.reconcile(wants(SEATS))

        other, _ = world.settle(wants(SEATS, request_id="2"))
        own, _ = world.settle(wants(SEATS))

        assert (other.result, fields_of(other.types[0])) == ("unchanged", {"Seats": "unchanged"})
        assert (own.result, fields_of(own.types[0])) == ("created", {"Seats": "recovered"})
        assert field_names(world) == ["Seats"]

    def test_a_field_in_doubt_does_not_delay_a_request_without_it(self, world: MemoryWorld) -> None:
        world.close.faults = [None, LOST_BEFORE]
        world.reconcile(wants(SEATS))

        assert world.settle(wants(request_id="2")) == (world.topic.events[0][1], 1)

    @pytest.mark.parametrize("fault", [LOST, LOST_BEFORE])
    def test_a_lost_update_is_resent(self, world: MemoryWorld, fault: str) -> None:
        there = world.close.add("Account")
        world.close.add_field(there.id, "Seats", type="number")
        world.close.faults = [fault]

        outcome, _ = world.settle(wants({**SEATS, "required": True}, if_exists="update"))

        assert outcome.result == "updated"
        assert world.close.fields[0].model_dump()["required"] is True


class TestKilledRuns:
    @pytest.mark.parametrize("fault", [KILLED, KILLED_BEFORE])
    @pytest.mark.parametrize("place", PLACES)
    def test_a_killed_request_continues_where_it_stopped(self, world: MemoryWorld, place: int, fault: str) -> None:
        world.close.lag = 50
        world.close.faults = [*[None] * place, fault]
        with pytest.raises(Killed):
            world.reconcile(wants(*ALL))

        outcome, _ = world.settle(wants(*ALL), runs=60)

        assert is_well_formed(world)
        assert world.close.writes == WRITES
        assert outcome.succeeded

    @pytest.mark.parametrize("place", PLACES)
    def test_another_request_continues_where_a_killed_one_stopped(self, world: MemoryWorld, place: int) -> None:
        world.close.lag = 50
        world.close.faults = [*[None] * place, KILLED]
        with pytest.raises(Killed):
            world.reconcile(wants(*ALL))

        world.settle(wants(*ALL, request_id="2", if_exists="update"), runs=60)

        assert is_well_formed(world)
        assert world.close.writes == WRITES

    def test_a_request_may_be_killed_after_each_write(self, world: MemoryWorld) -> None:
        """Three times: after a fourth kill the operator must check in Close."""
        for number in range(3):
            world.close.faults = [KILLED]
            assert self.is_killed(world, wants(*ALL)), number
            world.clock.advance(91)

        outcome, _ = world.settle(wants(*ALL), runs=60)

        assert is_well_formed(world)
        assert outcome.succeeded
        assert world.close.writes == WRITES

    def is_killed(self, world: MemoryWorld, request: ProvisioningRequest) -> bool:
        """Tell whether the fault strikes before the request is settled."""
        try:
            world.settle(request, runs=60)
        except Killed:
            return True
        return False


class TestExistingFields:
    @pytest.fixture
    def there(self, world: MemoryWorld) -> CustomObjectType:
        """Create the type by hand, with Seats and Plan that differ from the desired ones."""
        made = world.close.add("Account", description="by hand")
        world.close.add_field(made.id, "seats", type="number", description="how many")
        world.close.add_field(made.id, "Plan", type="choices", choices=["Old"])
        return made

    DESIRED = ({**SEATS, "required": True}, PLAN, REGION)

    def test_an_adopted_type_is_left_alone(self, world: MemoryWorld, there: CustomObjectType) -> None:
        outcome, _ = world.settle(wants(*self.DESIRED))

        [adopted] = outcome.types
        assert (outcome.result, adopted.result, world.close.writes) == ("adopted", "adopted", [])
        assert fields_of(adopted) == {"Seats": "adopted", "Plan": "adopted", "Region": "missing"}
        assert {each.field: (each.desired, each.observed) for each in adopted.differences} == {
            "fields/Seats/name": ("Seats", "seats"),
            "fields/Seats/required": (True, False),
            "fields/Plan/choices": (["Free"], ["Old"]),
            "fields/Region": ({"name": "Region", "type": "text"}, None),
        }  # fmt: skip

    def test_an_update_adds_missing_fields_and_changes_differences(
        self, world: MemoryWorld, there: CustomObjectType
    ) -> None:
        outcome, _ = world.settle(wants(*self.DESIRED, if_exists="update"))

        [updated] = outcome.types
        assert (outcome.result, updated.result, updated.id) == ("updated", "updated", there.id)
        assert fields_of(updated) == {"Seats": "updated", "Plan": "updated", "Region": "created"}
        seats, plan = (each.model_dump(mode="json") for each in world.close.fields)
        assert (seats["name"], seats["required"], seats["description"]) == ("Seats", True, "how many")
        assert plan["choices"] == ["Old", "Free"]
        assert field_names(world) == ["Seats", "Plan", "Region"]
        assert updated.steps == (
            "updated field Seats", "updated field Plan", "created shared field Region",
            "created association of field Region",
        )  # fmt: skip

    def test_an_update_changes_the_order_of_fields(self, world: MemoryWorld, there: CustomObjectType) -> None:
        world.close.add_field(there.id, "Added by hand")

        outcome, _ = world.settle(wants(REGION, PLAN, {"name": "seats", "type": "number"}, if_exists="update"))

        assert field_names(world) == ["Region", "Plan", "Added by hand", "seats"]
        assert outcome.types[0].steps[-1] == "put the fields in order"

    def test_choices_added_by_hand_meanwhile_are_kept(self, world: MemoryWorld, there: CustomObjectType) -> None:
        """The list was read before, so the choices are extended from the field as Close has it now."""
        batch = world.organization()
        batch.fields()
        world.close.change(world.close.fields[1].id, choices=["Old", "Added by hand"])

        world.reconcile(wants(PLAN, if_exists="update"), batch)

        assert world.close.fields[1].choices == ("Old", "Added by hand", "Free")

    def test_choices_are_not_written_from_a_list_that_may_lag(
        self, world: MemoryWorld, there: CustomObjectType
    ) -> None:
        world.settle(wants(PLAN, if_exists="update"))

        result = world.reconcile(wants({**PLAN, "choices": ["Paid"]}, request_id="2", if_exists="update"))

        assert isinstance(result, Deferred)
        assert 0 < result.seconds <= 60
        world.settle(wants({**PLAN, "choices": ["Paid"]}, request_id="2", if_exists="update"))
        assert world.close.fields[1].choices == ("Old", "Free", "Paid")

    def test_an_existing_type_fails_when_it_must_be_new(self, world: MemoryWorld, there: CustomObjectType) -> None:
        outcome, _ = world.settle(wants(*ALL, if_exists="fail"))

        assert (kind_of(outcome), world.close.writes) == ("type-exists", [])

    def test_one_existing_type_of_several_fails_the_whole_request(
        self, world: MemoryWorld, there: CustomObjectType
    ) -> None:
        outcome, _ = world.settle(several(("Deal", [SEATS]), ("Account", []), if_exists="fail"))

        assert (kind_of(outcome), world.close.writes, world.close.names) == ("type-exists", [], ["Account"])


class TestBlockedRequests:
    @pytest.fixture
    def there(self, world: MemoryWorld) -> CustomObjectType:
        made = world.close.add("Account", name_plural="Old")
        world.close.add_field(made.id, "Seats", type="text")
        return made

    def test_a_blocked_field_stops_every_write(self, world: MemoryWorld, there: CustomObjectType) -> None:
        outcome, _ = world.settle(wants(*ALL, if_exists="update"))

        assert (outcome.result, kind_of(outcome), world.close.writes) == ("failed", "blocked", [])
        assert outcome.problem
        assert outcome.problem.status == 409
        assert "Cannot change fields/Seats/type from 'text' to 'number'" in outcome.problem.detail
        [of_type] = outcome.types
        assert [each.field for each in of_type.blocked] == ["fields/Seats/type"]
        assert fields_of(of_type) == {"Seats": "blocked", "Plan": "missing", "Region": "missing"}

    def test_a_blocked_field_stops_the_other_types_too(self, world: MemoryWorld, there: CustomObjectType) -> None:
        outcome, _ = world.settle(several(("Deal", [SEATS]), ("Account", [SEATS]), if_exists="update"))

        assert (kind_of(outcome), world.close.writes) == ("blocked", [])

    def test_a_partial_request_skips_the_blocked_field(self, world: MemoryWorld, there: CustomObjectType) -> None:
        outcome, _ = world.settle(wants(*ALL, if_exists="update", allow_partial=True))

        [of_type] = outcome.types
        assert (outcome.result, field_names(world)) == ("updated", ["Seats", "Plan", "Region"])
        assert type_of(world).value("name_plural") == "Accounts"
        assert world.close.fields[0].type == "text"
        assert [each.field for each in of_type.blocked] == ["fields/Seats/type"]
        assert fields_of(of_type) == {"Seats": "blocked", "Plan": "created", "Region": "created"}

    def test_a_repeated_partial_request_writes_nothing(self, world: MemoryWorld, there: CustomObjectType) -> None:
        world.settle(wants(*ALL, if_exists="update", allow_partial=True))
        before = list(world.close.writes)

        outcome, _ = world.settle(wants(*ALL, request_id="2", if_exists="update", allow_partial=True))

        assert (outcome.result, world.close.writes) == ("adopted", before)

    def test_an_adopted_type_is_never_blocked(self, world: MemoryWorld, there: CustomObjectType) -> None:
        outcome, _ = world.settle(wants(SEATS))

        assert (outcome.result, fields_of(outcome.types[0])) == ("adopted", {"Seats": "adopted"})


class TestSeveralRequests:
    def test_requests_may_add_different_fields_to_one_type(self, world: MemoryWorld) -> None:
        world.settle(wants(SEATS, if_exists="update"))
        second, _ = world.settle(wants(PLAN, request_id="2", if_exists="update"))
        third, _ = world.settle(wants(SEATS, PLAN, request_id="3", if_exists="update"))

        assert (second.result, third.result) == ("updated", "unchanged")
        assert field_names(world) == ["Seats", "Plan"]

    @pytest.mark.parametrize("lag", [0, 50])
    def test_requests_may_add_the_same_fields_at_once(self, world: MemoryWorld, lag: float) -> None:
        """Both have read the lists before, so those of the second are old."""
        world.close.lag = lag
        there = world.close.add("Account")
        old = world.organization()
        for read in (old.types, old.fields, old.shared_fields):
            read()
        world.settle(wants(*ALL, if_exists="update"))

        request = wants(*ALL, request_id="2", if_exists="update")
        result = world.reconcile(request, old)
        if isinstance(result, Deferred):
            world.clock.advance(result.seconds)
            result, _ = world.settle(request)

        assert (result.result, type_of(world).id) == ("unchanged", there.id)
        assert is_well_formed(world)

    @pytest.mark.parametrize("lag", [0, 50])
    def test_a_shared_field_is_associated_with_each_type(self, world: MemoryWorld, lag: float) -> None:
        """An association with one type proves nothing about the other."""
        world.settle(several(("Account", [REGION])))
        world.clock.advance(1000)
        world.close.lag = lag
        world.settle(several(("Deal", [REGION]), request_id="2"))

        world.settle(several(("Deal", [REGION]), request_id="3", if_exists="update"))

        assert field_names(world, "Deal") == ["Region"]
        assert world.close.writes.count("associate") == 2

    def test_a_repeated_spec_is_unchanged_while_the_list_lags(self, world: MemoryWorld) -> None:
        world.close.lag = 50
        world.settle(wants(*ALL))

        outcome, _ = world.settle(wants(*ALL, request_id="2", if_exists="update"))

        assert outcome.result == "unchanged"
        assert is_well_formed(world)

    def test_a_batch_may_hold_equal_requests(self, world: MemoryWorld) -> None:
        batch = world.organization()
        results = [world.reconcile(wants(*ALL, request_id=each, if_exists="update"), batch) for each in ("1", "2")]

        assert [each.result for each in results if isinstance(each, Outcome)] == ["created", "unchanged"]
        assert is_well_formed(world)

    def test_a_request_waits_while_one_of_its_types_is_leased(self, world: MemoryWorld) -> None:
        world.lease_and_vanish(several(("Deal", [])))

        result = world.reconcile(several(("Account", []), ("Deal", []), ("Lead", []), request_id="2"))

        assert isinstance(result, Deferred)
        assert world.close.names == []
        assert world.settle(several(("Account", []), ("Lead", []), request_id="3"))[1] == 1  # nothing else is held

    def test_a_shared_field_in_doubt_delays_every_request_for_it(self, world: MemoryWorld) -> None:
        world.close.faults = [None, LOST_BEFORE]
        world.reconcile(wants(REGION))

        assert isinstance(world.reconcile(several(("Deal", [REGION]), request_id="2")), Deferred)
        world.settle(several(("Deal", [REGION]), request_id="2"))
        world.settle(wants(REGION))

        assert [each.name for each in world.close.shared] == ["Region"]
        assert (field_names(world), field_names(world, "Deal")) == (["Region"], ["Region"])


class TestSeveralTypes:
    def test_references_may_come_in_any_order(self, world: MemoryWorld) -> None:
        outcome, _ = world.settle(several(("Account", [SEATS, DEAL]), ("Deal", [])))

        assert outcome.result == "created"
        assert [each.name for each in outcome.types] == ["Account", "Deal"]
        [reference] = [each for each in world.close.fields if each.name == "Deal"]
        assert reference.model_dump()["referenced_custom_type_id"] == type_of(world, "Deal").id
        assert reference.custom_object_type_id == type_of(world).id

    def test_types_may_refer_to_each_other_and_to_themselves(self, world: MemoryWorld) -> None:
        back = {"name": "Account", "type": "custom_object", "references": "account"}
        parent = {"name": "Parent", "type": "custom_object", "references": "Account"}

        world.settle(several(("Account", [DEAL, SEATS, parent]), ("Deal", [back, SEATS])))

        targets = {
            (each.custom_object_type_id, each.name): each.model_dump().get("referenced_custom_type_id")
            for each in world.close.fields
        }
        account, deal = type_of(world).id, type_of(world, "Deal").id
        assert targets[account, "Deal"] == deal
        assert targets[account, "Parent"] == targets[deal, "Account"] == account
        assert (field_names(world), field_names(world, "Deal")) == (["Deal", "Seats", "Parent"], ["Account", "Seats"])

    @pytest.mark.parametrize("fault", [LOST_BEFORE, KILLED])
    @pytest.mark.parametrize("place", range(6))
    def test_a_cycle_of_references_survives_any_failure(self, world: MemoryWorld, place: int, fault: str) -> None:
        world.close.lag = 50
        back = {"name": "Account", "type": "custom_object", "references": "Account"}
        request = several(("Account", [DEAL, REGION]), ("Deal", [back, REGION]))
        world.close.faults = [*[None] * place, fault]
        try:
            world.reconcile(request)
        except Killed:
            world.clock.advance(91)

        outcome, _ = world.settle(request, runs=60)

        assert outcome.succeeded
        assert sorted(world.close.names) == ["Account", "Deal"]
        assert (field_names(world), field_names(world, "Deal")) == (["Deal", "Region"], ["Account", "Region"])
        assert [each.name for each in world.close.shared] == ["Region"]

    def test_each_type_has_its_own_result(self, world: MemoryWorld) -> None:
        world.close.add("Deal")
        there = world.close.add("Lead", name_plural="Old")

        outcome, _ = world.settle(several(("Account", []), ("Deal", []), ("Lead", [])))

        assert outcome.result == "created"
        assert {each.name: each.result for each in outcome.types} == {
            "Account": "created", "Deal": "unchanged", "Lead": "adopted"
        }  # fmt: skip
        assert outcome.types[2].id == there.id

    def test_two_types_of_a_request_may_have_one_shared_field(self, world: MemoryWorld) -> None:
        world.settle(several(("Account", [REGION]), ("Deal", [REGION])))

        assert [each.name for each in world.close.shared] == ["Region"]
        assert (field_names(world), field_names(world, "Deal")) == (["Region"], ["Region"])

    def test_a_reference_finds_a_type_that_is_not_listed_yet(self, world: MemoryWorld) -> None:
        world.close.lag = 50
        world.settle(several(("Deal", [])))

        outcome, _ = world.settle(wants(DEAL, request_id="2"))

        assert outcome.result == "created"

    def test_an_unknown_reference_has_no_effect(self, world: MemoryWorld) -> None:
        outcome, _ = world.settle(wants(SEATS, DEAL))

        assert (outcome.result, kind_of(outcome), world.close.writes) == ("failed", "reference-not-found", [])
        assert outcome.problem
        assert [each.pointer for each in outcome.problem.errors] == ["/custom_object_type/fields/1/references"]

    def test_an_unknown_role_has_no_effect(self, world: MemoryWorld) -> None:
        world.close.add_roles(role_1="Manager")

        outcome, _ = world.settle(wants({**SEATS, "editable_with_roles": ["Boss"]}))

        assert (outcome.result, kind_of(outcome), world.close.writes) == ("failed", "role-not-found", [])
        assert outcome.problem
        assert "Manager (role_1)" in outcome.problem.detail


class TestFailuresHalfway:
    def test_a_rejection_halfway_reports_the_existing_part(self, world: MemoryWorld) -> None:
        world.close.faults = [None, None, Rejected(ProblemType.SPEC_REJECTED, "no", close_status=400)]

        outcome, _ = world.settle(wants(*ALL))

        [of_type] = outcome.types
        assert (outcome.result, kind_of(outcome), of_type.result) == ("failed", "spec-rejected", "created")
        assert fields_of(of_type) == {"Seats": "created", "Plan": "missing", "Region": "missing"}
        assert of_type.id == type_of(world).id

    def test_pointers_of_closes_errors_lead_to_the_field(self, world: MemoryWorld) -> None:
        errors = (ErrorDetail(pointer="/name", detail="Too long."), ErrorDetail(pointer="", detail="Bad."))
        world.close.faults = [None, None, Rejected(ProblemType.SPEC_REJECTED, "no", close_status=400, errors=errors)]

        outcome, _ = world.settle(wants(*ALL))

        assert outcome.problem
        assert [each.pointer for each in outcome.problem.errors] == [
            "/custom_object_type/fields/1/name", "/custom_object_type/fields/1"
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("in_sent_body", "pointer"),
        [
            ("/choices/0", "/choices/0"),
            ("/choices/7", "/choices"),
            ("/custom_object_type_id", ""),
            ("/contacts/0/name", ""),
            ("/name/0", "/name"),
        ],
    )
    def test_field_22_a_pointer_ends_where_the_body_ends(
        self, world: MemoryWorld, in_sent_body: str, pointer: str
    ) -> None:
        errors = (ErrorDetail(pointer=in_sent_body, detail="Bad."),)
        world.close.faults = [None, None, Rejected(ProblemType.SPEC_REJECTED, "no", close_status=400, errors=errors)]

        outcome, _ = world.settle(wants(*ALL))

        assert outcome.problem
        assert [each.pointer for each in outcome.problem.errors] == [f"/custom_object_type/fields/1{pointer}"]

    def test_field_22_an_update_sends_other_choices_than_the_request_has(self, world: MemoryWorld) -> None:
        world.settle(wants(PLAN))
        errors = (ErrorDetail(pointer="/choices/0", detail="Bad."),)
        world.close.faults = [Rejected(ProblemType.SPEC_REJECTED, "no", close_status=400, errors=errors)]

        outcome, _ = world.settle(wants({**PLAN, "choices": ["Pro"]}, request_id="2", if_exists="update"))

        assert outcome.problem
        assert [each.pointer for each in outcome.problem.errors] == ["/custom_object_type/fields/0/choices"]

    def test_field_22_a_blueprints_types_are_not_in_the_body(self, world: MemoryWorld) -> None:
        errors = (ErrorDetail(pointer="/name", detail="Bad."),)
        world.close.faults = [Rejected(ProblemType.SPEC_REJECTED, "no", close_status=400, errors=errors)]
        body = {"tenant": "acme", "request_id": "1", "blueprint": "account", "values": {"product": "Prisma"}}

        outcome, _ = world.settle(parse_request(json.dumps(body)))

        assert outcome.problem
        assert [each.pointer for each in outcome.problem.errors] == ["/blueprint"]

    def test_the_next_request_completes_the_type(self, world: MemoryWorld) -> None:
        world.close.faults = [None, None, Rejected(ProblemType.SPEC_REJECTED, "no", close_status=400)]
        world.settle(wants(*ALL))

        outcome, _ = world.settle(wants(*ALL, request_id="2", if_exists="update"))

        assert outcome.result == "updated"
        assert is_well_formed(world)

    @pytest.mark.parametrize(
        ("place", "if_exists"), [*((place, "adopt") for place in PLACES), (1, "update"), (1, "fail")]
    )
    def test_a_429_halfway_defers_the_request(self, world: MemoryWorld, place: int, if_exists: str) -> None:
        world.close.faults = [*[None] * place, RetryLater("Close rate-limited this tenant (429)", 3)]

        outcome, runs = world.settle(wants(*ALL, if_exists=if_exists))

        assert (outcome.result, runs, world.close.writes) == ("created", 2, WRITES)
        assert is_well_formed(world)

    def test_giving_up_halfway_reports_the_existing_part(self) -> None:
        world = MemoryWorld(wait_limit=100)
        world.close.faults = [None, None, *[RetryLater("Close rate-limited this tenant (429)", 30)] * 10]

        outcome, _ = world.settle(wants(*ALL))

        assert (outcome.result, kind_of(outcome)) == ("failed", "deadline-exceeded")
        assert outcome.problem
        assert outcome.problem.title != "Nothing was created in the time allowed"
        assert [(each.id, each.result) for each in outcome.types] == [(type_of(world).id, "created")]

    def test_an_unresolved_request_says_how_to_check_in_close(self, world: MemoryWorld) -> None:
        world.close.faults = [None, LOST_BEFORE, LOST_BEFORE]

        outcome, _ = world.settle(wants(*ALL))

        assert outcome.problem
        assert "the field 'Seats' of the type 'account'" in outcome.problem.detail
        assert "a type named 'Account' with all of their fields" in outcome.problem.detail
        assert outcome.types[0].id == type_of(world).id

    def test_an_unresolved_type_is_completed_later(self, world: MemoryWorld) -> None:
        world.close.faults = [None, LOST_BEFORE, LOST_BEFORE]
        world.settle(wants(*ALL))
        world.clock.advance(24 * 3600 + 1)
        record = world.ledger.accept(wants(*ALL))

        assert world.provisioner.reconcile_unresolved(Job(record, wants(*ALL), world.organization())) is None
        [(_, told)] = world.topic.types
        assert told.types[0].id == type_of(world).id


class TestPlanDigest:
    """A request with a plan's digest is applied only if the plan is still the same."""

    def digest(self, world: MemoryWorld, request: ProvisioningRequest) -> str:
        return world.provisioner.plan(request, world.organization()).digest

    def test_a_plan_writes_to_no_store(self, world: MemoryWorld) -> None:
        world.close.add("Account")

        planned = world.provisioner.plan(wants(*ALL, if_exists="update"), world.organization())

        assert len(planned.steps) == 4
        assert (world.close.writes, world.ledger.requests, world.ledger.resources) == ([], {}, {})
        assert (world.ledger.leased_until, world.topic.events) == ({}, [])

    def test_a_request_is_applied_as_planned(self, world: MemoryWorld) -> None:
        digest = self.digest(world, wants(*ALL))

        outcome, _ = world.settle(wants(*ALL, plan_digest=digest))

        assert outcome.result == "created"
        assert is_well_formed(world)

    def test_a_stale_plan_is_rejected_with_the_new_one(self, world: MemoryWorld) -> None:
        digest = self.digest(world, wants(*ALL))
        world.close.add("Account")
        request = wants(*ALL, plan_digest=digest)

        outcome, _ = world.settle(request)

        assert (outcome.result, kind_of(outcome), world.close.writes) == ("failed", "plan-stale", [])
        assert outcome.problem
        assert outcome.problem.status == 409
        assert outcome.plan
        assert outcome.plan["digest"] == self.digest(world, request) != digest
        assert outcome.plan["types"][0]["action"] == "adopt"

    def test_a_plan_counts_on_after_a_run_that_could_write_nothing(self, world: MemoryWorld) -> None:
        request = wants(*ALL, if_exists="update", plan_digest=self.digest(world, wants(*ALL, if_exists="update")))
        world.close.faults = [RetryLater("Close asked for a pause (429)", 5)]
        assert isinstance(world.reconcile(request), Deferred)
        world.close.add("Account")  # by a person, meanwhile

        outcome, _ = world.settle(request)

        assert (outcome.result, kind_of(outcome), world.close.writes) == ("failed", "plan-stale", [])

    @pytest.mark.parametrize("fault", [LOST, KILLED])
    def test_a_request_goes_on_with_its_plan_after_a_run_that_wrote(self, world: MemoryWorld, fault: Any) -> None:
        request = wants(*ALL, if_exists="update", plan_digest=self.digest(world, wants(*ALL, if_exists="update")))
        world.close.faults = [fault]
        with suppress(Killed):
            world.reconcile(request)
        world.clock.advance(300)

        assert world.settle(request)[0].result == "recovered"

    def test_the_new_plan_can_be_applied(self, world: MemoryWorld) -> None:
        request = wants(*ALL, if_exists="update", plan_digest="0" * 64)
        stale, _ = world.settle(request)
        assert stale.plan

        outcome, _ = world.settle(wants(*ALL, request_id="2", if_exists="update", plan_digest=stale.plan["digest"]))

        assert outcome.result == "created"

    def test_time_alone_makes_no_plan_stale(self, world: MemoryWorld) -> None:
        there = world.close.add("Account")
        request = wants(*ALL, if_exists="update")
        digest = self.digest(world, request)
        world.clock.advance(100_000)
        world.close.change(there.id, date_updated="2030-01-01", updated_by="user_1")

        assert world.settle(wants(*ALL, if_exists="update", plan_digest=digest))[0].result == "updated"

    @pytest.mark.parametrize("fault", [LOST, LOST_BEFORE, KILLED, RetryLater("429", 5)])
    @pytest.mark.parametrize("place", [0, 1, 3])
    def test_a_request_continues_once_it_wrote(self, world: MemoryWorld, place: int, fault: Any) -> None:
        """Its own writes do not make its plan stale."""
        request = wants(*ALL, plan_digest=self.digest(world, wants(*ALL)))
        world.close.faults = [*[None] * place, fault]
        try:
            world.reconcile(request)
        except Killed:
            world.clock.advance(91)

        outcome, _ = world.settle(request, runs=60)

        assert outcome.succeeded
        assert is_well_formed(world)

    def test_a_plan_becomes_stale_by_another_requests_writes(self, world: MemoryWorld) -> None:
        request = wants(*ALL, if_exists="update", plan_digest=self.digest(world, wants(*ALL, if_exists="update")))
        world.settle(wants(SEATS, request_id="other"))

        assert kind_of(world.settle(request)[0]) == "plan-stale"


def test_one_type_never_matches_two_specs(world: MemoryWorld) -> None:
    """A created type was renamed by hand to the other name of the request."""
    world.settle(several(("Invoice", [])))
    world.close.change(world.close.existing[0].id, name="Bill")
    world.clock.advance(200_000)

    outcome, _ = world.settle(several(("Invoice", []), ("Bill", []), request_id="2", if_exists="update"))

    assert sorted(world.close.names) == ["Bill", "Invoice"]
    assert [each.result for each in outcome.types] == ["created", "updated"]
    assert len({each.id for each in outcome.types}) == 2


def test_an_adopted_type_without_its_shared_field_is_not_said_to_have_it() -> None:
    world = MemoryWorld()
    world.close.add("Order", name_plural="Orders")
    shared = {"name": "Seats", "type": "number", "shared": True}
    types = [
        {"name": "Account", "name_plural": "Accounts", "fields": [shared]},
        {"name": "Order", "name_plural": "Orders", "fields": [shared]},
    ]

    outcome = world.reconcile(a_request("1", custom_object_types=types, custom_object_type=None))

    assert isinstance(outcome, Outcome)
    assert [(each.result, each.fields[0].result) for each in outcome.types] == [
        ("created", "created"),
        ("adopted", "missing"),
    ]
    assert outcome.types[1].steps == ()


def test_choices_are_not_extended_while_a_holder_that_died_may_have_written_some() -> None:
    world = MemoryWorld()
    account = world.close.add("Account", name_plural="Accounts")
    world.close.add_field(account.id, "Tier", type="choices", choices=["a"])
    tier = {"name": "Tier", "type": "choices", "choices": ["a", "c"]}
    world.lease_and_vanish(a_request("1"))
    world.clock.advance(91)

    result = world.reconcile(a_request("2", spec={"fields": [tier]}, if_exists="update"))

    assert isinstance(result, Deferred)
    assert result.reason == "an earlier change of the same may still take effect at Close, or not show there yet"


@pytest.mark.parametrize("sender_died", [False, True])
def test_no_update_is_sent_while_an_earlier_one_of_the_same_may_still_land(sender_died: bool) -> None:
    world = MemoryWorld()
    world.close.add("Account", name_plural="Accounts", description="Zero")
    one, two, three = (
        a_request(number, spec={"description": number}, if_exists="update") for number in ("one", "two", "three")
    )
    if sender_died:
        world.lease_and_vanish(one)
        world.clock.advance(91)
    else:
        world.close.faults = [LOST_BEFORE]
        world.reconcile(one)

    waiting = world.reconcile(two)

    assert isinstance(waiting, Deferred)
    assert waiting.reason == "an earlier change of the same may still take effect at Close, or not show there yet"
    world.clock.advance(2 * world.list_lag + 1)
    settled = [world.settle(each, runs=1)[0].result for each in (two, three)]
    assert settled == ["updated", "updated"]  # the response of the second one arrived, so the third does not wait
    assert world.close.existing[0].value("description") == "three"
