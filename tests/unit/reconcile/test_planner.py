"""From what is wanted and what Close has to the steps between them."""

import time
from typing import Any

import pytest

from provisioner.close.models import CustomField, CustomObjectType, Role
from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import MAX_FIELDS
from provisioner.ledger.models import CREATE_RESOURCE
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
    """``rows``: entries of its fields, where they say more than the ids."""
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
    """A field of that type; without one, a shared field."""
    type_id = f"id of {of}" if of else None
    plain = {"id": f"id of {name}", "name": name, "type": kind, "custom_object_type_id": type_id, "required": False}
    return CustomField.model_validate({**plain, "accepts_multiple_values": False, **further})


def brief(steps: Plan | tuple[Step, ...]) -> list[tuple[str, str]]:
    return [(step.action.value, step.name) for step in (steps.steps if isinstance(steps, Plan) else steps)]


class TestNothingIsThere:
    def test_the_type_and_then_its_fields_in_their_order(self) -> None:
        request = a_request(spec("Account", SEATS, PLAN, description="d"))

        planned = plan(request, ObservedState([]))

        resource = type_resource("acme", "account")
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
    def test_whatever_is_to_be_done_with_existing_ones(self, if_exists: str) -> None:
        planned = plan(a_request(spec("Account", SEATS), if_exists=if_exists), ObservedState([]))

        assert brief(planned) == [("create type", "Account"), ("create field", "Seats")]

    def test_other_types_are_not_touched(self) -> None:
        seen = ObservedState([a_type("Deal", "f")], [a_field("Seats", of="Deal")])

        assert brief(plan(update(spec("Account", SEATS)), seen)) == [
            ("create type", "Account"), ("create field", "Seats")
        ]  # fmt: skip

    def test_roles_go_by_their_ids(self) -> None:
        request = a_request(
            spec("Account", {**SEATS, "editable_with_roles": ["sales"]}, editable_with_roles=["ADMIN", "role_2"])
        )
        roles = [Role(id="role_1", name="Admin"), Role(id="role_2", name="Sales")]

        of_type, of_field = plan(request, ObservedState([], roles=roles)).steps

        assert of_type.body["editable_with_roles"] == ["role_1", "role_2"]
        assert of_field.body["editable_with_roles"] == ["role_2"]

    def test_a_role_that_is_nowhere(self) -> None:
        request = a_request(spec(), spec("Deal", {**SEATS, "editable_with_roles": ["Admin", "Boss"]}))

        with pytest.raises(Rejected) as caught:
            plan(request, ObservedState([], roles=[Role(id="role_1", name="Admin")]))
        assert caught.value.kind is ProblemType.ROLE_NOT_FOUND
        [fault] = caught.value.problem.errors
        assert fault.pointer == "/custom_object_types/1/fields/0/editable_with_roles/1"


