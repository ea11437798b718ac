"""From the desired and the observed state to the steps between them."""

import time
from typing import Any

import pytest

from provisioner.close.models import CustomField, CustomObjectType, Role
from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import MAX_FIELDS
from provisioner.ledger.lease import CREATE_RESOURCE
from provisioner.reconcile.diff import IS_OWN, IS_SHARED, OTHER_TYPE
from provisioner.reconcile.plan import (
    Action,
    ObservedState,
    Plan,
    Step,
    TypeAction,
    resources_to_lock,
    shared_field_resource,
    type_resource,
)
from tests.planning import plan

SEATS: dict[str, Any] = {"name": "Seats", "type": "number"}
NOTE: dict[str, Any] = {"name": "Note", "type": "text"}
PLAN: dict[str, Any] = {"name": "Plan", "type": "choices", "choices": ["Free", "Paid"]}
REGION: dict[str, Any] = {"name": "Region", "type": "text", "shared": True}
COUNTRY = {"name": "Region", "type": "choices", "choices": ["EU", "US"], "shared": True}


def spec(name: str = "Account", *fields: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {"name": name, "name_plural": f"{name}s", "fields": list(fields), **further}


def to(name: str, called: str | None = None, **further: Any) -> dict[str, Any]:
    return {"name": called or name, "type": "custom_object", "references": name, **further}


def a_request(*types: dict[str, Any], **further: Any) -> ProvisioningRequest:
    named = {"custom_object_type": types[0]} if len(types) == 1 else {"custom_object_types": list(types)}
    return ProvisioningRequest.model_validate({"tenant": "acme", "request_id": "1", **named, **further})


def update(*types: dict[str, Any], **further: Any) -> ProvisioningRequest:
    return a_request(*types, if_exists="update", **further)


def a_type(name: str = "Account", *field_ids: str, rows: Any = None, **further: Any) -> CustomObjectType:
    """``rows``: entries of its fields with more keys than the ids."""
    return CustomObjectType.model_validate(
        {
            "id": f"id of {name}",
            "name": name,
            "name_plural": f"{name}s",
            "fields": rows or [{"id": each, "name": each} for each in field_ids],
            **further,
        }
    )


def a_field(name: str, kind: str = "text", of: str | None = "Account", **further: Any) -> CustomField:
    """Return a field of that type; without a type, a shared field."""
    type_id = f"id of {of}" if of else None
    plain = {"id": f"id of {name}", "name": name, "type": kind, "custom_object_type_id": type_id, "required": False}
    return CustomField.model_validate({**plain, "accepts_multiple_values": False, **further})


def brief(steps: Plan | tuple[Step, ...]) -> list[tuple[str, str]]:
    return [(step.action.value, step.name) for step in (steps.steps if isinstance(steps, Plan) else steps)]


class TestEmptyOrganization:
    def test_the_type_is_created_first_and_then_its_fields_in_order(self) -> None:
        request = a_request(spec("Account", SEATS, PLAN, description="d"))

        planned = plan(request, ObservedState([]))

        resource = type_resource("orga_acme", "account")
        pointer = "/custom_object_type"
        assert planned.steps == (
            Step(Action.CREATE_TYPE, resource, CREATE_RESOURCE, "Account", pointer,
                 {"name": "Account", "name_plural": "Accounts", "description": "d"}),
            Step(Action.CREATE_FIELD, resource, "field:seats", "Seats", f"{pointer}/fields/0", SEATS),
            Step(Action.CREATE_FIELD, resource, "field:plan", "Plan", f"{pointer}/fields/1", PLAN),
        )  # fmt: skip
        [of_type] = planned.types
        assert (of_type.action, of_type.existing, of_type.steps) == (TypeAction.CREATE, None, planned.steps)
        assert (of_type.differences, of_type.blocked) == ((), ())

    @pytest.mark.parametrize("if_exists", ["adopt", "update", "fail"])
    def test_the_plan_is_the_same_for_every_if_exists(self, if_exists: str) -> None:
        planned = plan(a_request(spec("Account", SEATS), if_exists=if_exists), ObservedState([]))

        assert brief(planned) == [("create type", "Account"), ("create field", "Seats")]

    def test_other_types_are_not_touched(self) -> None:
        seen = ObservedState([a_type("Deal", "f")], [a_field("Seats", of="Deal")])

        assert brief(plan(update(spec("Account", SEATS)), seen)) == [
            ("create type", "Account"), ("create field", "Seats")
        ]  # fmt: skip

    def test_roles_are_sent_as_ids(self) -> None:
        request = a_request(
            spec("Account", {**SEATS, "editable_with_roles": ["sales"]}, editable_with_roles=["ADMIN", "role_2"])
        )
        roles = [Role(id="role_1", name="Admin"), Role(id="role_2", name="Sales")]

        of_type, of_field = plan(request, ObservedState([], roles=roles)).steps

        assert of_type.body["editable_with_roles"] == ["role_1", "role_2"]
        assert of_field.body["editable_with_roles"] == ["role_2"]

    def test_an_unknown_role_is_rejected(self) -> None:
        request = a_request(spec(), spec("Deal", {**SEATS, "editable_with_roles": ["Admin", "Boss"]}))

        with pytest.raises(Rejected) as caught:
            plan(request, ObservedState([], roles=[Role(id="role_1", name="Admin")]))
        assert caught.value.kind is ProblemType.ROLE_NOT_FOUND
        [fault] = caught.value.problem.errors
        assert fault.pointer == "/custom_object_types/1/fields/0/editable_with_roles/1"


class TestReferences:
    def test_a_field_may_refer_to_an_existing_type(self) -> None:
        planned = plan(a_request(spec("Account", to("DEAL"))), ObservedState([a_type("Deal")]))

        assert planned.steps[1].body == {"name": "DEAL", "type": "custom_object", "references": "deal"}
        assert planned.references["deal"] == "id of Deal"

    def test_a_reference_means_the_oldest_type_of_a_name(self) -> None:
        old = a_type("deal", date_created="2020-01-01T00:00:00")
        young = a_type("Deal", date_created="2021-01-01T00:00:00")

        for types in ([old, young], [young, old]):
            assert plan(a_request(spec("Account", to("Deal"))), ObservedState(types)).references["deal"] == "id of deal"

    @pytest.mark.parametrize("order", [["Account", "Deal"], ["Deal", "Account"]])
    def test_a_referenced_type_is_created_first(self, order: list[str]) -> None:
        specs = {"Account": spec("Account", to("Deal")), "Deal": spec("Deal")}

        planned = plan(a_request(*(specs[name] for name in order)), ObservedState([]))

        assert brief(planned) == [("create type", "Deal"), ("create type", "Account"), ("create field", "Deal")]
        assert [each.spec.name for each in planned.types] == order  # told in the order of the request

    def test_a_chain_of_references_is_created_from_its_end(self) -> None:
        types = [spec("A", to("B")), spec("B", to("C")), spec("C", to("D")), spec("D")]

        created = [
            name for action, name in brief(plan(a_request(*types), ObservedState([]))) if action == "create type"
        ]
        assert created == ["D", "C", "B", "A"]

    def test_a_cycle_is_created_in_two_passes(self) -> None:
        types = [spec("A", NOTE, to("B"), SEATS), spec("B", to("A"), SEATS)]

        planned = plan(a_request(*types), ObservedState([]))

        steps = brief(planned)
        assert {step for step in steps if step[0] == "create type"} == {("create type", "A"), ("create type", "B")}
        types_at = [place for place, (action, _) in enumerate(steps) if action == "create type"]
        for reference in (("create field", "A"), ("create field", "B")):
            assert steps.count(reference) == 1
        assert max(steps.index(("create field", "A")), steps.index(("create field", "B"))) > max(types_at)
        assert self.all_can_be_done(planned)

    @pytest.mark.parametrize("length", [1, 2, 3, 4])
    def test_cycles_of_any_length_are_created(self, length: int) -> None:
        types = [spec(f"T{number}", to(f"T{(number + 1) % length}"), to("T0", "Root")) for number in range(length)]

        planned = plan(a_request(*types), ObservedState([]))

        assert self.all_can_be_done(planned)
        assert sum(action == "create field" for action, _ in brief(planned)) == 2 * length

    def all_can_be_done(self, planned: Plan) -> bool:
        """Tell whether each field is created after its own type and the type that it refers to."""
        made: set[str] = set()
        for step in planned.steps:
            if step.action is Action.CREATE_TYPE:
                made.add(step.resource.name)
            needs = {step.resource.name, step.body.get("references", step.resource.name)}
            if step.action is Action.CREATE_FIELD and not needs <= made:
                return False
        return True

    def test_a_type_may_refer_to_itself(self) -> None:
        planned = plan(a_request(spec("Account", to("account", "Parent"), SEATS)), ObservedState([]))

        assert brief(planned) == [("create type", "Account"), ("create field", "Parent"), ("create field", "Seats")]
        assert planned.steps[1].body["references"] == "account"

    def test_postponed_reference_fields_are_moved_to_their_place(self) -> None:
        planned = plan(a_request(spec("A", to("B"), SEATS), spec("B", to("A"), SEATS)), ObservedState([]))

        reorders = [step for step in planned.steps if step.action is Action.REORDER]
        assert [(step.resource.name, step.body["order"]) for step in reorders] == [("b", ["a", "seats"])]
        assert planned.steps[-1] == reorders[-1]

    def test_a_reference_to_an_unknown_type_is_rejected(self) -> None:
        with pytest.raises(Rejected) as caught:
            plan(a_request(spec("Account", SEATS, to("Deal"))), ObservedState([a_type("Deals")]))
        assert caught.value.kind is ProblemType.REFERENCE_NOT_FOUND
        assert [each.pointer for each in caught.value.problem.errors] == ["/custom_object_type/fields/1/references"]

    def test_a_reference_is_blocked_when_the_field_refers_to_another_type(self) -> None:
        types = [a_type("Account", "id of Deal"), a_type("Deal"), a_type("Lead")]
        field = a_field("Deal", "custom_object", referenced_custom_type_id="id of Lead")

        planned = plan(update(spec("Account", to("Deal"))), ObservedState(types, [field]))

        assert (planned.steps, [each.field for each in planned.blocked]) == ((), ["fields/Deal/references"])

    def test_a_reference_is_unchanged_when_the_field_refers_to_the_right_type(self) -> None:
        types = [a_type("Account", "id of Deal"), a_type("Deal")]
        field = a_field("Deal", "custom_object", referenced_custom_type_id="id of Deal")

        planned = plan(update(spec("Account", to("deal", "Deal"))), ObservedState(types, [field]))

        assert (planned.steps, planned.blocked) == ((), ())


class TestExistingType:
    SEEN = ObservedState([a_type("Account", "id of Seats", name_plural="Old")], [a_field("Seats", "number")])
    DESIRED = spec("Account", {**SEATS, "required": True}, NOTE)

    def test_an_adopted_type_is_left_alone_and_its_differences_are_listed(self) -> None:
        planned = plan(a_request(self.DESIRED), self.SEEN)

        [of_type] = planned.types
        assert (of_type.action, planned.steps, of_type.blocked) == (TypeAction.ADOPT, (), ())
        assert {each.field: (each.desired, each.observed) for each in of_type.differences} == {
            "name_plural": ("Accounts", "Old"), "fields/Seats/required": (True, False), "fields/Note": (NOTE, None)
        }  # fmt: skip

    def test_an_updated_type_gets_every_difference(self) -> None:
        planned = plan(update(self.DESIRED), self.SEEN)

        [of_type] = planned.types
        assert (of_type.action, of_type.differences, of_type.blocked) == (TypeAction.UPDATE, (), ())
        changed_type, changed_field, new_field = planned.steps
        assert (changed_type.action, changed_type.close_id, changed_type.body) == (
            "update type", "id of Account", {"name_plural": "Accounts"}
        )  # fmt: skip
        assert (changed_field.action, changed_field.close_id, changed_field.body) == (
            "update field", "id of Seats", {"required": True}
        )  # fmt: skip
        assert [(each.desired, each.observed) for each in changed_field.changes] == [(True, False)]
        assert (new_field.action, new_field.body) == ("create field", NOTE)

    def test_an_existing_type_is_rejected_when_it_must_be_new(self) -> None:
        planned = plan(a_request(self.DESIRED, if_exists="fail"), self.SEEN)

        assert (planned.types[0].action, planned.steps) == (TypeAction.REJECT, ())

    def test_a_request_completes_the_type_that_it_created(self) -> None:
        for if_exists in ("adopt", "fail"):
            request = a_request(self.DESIRED, if_exists=if_exists)

            planned = plan(request, self.SEEN, created_by_request=["account"])

            assert (planned.types[0].action, brief(planned)) == (TypeAction.CREATE, [("create field", "Note")])
            told = [each.field for each in planned.types[0].differences]
            assert told == ["name_plural", "fields/Seats/required"]

    def test_an_update_of_the_requests_own_type_is_an_update(self) -> None:
        assert plan(update(self.DESIRED), self.SEEN, created_by_request=["account"]) == plan(
            update(self.DESIRED), self.SEEN
        )

    def test_an_equal_type_needs_no_step(self) -> None:
        seen = ObservedState(
            [a_type("Account", "id of Seats")], [a_field("Seats", "number", description="not compared")]
        )

        for if_exists in ("adopt", "update"):
            planned = plan(a_request(spec("Account", SEATS), if_exists=if_exists), seen)
            assert (planned.steps, planned.types[0].differences, planned.blocked) == ((), (), ())
        assert planned.types[0].fields == {"seats": seen.fields[0]}

    @pytest.mark.parametrize(("if_exists", "action"), [("adopt", "adopt"), ("update", "adopt"), ("fail", "reject")])
    def test_a_renamed_type_is_known_by_its_id_and_never_written_to(self, if_exists: str, action: str) -> None:
        seen = ObservedState([a_type("Customer", id="known", name_plural="Old")])

        planned = plan(a_request(spec("Account", SEATS), if_exists=if_exists), seen, {"account": "known"})

        [of_type] = planned.types
        assert (of_type.action, of_type.renamed, planned.steps, planned.blocked) == (action, "Customer", (), ())
        assert "name" in {each.field for each in of_type.differences}

    def test_a_type_that_this_request_created_and_a_person_renamed_is_not_completed(self) -> None:
        seen = ObservedState([a_type("Customer", id="known")])

        planned = plan(a_request(spec("Account", SEATS), if_exists="fail"), seen, {"account": "known"}, {"account"})

        assert (planned.types[0].action, planned.steps) == ("adopt", ())

    def test_the_oldest_of_several_types_is_taken(self) -> None:
        types = [
            a_type("Account", id="young", date_created="2021-01-01T00:00:00"),
            a_type("account", id="old", date_created="2020-01-01T00:00:00", name_plural="Accounts"),
        ]
        fields = [a_field("Seats", "number", custom_object_type_id="young")]

        planned = plan(update(spec("account", SEATS, name_plural="Accounts")), ObservedState(types, fields))

        assert planned.types[0].existing == types[1]
        assert planned.types[0].other_matches == ("young",)
        assert brief(planned) == [("create field", "Seats")]

    def test_an_archived_type_is_reported(self) -> None:
        for if_exists in ("adopt", "update"):
            planned = plan(a_request(spec(), if_exists=if_exists), ObservedState([a_type(is_archived=True)]))
            assert ([each.field for each in planned.types[0].differences], planned.steps) == (["is_archived"], ())

    def test_new_choices_come_after_existing_ones(self) -> None:
        seen = ObservedState([a_type("Account", "id of Plan")], [a_field("Plan", "choices", choices=["Old", "Free"])])

        [step] = plan(update(spec("Account", PLAN)), seen).steps

        assert (step.action, step.body) == ("update field", {"choices": ["Old", "Free", "Paid"]})

    def test_the_oldest_of_several_fields_is_taken(self) -> None:
        fields = [
            a_field("seats", "number", id="young", date_created="2021-01-01T00:00:00"),
            a_field("Seats", "number", id="old", date_created="2020-01-01T00:00:00"),
        ]

        planned = plan(update(spec("Account", SEATS)), ObservedState([a_type("Account", "young", "old")], fields))

        assert (planned.steps, planned.types[0].fields["seats"].id) == ((), "old")

    def test_a_new_type_and_an_existing_one_share_a_plan(self) -> None:
        request = a_request(spec("Account", SEATS), spec("Deal", SEATS))

        planned = plan(request, ObservedState([a_type("Account")]))

        assert [each.action for each in planned.types] == [TypeAction.ADOPT, TypeAction.CREATE]
        assert brief(planned) == [("create type", "Deal"), ("create field", "Seats")]


class TestBlockedFields:
    SEEN = ObservedState([a_type("Account", "id of Seats")], [a_field("Seats", "text", required=True)])

    def test_a_field_keeps_its_type(self) -> None:
        planned = plan(update(spec("Account", SEATS, NOTE)), self.SEEN)

        [blocked] = planned.blocked
        assert (blocked.field, blocked.desired, blocked.observed, blocked.reason) == (
            "fields/Seats/type", "number", "text", OTHER_TYPE
        )  # fmt: skip
        assert brief(planned) == [("create field", "Note")]  # what could be done all the same

    def test_a_blocked_field_is_not_changed_at_all(self) -> None:
        seen = ObservedState(
            [a_type("Account", "id of Plan")],
            [a_field("Plan", "choices", choices=["Free"], accepts_multiple_values=True)],
        )

        planned = plan(update(spec("Account", {**PLAN, "accepts_multiple_values": False})), seen)

        assert (planned.steps, [each.field for each in planned.blocked]) == (
            (), ["fields/Plan/accepts_multiple_values"]
        )  # fmt: skip
        assert [each.field for each in planned.types[0].differences] == ["fields/Plan/choices"]

    def test_an_adopted_field_of_another_type_is_a_difference(self) -> None:
        planned = plan(a_request(spec("Account", SEATS)), self.SEEN)

        assert planned.blocked == ()
        assert [each.field for each in planned.types[0].differences] == ["fields/Seats/type"]

    def test_a_field_of_another_type_blocks_the_requests_own_type(self) -> None:
        """Another user of Close created a field of that name first."""
        planned = plan(a_request(spec("Account", SEATS)), self.SEEN, created_by_request=["account"])

        assert [each.field for each in planned.blocked] == ["fields/Seats/type"]


class TestSharedFields:
    RESOURCE = shared_field_resource("orga_acme", "region")

    def associated(self, **row: Any) -> CustomObjectType:
        return a_type("Account", rows=[{"id": "id of Region", "name": "Region", "required": False, **row}])

    def test_a_new_shared_field_is_created_and_associated(self) -> None:
        request = a_request(spec("Account", {**REGION, "required": True, "description": "d"}))

        planned = plan(request, ObservedState([]))

        made, associated = planned.steps[1:]
        assert (made.action, made.resource, made.operation) == ("create shared field", self.RESOURCE, CREATE_RESOURCE)
        assert made.body == {"name": "Region", "type": "text", "description": "d"}
        assert (associated.action, associated.resource, associated.operation, associated.body) == (
            "associate shared field", type_resource("orga_acme", "account"), "association:region", {"required": True}
        )  # fmt: skip

    def test_an_existing_shared_field_is_only_associated(self) -> None:
        seen = ObservedState([a_type()], shared=[a_field("Region", of=None)])

        assert brief(plan(update(spec("Account", REGION)), seen)) == [("associate shared field", "Region")]

    def test_an_associated_shared_field_needs_no_step(self) -> None:
        seen = ObservedState([self.associated()], shared=[a_field("Region", of=None)])

        planned = plan(update(spec("Account", {**REGION, "required": False})), seen)

        assert planned.steps == ()
        assert planned.types[0].fields["region"].id == "id of Region"

    def test_a_shared_field_of_two_types_is_created_once(self) -> None:
        planned = plan(a_request(spec("A", REGION), spec("B", REGION)), ObservedState([]))

        assert brief(planned) == [
            ("create type", "A"), ("create shared field", "Region"), ("associate shared field", "Region"),
            ("create type", "B"), ("associate shared field", "Region"),
        ]  # fmt: skip
        assert [step.resource.name for step in planned.steps if step.action is Action.ASSOCIATE] == ["a", "b"]

    def test_each_difference_is_changed_at_its_owner(self) -> None:
        desired = {**COUNTRY, "required": True}
        seen = ObservedState([self.associated()], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        of_field, of_association = plan(update(spec("Account", desired)), seen).steps

        assert (of_field.action, of_field.resource, of_field.close_id, of_field.body) == (
            "update shared field", self.RESOURCE, "id of Region", {"choices": ["EU", "US"]}
        )  # fmt: skip
        assert (of_association.action, of_association.close_id, of_association.body) == (
            "update association", "id of Region", {"required": True}
        )  # fmt: skip

    def test_immutable_keys_of_a_shared_field_are_left_alone(self) -> None:
        """Close documents updates of the name and the choices only."""
        desired = {**REGION, "description": "new"}
        seen = ObservedState([self.associated()], shared=[a_field("Region", of=None, description="old")])

        planned = plan(update(spec("Account", desired)), seen)

        assert (planned.steps, planned.blocked) == ((), ())
        assert [(each.field, each.desired) for each in planned.types[0].differences] == [
            ("fields/Region/description", "new")
        ]

    def test_a_shared_field_of_two_types_is_changed_once(self) -> None:
        seen = ObservedState([a_type("A"), a_type("B")], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        steps = brief(plan(update(spec("A", COUNTRY), spec("B", COUNTRY)), seen))

        assert steps.count(("update shared field", "Region")) == 1
        assert steps.count(("associate shared field", "Region")) == 2

    def test_a_shared_field_is_changed_for_a_new_type_too(self) -> None:
        """Otherwise the same request, sent again, would find a change to make."""
        seen = ObservedState([], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        steps = brief(plan(update(spec("Account", COUNTRY)), seen))

        assert ("update shared field", "Region") in steps

    def test_choices_of_a_shared_field_are_extended(self) -> None:
        seen = ObservedState([self.associated()], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        [step] = plan(update(spec("Account", {**PLAN, "name": "Region", "shared": True})), seen).steps

        assert (step.action, step.body) == ("update shared field", {"choices": ["EU", "Free", "Paid"]})

    def test_a_shared_field_of_another_type_is_blocked_and_not_associated(self) -> None:
        seen = ObservedState([a_type()], shared=[a_field("Region", "number", of=None)])

        planned = plan(update(spec("Account", REGION)), seen)

        assert (planned.steps, [each.field for each in planned.blocked]) == ((), ["fields/Region/type"])

    def test_an_adopted_type_gets_no_shared_field(self) -> None:
        planned = plan(
            a_request(spec("Account", REGION)), ObservedState([a_type()], shared=[a_field("Region", of=None)])
        )

        assert planned.steps == ()
        assert [(each.field, each.observed) for each in planned.types[0].differences] == [("fields/Region", None)]

    def test_a_field_of_the_type_blocks_a_shared_one_of_its_name(self) -> None:
        seen = ObservedState([a_type("Account", "id of Region")], [a_field("Region")])

        planned = plan(update(spec("Account", REGION)), seen)

        assert planned.steps == ()
        [blocked] = planned.blocked
        assert (blocked.field, blocked.desired, blocked.observed, blocked.reason) == (
            "fields/Region/shared", True, False, IS_OWN
        )  # fmt: skip

    def test_a_shared_field_blocks_a_field_of_its_name(self) -> None:
        seen = ObservedState([self.associated()], shared=[a_field("Region", of=None)])

        planned = plan(update(spec("Account", {"name": "REGION", "type": "text"})), seen)

        assert planned.steps == ()
        [blocked] = planned.blocked
        assert (blocked.field, blocked.desired, blocked.observed, blocked.reason) == (
            "fields/REGION/shared", False, True, IS_SHARED
        )  # fmt: skip

    def test_a_shared_field_of_other_types_blocks_nothing(self) -> None:
        seen = ObservedState([a_type()], shared=[a_field("Region", of=None)])

        planned = plan(update(spec("Account", {"name": "Region", "type": "text"})), seen)

        assert brief(planned) == [("create field", "Region")]

    def test_a_row_without_a_listed_field_may_have_any_name(self) -> None:
        with pytest.raises(Unavailable):
            plan(update(spec("Account", {"name": "Region", "type": "text"})), ObservedState([self.associated()]))

    def test_the_associated_one_of_two_shared_fields_is_taken(self) -> None:
        shared = [
            a_field("Region", of=None, id="elsewhere", date_created="2020-01-01T00:00:00"),
            a_field("Region", of=None, date_created="2021-01-01T00:00:00"),
        ]

        planned = plan(update(spec("Account", REGION)), ObservedState([self.associated()], shared=shared))

        assert brief(planned) == []

    def test_a_shared_field_beside_a_field_of_its_name_is_no_conflict(self) -> None:
        """The desired shared field exists, so nothing blocks it."""
        seen = ObservedState([self.associated()], [a_field("Region", id="own")], [a_field("Region", of=None)])

        planned = plan(update(spec("Account", REGION)), seen)

        assert (planned.steps, planned.blocked) == ((), ())


class TestFieldOrder:
    def order(self, desired: list[str], there: list[str], *, listed: list[str] | None = None) -> list[str] | None:
        """Return the planned order: ids of existing fields, names of new ones; None when the order stays."""
        fields = [{"name": name, "type": "text"} for name in desired]
        rows = [a_field(name, id=f"#{name}") for name in there]
        ids = [f"#{name}" for name in (there if listed is None else listed)]

        steps = plan(update(spec("Account", *fields)), ObservedState([a_type("Account", *ids)], rows)).steps

        reorders = [step for step in steps if step.action is Action.REORDER]
        assert reorders in ([], [steps[-1]] if steps else [])
        return list(reorders[0].body["order"]) if reorders else None

    @pytest.mark.parametrize(
        ("desired", "there"),
        [
            ([], ["a", "b"]),
            (["a", "b"], ["a", "b"]),
            (["a", "b"], []),
            (["a", "b"], ["a"]),
            (["a", "b"], ["x", "a", "y", "b", "z"]),  # others may stand between them
            (["b"], ["a", "b"]),
        ],
    )
    def test_an_order_that_fits_is_kept(self, desired: list[str], there: list[str]) -> None:
        assert self.order(desired, there) is None

    @pytest.mark.parametrize(
        ("desired", "there", "then"),
        [
            (["b", "a"], ["a", "b"], ["#b", "#a"]),
            (["b", "a"], ["x", "a", "y", "b", "z"], ["#x", "#b", "#y", "#a", "#z"]),  # others keep their places
            (["new", "a"], ["a"], ["new", "#a"]),
            (["new", "a"], ["x", "a"], ["#x", "new", "#a"]),
            (["c", "new", "a"], ["a", "c"], ["#c", "new", "#a"]),
        ],
    )
    def test_an_order_that_differs_is_changed(self, desired: list[str], there: list[str], then: list[str]) -> None:
        assert self.order(desired, there) == then

    def test_a_field_that_the_type_does_not_list_comes_at_the_end(self) -> None:
        assert self.order(["a", "b"], ["a", "b"], listed=["b"]) == ["#a", "#b"]
        assert self.order(["a", "b"], ["a", "b"], listed=["a"]) is None

    def test_a_blocked_field_keeps_its_place(self) -> None:
        rows = [a_field("a", "number", id="#a"), a_field("b", id="#b"), a_field("c", id="#c")]
        fields = [{"name": name, "type": "text"} for name in ("c", "b", "a")]

        steps = plan(update(spec("Account", *fields)), ObservedState([a_type("Account", "#a", "#b", "#c")], rows)).steps

        assert [step.body["order"] for step in steps] == [["#a", "#c", "#b"]]

    def test_shared_fields_are_ordered_too(self) -> None:
        rows = [{"id": "#Note", "name": "Note"}, {"id": "#Region", "name": "Region"}]
        seen = ObservedState(
            [a_type("Account", rows=rows)], [a_field("Note", id="#Note")], [a_field("Region", id="#Region")]
        )

        [step] = plan(update(spec("Account", REGION, NOTE)), seen).steps

        assert step.body == {"order": ["#Region", "#Note"]}

    def test_fields_of_an_adopted_type_stay_in_place(self) -> None:
        rows = [a_field("a", id="#a"), a_field("b", id="#b")]
        fields = [{"name": name, "type": "text"} for name in ("b", "a")]

        assert (
            plan(a_request(spec("Account", *fields)), ObservedState([a_type("Account", "#a", "#b")], rows)).steps == ()
        )

    def test_a_field_id_that_is_listed_twice_breaks_nothing(self) -> None:
        seen = ObservedState([a_type("Account", "#a", "#a")], [a_field("a", id="#a")])

        assert plan(update(spec("Account", {"name": "a", "type": "text"})), seen).steps == ()


class TestDigest:
    REQUEST = update(spec("Account", SEATS, REGION))
    TYPE = a_type("Account", rows=[{"id": "id of Seats"}, {"id": "id of Region"}])
    FIELD, SHARED = a_field("Seats", "number"), a_field("Region", of=None)
    SEEN = ObservedState(
        [TYPE, a_type("Deal")], [FIELD, a_field("Other", of="Deal")], [SHARED, a_field("Elsewhere", of=None)]
    )

    def digest(self, request: ProvisioningRequest | None = None, **seen: Any) -> str:
        parts = {name: seen.get(name, getattr(self.SEEN, name)) for name in ("types", "fields", "shared", "roles")}
        return plan(request or self.REQUEST, ObservedState(**parts)).digest

    def test_the_digest_is_a_sha_256(self) -> None:
        assert len(self.digest()) == 64
        assert a_request(spec(), plan_digest=self.digest())

    @pytest.mark.parametrize(
        "request_",
        [
            update(spec("Account", SEATS, REGION), request_id="2"),
            update(spec("Account", SEATS, REGION), plan_digest="0" * 64),
        ],
    )
    def test_the_digest_ignores_the_rest_of_the_request(self, request_: ProvisioningRequest) -> None:
        assert self.digest(request_) == self.digest()

    @pytest.mark.parametrize(
        "request_",
        [
            update(spec("Account", SEATS)),
            update(spec("Account", REGION, SEATS)),
            update(spec("Account", SEATS, {**REGION, "required": True})),
            update(spec("Account", SEATS, REGION, description="d")),
            a_request(spec("Account", SEATS, REGION)),
            update(spec("Account", SEATS, REGION), spec("Deal")),
        ],
    )
    def test_another_spec_has_another_digest(self, request_: ProvisioningRequest) -> None:
        assert self.digest(request_) != self.digest()

    @pytest.mark.parametrize(
        "seen",
        [
            {"types": [TYPE]},
            {"types": [*SEEN.types, a_type("Lead")]},
            {"types": [a_type("Deal"), TYPE]},
            {"types": [TYPE.model_copy(update={"date_created": "2020-01-01", "date_updated": "2024-01-01"})]},
            {"types": [TYPE.model_copy(update={"updated_by": "user_1", "enrichment_enabled": True})]},
            {"fields": [FIELD]},
            {"fields": [FIELD.model_copy(update={"date_created": "2020-01-01", "date_updated": "2024-01-01"})]},
            {"fields": [FIELD.model_copy(update={"required": None})]},
            {"shared": [SHARED]},
            {"shared": [SHARED.model_copy(update={"associations": [{"object_type": "lead"}]})]},
            {"roles": [Role(id="role_1", name="Admin")]},
        ],
    )  # fmt: skip
    def test_the_digest_ignores_state_that_the_plan_ignores(self, seen: dict[str, Any]) -> None:
        assert self.digest(**seen) == self.digest()

    @pytest.mark.parametrize(
        "seen",
        [
            {"types": []},
            {"types": [TYPE.model_copy(update={"name": "ACCOUNT"})]},
            {"types": [TYPE.model_copy(update={"description": "d"})]},
            {"types": [TYPE.model_copy(update={"is_archived": True})]},
            {"types": [TYPE.model_copy(update={"fields": [{"id": "id of Region"}, {"id": "id of Seats"}]})]},
            {"types": [TYPE.model_copy(update={"fields": [{"id": "id of Seats"}]})]},
            {"types": [*SEEN.types, a_type("Account", id="second")]},
            {"fields": []},
            {"fields": [FIELD.model_copy(update={"required": True})]},
            {"fields": [FIELD.model_copy(update={"name": "SEATS"})]},
            {"fields": [FIELD, a_field("Somebody's")]},
            {"shared": []},
            {"shared": [SHARED.model_copy(update={"choices": ("a",)})]},
        ],
    )  # fmt: skip
    def test_the_digest_changes_with_the_state_behind_the_plan(self, seen: dict[str, Any]) -> None:
        assert self.digest(**seen) != self.digest()

    def test_the_digest_covers_associations(self) -> None:
        rows = [{"id": "id of Seats"}, {"id": "id of Region", "required": True}]

        assert self.digest(types=[self.TYPE.model_copy(update={"fields": rows})]) != self.digest()


def test_two_hundred_fields_are_compared_in_a_moment() -> None:
    """A request may hold 25 times as many."""
    fields = [{"name": f"Field {number}", "type": "text"} for number in range(MAX_FIELDS)]
    seen = ObservedState(
        [a_type("Account", *(f"id of {each['name']}" for each in fields))], [a_field(each["name"]) for each in fields]
    )
    begun = time.monotonic()

    assert plan(update(spec("Account", *fields)), seen).steps == ()
    assert time.monotonic() - begun < 1.5


def test_every_request_leases_resources_in_the_same_order() -> None:
    one = a_request(spec("B", REGION), spec("A", REGION, SEATS))
    other = a_request(spec("A", SEATS, REGION), spec("B", REGION))

    assert list(resources_to_lock(one, "orga_acme")) == list(resources_to_lock(other, "orga_acme"))
    assert resources_to_lock(one, "orga_acme")[type_resource("orga_acme", "a")] == [
        CREATE_RESOURCE,
        "association:region",
        "field:seats",
    ]
    assert resources_to_lock(one, "orga_acme")[shared_field_resource("orga_acme", "region")] == [CREATE_RESOURCE]