class TestReferences:
    def test_to_a_type_that_is_there(self) -> None:
        planned = plan(a_request(spec("Account", to("DEAL"))), ObservedState([a_type("Deal")]))

        assert planned.steps[1].body == {"name": "DEAL", "type": "custom_object", "references": "deal"}
        assert planned.references["deal"] == "id of Deal"

    def test_of_types_by_one_name_the_oldest_is_meant(self) -> None:
        old = a_type("deal", date_created="2020-01-01T00:00:00")
        young = a_type("Deal", date_created="2021-01-01T00:00:00")

        for types in ([old, young], [young, old]):
            assert plan(a_request(spec("Account", to("Deal"))), ObservedState(types)).references["deal"] == "id of deal"

    @pytest.mark.parametrize("order", [["Account", "Deal"], ["Deal", "Account"]])
    def test_what_is_referred_to_comes_first(self, order: list[str]) -> None:
        specs = {"Account": spec("Account", to("Deal")), "Deal": spec("Deal")}

        planned = plan(a_request(*(specs[name] for name in order)), ObservedState([]))

        assert brief(planned) == [("create type", "Deal"), ("create type", "Account"), ("create field", "Deal")]
        assert [each.spec.name for each in planned.types] == order  # told in the order of the request

    def test_a_chain(self) -> None:
        types = [spec("A", to("B")), spec("B", to("C")), spec("C", to("D")), spec("D")]

        created = [
            name for action, name in brief(plan(a_request(*types), ObservedState([]))) if action == "create type"
        ]
        assert created == ["D", "C", "B", "A"]

    def test_a_cycle_is_made_in_two_passes(self) -> None:
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
    def test_circles_of_any_length(self, length: int) -> None:
        types = [spec(f"T{number}", to(f"T{(number + 1) % length}"), to("T0", "Root")) for number in range(length)]

        planned = plan(a_request(*types), ObservedState([]))

        assert self.all_can_be_done(planned)
        assert sum(action == "create field" for action, _ in brief(planned)) == 2 * length

    def all_can_be_done(self, planned: Plan) -> bool:
        """Whether each field is created after its own type and the type that it refers to."""
        made: set[str] = set()
        for step in planned.steps:
            if step.action is Action.CREATE_TYPE:
                made.add(step.resource.name)
            needs = {step.resource.name, step.body.get("references", step.resource.name)}
            if step.action is Action.CREATE_FIELD and not needs <= made:
                return False
        return True

    def test_to_itself(self) -> None:
        planned = plan(a_request(spec("Account", to("account", "Parent"), SEATS)), ObservedState([]))

        assert brief(planned) == [("create type", "Account"), ("create field", "Parent"), ("create field", "Seats")]
        assert planned.steps[1].body["references"] == "account"

    def test_reference_fields_that_had_to_wait_are_put_in_their_place(self) -> None:
        planned = plan(a_request(spec("A", to("B"), SEATS), spec("B", to("A"), SEATS)), ObservedState([]))

        reorders = [step for step in planned.steps if step.action is Action.REORDER]
        assert [(step.resource.name, step.body["order"]) for step in reorders] == [("b", ["a", "seats"])]
        assert planned.steps[-1] == reorders[-1]

    def test_to_nothing(self) -> None:
        with pytest.raises(Rejected) as caught:
            plan(a_request(spec("Account", SEATS, to("Deal"))), ObservedState([a_type("Deals")]))
        assert caught.value.kind is ProblemType.REFERENCE_NOT_FOUND
        assert [each.pointer for each in caught.value.problem.errors] == ["/custom_object_type/fields/1/references"]

    def test_blocked_when_the_field_refers_to_another_type(self) -> None:
        types = [a_type("Account", "id of Deal"), a_type("Deal"), a_type("Lead")]
        field = a_field("Deal", "custom_object", referenced_custom_type_id="id of Lead")

        planned = plan(update(spec("Account", to("Deal"))), ObservedState(types, [field]))

        assert (planned.steps, [each.field for each in planned.blocked]) == ((), ["fields/Deal/references"])

    def test_the_same_when_it_refers_to_the_right_one(self) -> None:
        types = [a_type("Account", "id of Deal"), a_type("Deal")]
        field = a_field("Deal", "custom_object", referenced_custom_type_id="id of Deal")

        planned = plan(update(spec("Account", to("deal", "Deal"))), ObservedState(types, [field]))

        assert (planned.steps, planned.blocked) == ((), ())


class TestItExists:
    SEEN = ObservedState([a_type("Account", "id of Seats", name_plural="Old")], [a_field("Seats", "number")])
    WANTED = spec("Account", {**SEATS, "required": True}, NOTE)

    def test_adopted_it_is_left_alone_and_what_differs_is_listed(self) -> None:
        planned = plan(a_request(self.WANTED), self.SEEN)

        [of_type] = planned.types
        assert (of_type.action, planned.steps, of_type.blocked) == (TypeAction.ADOPT, (), ())
        assert {each.field: (each.desired, each.observed) for each in of_type.differences} == {
            "name_plural": ("Accounts", "Old"), "fields/Seats/required": (True, False), "fields/Note": (NOTE, None)
        }  # fmt: skip

    def test_updated(self) -> None:
        planned = plan(update(self.WANTED), self.SEEN)

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

    def test_refused(self) -> None:
        planned = plan(a_request(self.WANTED, if_exists="fail"), self.SEEN)

        assert (planned.types[0].action, planned.steps) == (TypeAction.REJECT, ())

    def test_this_very_request_made_it_and_goes_on(self) -> None:
        for if_exists in ("adopt", "fail"):
            request = a_request(self.WANTED, if_exists=if_exists)

            planned = plan(request, self.SEEN, created_by_request=["account"])

            assert (planned.types[0].action, brief(planned)) == (TypeAction.CREATE, [("create field", "Note")])
            told = [each.field for each in planned.types[0].differences]
            assert told == ["name_plural", "fields/Seats/required"]

    def test_to_update_what_this_very_request_made_is_to_update_it(self) -> None:
        assert plan(update(self.WANTED), self.SEEN, created_by_request=["account"]) == plan(
            update(self.WANTED), self.SEEN
        )

    def test_as_wanted(self) -> None:
        seen = ObservedState(
            [a_type("Account", "id of Seats")], [a_field("Seats", "number", description="not compared")]
        )

        for if_exists in ("adopt", "update"):
            planned = plan(a_request(spec("Account", SEATS), if_exists=if_exists), seen)
            assert (planned.steps, planned.types[0].differences, planned.blocked) == ((), (), ())
        assert planned.types[0].fields == {"seats": seen.fields[0]}

    def test_renamed_it_is_known_by_its_id(self) -> None:
        seen = ObservedState([a_type("Customer", id="known")])

        planned = plan(update(spec("Account")), seen, {"account": "known"})

        [step] = planned.steps
        assert (step.action, step.close_id, step.body["name"]) == ("update type", "known", "Account")

    def test_of_several_the_oldest(self) -> None:
        types = [
            a_type("Account", id="young", date_created="2021-01-01T00:00:00"),
            a_type("account", id="old", date_created="2020-01-01T00:00:00", name_plural="Accounts"),
        ]
        fields = [a_field("Seats", "number", custom_object_type_id="young")]

        planned = plan(update(spec("account", SEATS, name_plural="Accounts")), ObservedState(types, fields))

        assert planned.types[0].existing == types[1]
        assert planned.types[0].other_matches == ("young",)
        assert brief(planned) == [("create field", "Seats")]

    def test_archived_it_is_told(self) -> None:
        for if_exists in ("adopt", "update"):
            planned = plan(a_request(spec(), if_exists=if_exists), ObservedState([a_type(is_archived=True)]))
            assert ([each.field for each in planned.types[0].differences], planned.steps) == (["is_archived"], ())

    def test_choices_are_added_behind_those_that_are_there(self) -> None:
        seen = ObservedState([a_type("Account", "id of Plan")], [a_field("Plan", "choices", choices=["Old", "Free"])])

        [step] = plan(update(spec("Account", PLAN)), seen).steps

        assert (step.action, step.body) == ("update field", {"choices": ["Old", "Free", "Paid"]})

    def test_of_fields_by_one_name_the_oldest(self) -> None:
        fields = [
            a_field("seats", "number", id="young", date_created="2021-01-01T00:00:00"),
            a_field("Seats", "number", id="old", date_created="2020-01-01T00:00:00"),
        ]

        planned = plan(update(spec("Account", SEATS)), ObservedState([a_type("Account", "young", "old")], fields))

        assert (planned.steps, planned.types[0].fields["seats"].id) == ((), "old")

    def test_one_type_is_new_and_another_is_there(self) -> None:
        request = a_request(spec("Account", SEATS), spec("Deal", SEATS))

        planned = plan(request, ObservedState([a_type("Account")]))

        assert [each.action for each in planned.types] == [TypeAction.ADOPT, TypeAction.CREATE]
        assert brief(planned) == [("create type", "Deal"), ("create field", "Seats")]


class TestBlocked:
    SEEN = ObservedState([a_type("Account", "id of Seats")], [a_field("Seats", "text", required=True)])

    def test_another_type_of_field(self) -> None:
        planned = plan(update(spec("Account", SEATS, NOTE)), self.SEEN)

        [blocked] = planned.blocked
        assert (blocked.field, blocked.desired, blocked.observed, blocked.reason) == (
            "fields/Seats/type", "number", "text", OTHER_TYPE
        )  # fmt: skip
        assert brief(planned) == [("create field", "Note")]  # what could be done all the same

    def test_of_a_blocked_field_nothing_is_changed(self) -> None:
        seen = ObservedState(
            [a_type("Account", "id of Plan")],
            [a_field("Plan", "choices", choices=["Free"], accepts_multiple_values=True)],
        )

        planned = plan(update(spec("Account", {**PLAN, "accepts_multiple_values": False})), seen)

        assert (planned.steps, [each.field for each in planned.blocked]) == (
            (), ["fields/Plan/accepts_multiple_values"]
        )  # fmt: skip
        assert [each.field for each in planned.types[0].differences] == ["fields/Plan/choices"]

    def test_adopted_it_is_a_difference_like_others(self) -> None:
        planned = plan(a_request(spec("Account", SEATS)), self.SEEN)

        assert planned.blocked == ()
        assert [each.field for each in planned.types[0].differences] == ["fields/Seats/type"]

    def test_blocked_for_one_that_this_request_made(self) -> None:
        """Somebody else was quicker with a field of that name."""
        planned = plan(a_request(spec("Account", SEATS)), self.SEEN, created_by_request=["account"])

        assert [each.field for each in planned.blocked] == ["fields/Seats/type"]


class TestSharedFields:
    UNIT = shared_field_resource("acme", "region")

    def associated(self, **row: Any) -> CustomObjectType:
        return a_type("Account", rows=[{"id": "id of Region", "name": "Region", "required": False, **row}])

    def test_made_and_associated(self) -> None:
        request = a_request(spec("Account", {**REGION, "required": True, "description": "d"}))

        planned = plan(request, ObservedState([]))

        made, associated = planned.steps[1:]
        assert (made.action, made.resource, made.operation) == ("create shared field", self.UNIT, CREATE_RESOURCE)
        assert made.body == {"name": "Region", "type": "text", "description": "d"}
        assert (associated.action, associated.resource, associated.operation, associated.body) == (
            "associate shared field", type_resource("acme", "account"), "association:region", {"required": True}
        )  # fmt: skip

    def test_there_it_is_only_associated(self) -> None:
        seen = ObservedState([a_type()], shared=[a_field("Region", of=None)])

        assert brief(plan(update(spec("Account", REGION)), seen)) == [("associate shared field", "Region")]

    def test_there_and_associated(self) -> None:
        seen = ObservedState([self.associated()], shared=[a_field("Region", of=None)])

        planned = plan(update(spec("Account", {**REGION, "required": False})), seen)

        assert planned.steps == ()
        assert planned.types[0].fields["region"].id == "id of Region"

    def test_wanted_by_two_types_it_is_made_once(self) -> None:
        planned = plan(a_request(spec("A", REGION), spec("B", REGION)), ObservedState([]))

        assert brief(planned) == [
            ("create type", "A"), ("create shared field", "Region"), ("associate shared field", "Region"),
            ("create type", "B"), ("associate shared field", "Region"),
        ]  # fmt: skip
        assert [step.resource.name for step in planned.steps if step.action is Action.ASSOCIATE] == ["a", "b"]

    def test_what_differs_is_changed_where_it_belongs(self) -> None:
        desired = {**COUNTRY, "required": True}
        seen = ObservedState([self.associated()], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        of_field, of_association = plan(update(spec("Account", desired)), seen).steps

        assert (of_field.action, of_field.resource, of_field.close_id, of_field.body) == (
            "update shared field", self.UNIT, "id of Region", {"choices": ["EU", "US"]}
        )  # fmt: skip
        assert (of_association.action, of_association.close_id, of_association.body) == (
            "update association", "id of Region", {"required": True}
        )  # fmt: skip

    def test_what_close_does_not_change_of_a_shared_field_is_left_alone(self) -> None:
        """Its documentation names the name and the choices."""
        desired = {**REGION, "description": "new"}
        seen = ObservedState([self.associated()], shared=[a_field("Region", of=None, description="old")])

        planned = plan(update(spec("Account", desired)), seen)

        assert (planned.steps, planned.blocked) == ((), ())
        assert [(each.field, each.desired) for each in planned.types[0].differences] == [
            ("fields/Region/description", "new")
        ]

    def test_wanted_by_two_types_it_is_changed_once(self) -> None:
        seen = ObservedState([a_type("A"), a_type("B")], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        steps = brief(plan(update(spec("A", COUNTRY), spec("B", COUNTRY)), seen))

        assert steps.count(("update shared field", "Region")) == 1
        assert steps.count(("associate shared field", "Region")) == 2

    def test_what_differs_is_changed_for_a_new_type_too(self) -> None:
        """Else the next request of the same would find something to change."""
        seen = ObservedState([], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        steps = brief(plan(update(spec("Account", COUNTRY)), seen))

        assert ("update shared field", "Region") in steps

    def test_choices_of_a_shared_field_are_extended(self) -> None:
        seen = ObservedState([self.associated()], shared=[a_field("Region", "choices", of=None, choices=["EU"])])

        [step] = plan(update(spec("Account", {**PLAN, "name": "Region", "shared": True})), seen).steps

        assert (step.action, step.body) == ("update shared field", {"choices": ["EU", "Free", "Paid"]})

    def test_of_another_type_it_is_blocked_and_not_associated(self) -> None:
        seen = ObservedState([a_type()], shared=[a_field("Region", "number", of=None)])

        planned = plan(update(spec("Account", REGION)), seen)

        assert (planned.steps, [each.field for each in planned.blocked]) == ((), ["fields/Region/type"])

    def test_not_wanted_by_a_type_that_is_left_alone(self) -> None:
        planned = plan(
            a_request(spec("Account", REGION)), ObservedState([a_type()], shared=[a_field("Region", of=None)])
        )

        assert planned.steps == ()
        assert [(each.field, each.observed) for each in planned.types[0].differences] == [("fields/Region", None)]

    def test_a_field_of_the_types_own_is_in_its_way(self) -> None:
        seen = ObservedState([a_type("Account", "id of Region")], [a_field("Region")])

        planned = plan(update(spec("Account", REGION)), seen)

        assert planned.steps == ()
        [blocked] = planned.blocked
        assert (blocked.field, blocked.desired, blocked.observed, blocked.reason) == (
            "fields/Region/shared", True, False, IS_OWN
        )  # fmt: skip

    def test_it_is_in_the_way_of_a_field_of_the_types_own(self) -> None:
        seen = ObservedState([self.associated()], shared=[a_field("Region", of=None)])

        planned = plan(update(spec("Account", {"name": "REGION", "type": "text"})), seen)

        assert planned.steps == ()
        [blocked] = planned.blocked
        assert (blocked.field, blocked.desired, blocked.observed, blocked.reason) == (
            "fields/REGION/shared", False, True, IS_SHARED
        )  # fmt: skip

    def test_a_shared_field_of_that_name_elsewhere_is_not_in_the_way(self) -> None:
        seen = ObservedState([a_type()], shared=[a_field("Region", of=None)])

        planned = plan(update(spec("Account", {"name": "Region", "type": "text"})), seen)

        assert brief(planned) == [("create field", "Region")]

    def test_a_row_that_no_list_of_fields_shows_may_be_anything(self) -> None:
        with pytest.raises(Unavailable):
            plan(update(spec("Account", {"name": "Region", "type": "text"})), ObservedState([self.associated()]))

    def test_of_two_by_that_name_the_one_that_the_type_has(self) -> None:
        shared = [
            a_field("Region", of=None, id="elsewhere", date_created="2020-01-01T00:00:00"),
            a_field("Region", of=None, date_created="2021-01-01T00:00:00"),
        ]

        planned = plan(update(spec("Account", REGION)), ObservedState([self.associated()], shared=shared))

        assert brief(planned) == []

    def test_both_an_own_and_a_shared_one_are_there(self) -> None:
        """What is wanted is there: nothing stands in its way."""
        seen = ObservedState([self.associated()], [a_field("Region", id="own")], [a_field("Region", of=None)])

        planned = plan(update(spec("Account", REGION)), seen)

        assert (planned.steps, planned.blocked) == ((), ())


class TestOrder:
    def order(self, desired: list[str], there: list[str], *, listed: list[str] | None = None) -> list[str] | None:
        """What the fields are put into, by id where they are there; None when they stay where they are."""
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
    def test_it_stays(self, desired: list[str], there: list[str]) -> None:
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
    def test_it_is_changed(self, desired: list[str], there: list[str], then: list[str]) -> None:
        assert self.order(desired, there) == then

    def test_a_field_that_the_type_does_not_list_comes_at_the_end(self) -> None:
        assert self.order(["a", "b"], ["a", "b"], listed=["b"]) == ["#a", "#b"]
        assert self.order(["a", "b"], ["a", "b"], listed=["a"]) is None

    def test_what_is_blocked_keeps_its_place(self) -> None:
        rows = [a_field("a", "number", id="#a"), a_field("b", id="#b"), a_field("c", id="#c")]
        fields = [{"name": name, "type": "text"} for name in ("c", "b", "a")]

        steps = plan(update(spec("Account", *fields)), ObservedState([a_type("Account", "#a", "#b", "#c")], rows)).steps

        assert [step.body["order"] for step in steps] == [["#a", "#c", "#b"]]

    def test_shared_fields_have_places_too(self) -> None:
        rows = [{"id": "#Note", "name": "Note"}, {"id": "#Region", "name": "Region"}]
        seen = ObservedState(
            [a_type("Account", rows=rows)], [a_field("Note", id="#Note")], [a_field("Region", id="#Region")]
        )

        [step] = plan(update(spec("Account", REGION, NOTE)), seen).steps

        assert step.body == {"order": ["#Region", "#Note"]}

    def test_adopted_nothing_moves(self) -> None:
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

    def test_it_is_a_sha_256(self) -> None:
        assert len(self.digest()) == 64
        assert a_request(spec(), plan_digest=self.digest())

    @pytest.mark.parametrize(
        "request_",
        [
            update(spec("Account", SEATS, REGION), request_id="2"),
            update(spec("Account", SEATS, REGION), plan_digest="0" * 64),
        ],
    )
    def test_it_is_not_about_the_request_around_the_spec(self, request_: ProvisioningRequest) -> None:
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
    def test_another_spec(self, request_: ProvisioningRequest) -> None:
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
    def test_what_the_plan_does_not_depend_on(self, seen: dict[str, Any]) -> None:
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
    def test_what_it_depends_on(self, seen: dict[str, Any]) -> None:
        assert self.digest(**seen) != self.digest()

    def test_what_is_said_of_an_association_counts_too(self) -> None:
        rows = [{"id": "id of Seats"}, {"id": "id of Region", "required": True}]

        assert self.digest(types=[self.TYPE.model_copy(update={"fields": rows})]) != self.digest()


def test_two_hundred_fields_are_compared_in_a_moment() -> None:
    """A request may want 25 times as many."""
    fields = [{"name": f"Field {number}", "type": "text"} for number in range(MAX_FIELDS)]
    seen = ObservedState(
        [a_type("Account", *(f"id of {each['name']}" for each in fields))], [a_field(each["name"]) for each in fields]
    )
    begun = time.monotonic()

    assert plan(update(spec("Account", *fields)), seen).steps == ()
    assert time.monotonic() - begun < 1.5


def test_what_is_leased_comes_in_the_same_order_for_everybody() -> None:
    one = a_request(spec("B", REGION), spec("A", REGION, SEATS))
    other = a_request(spec("A", SEATS, REGION), spec("B", REGION))

    assert list(resources_to_lock(one)) == list(resources_to_lock(other))
    assert resources_to_lock(one)[type_resource("acme", "a")] == [CREATE_RESOURCE, "association:region", "field:seats"]
    assert resources_to_lock(one)[shared_field_resource("acme", "region")] == [CREATE_RESOURCE]
