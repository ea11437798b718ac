"""A plan as its readers see it: text for people, JSON for programs."""

import json
from typing import Any

import pytest

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.diff import OTHER_TYPE
from provisioner.reconcile.plan import ObservedState, Plan
from provisioner.reconcile.render import plan_as_json, plan_as_text
from tests.planning import plan

SEATS: dict[str, Any] = {"name": "Seats", "type": "number", "required": True}
OWNERS: dict[str, Any] = {"name": "Owners", "type": "user", "accepts_multiple_values": True}
REGION: dict[str, Any] = {"name": "Region", "type": "choices", "choices": ["EU"], "shared": True}
NOTE: dict[str, Any] = {"name": "Note", "type": "text"}

TYPE = CustomObjectType.model_validate(
    {"id": "cotype_1", "name": "Account", "name_plural": "Old", "fields": [{"id": "cf_2"}, {"id": "cf_1"}]}
)
FIELDS = [
    CustomField.model_validate(
        {"id": close_id, "name": name, "type": kind, "custom_object_type_id": "cotype_1", "required": False}
    )
    for close_id, name, kind in (("cf_1", "Seats", "number"), ("cf_2", "Note", "number"))
]


def planned(*fields: dict[str, Any], seen: ObservedState | None = None, **further: Any) -> Plan:
    spec = {"name": "Account", "name_plural": "Accounts", "fields": list(fields)}
    request = ProvisioningRequest.model_validate({"request_id": "1", "custom_object_type": spec, **further})
    return plan(request, seen or ObservedState([]))


def lines(of: Plan) -> list[str]:
    *text, empty, total, end = plan_as_text(of).split("\n")
    assert (empty, end) == ("", "")
    assert total.endswith(f"; digest {of.digest}")
    return [*text, total.partition(";")[0]]


class TestRenderedText:
    def test_a_new_type_is_shown_with_its_fields(self) -> None:
        deal = {"name": "Parent", "type": "custom_object", "references": "Account"}

        assert lines(planned(SEATS, OWNERS, deal, REGION)) == [
            "+ create type Account",
            "    + create field Seats (number, required)",
            "    + create field Owners (user, accepts multiple values)",
            "    + create field Parent (custom_object, to account)",
            "    + associate shared field Region",
            "+ create shared field Region (choices)",
            "6 steps, 0 blocked",
        ]

    def test_a_plan_of_one_step_is_shown(self) -> None:
        assert lines(planned()) == ["+ create type Account", "1 step, 0 blocked"]

    def test_changes_and_blocked_fields_are_shown(self) -> None:
        of = planned(SEATS, NOTE, OWNERS, seen=ObservedState([TYPE], FIELDS), if_exists="update")

        assert lines(of) == [
            "~ update type Account",
            '    name_plural: "Old" -> "Accounts"',
            "    ~ update field Seats",
            "        required: false -> true",
            "    + create field Owners (user, accepts multiple values)",
            f'    ! blocked fields/Note/type: "number" -> "text" ({OTHER_TYPE})',
            "3 steps, 1 blocked",
        ]

    def test_a_new_order_of_fields_is_shown(self) -> None:
        number = {"name": "Note", "type": "number"}

        of = planned(
            {"name": "Seats", "type": "number"}, number, seen=ObservedState([TYPE], FIELDS), if_exists="update"
        )

        assert "    ~ reorder fields" in lines(of)

    def test_an_adopted_type_is_shown_with_its_differences(self) -> None:
        assert lines(planned(SEATS, OWNERS, seen=ObservedState([TYPE], FIELDS))) == [
            "  type Account",
            '    = keep name_plural: "Old" -> "Accounts"',
            "    = keep fields/Seats/required: false -> true",
            '    = keep fields/Owners: nothing -> {"name": "Owners", "type": "user", "accepts_multiple_values": true}',
            "0 steps, 0 blocked",
        ]

    def test_an_equal_type_is_shown_as_unchanged(self) -> None:
        same = TYPE.model_copy(update={"name_plural": "Accounts"})

        assert lines(planned(seen=ObservedState([same]))) == ["  type Account is up to date", "0 steps, 0 blocked"]

    def test_a_rejected_type_is_shown(self) -> None:
        assert lines(planned(SEATS, seen=ObservedState([TYPE], FIELDS), if_exists="fail")) == [
            "! type Account exists, and if_exists is 'fail'", "0 steps, 0 blocked"
        ]  # fmt: skip

    def test_new_fields_of_an_existing_type_are_shown(self) -> None:
        same = TYPE.model_copy(update={"name_plural": "Accounts"})

        assert lines(planned(OWNERS, seen=ObservedState([same], FIELDS), if_exists="update"))[:2] == [
            "  type Account", "    + create field Owners (user, accepts multiple values)"
        ]  # fmt: skip

    def test_a_shared_field_is_changed_apart_from_its_types(self) -> None:
        shared = CustomField.model_validate({"id": "scf_1", "name": "Region", "type": "choices", "choices": ["US"]})

        text = lines(planned(REGION, seen=ObservedState([TYPE], FIELDS, [shared]), if_exists="update"))

        assert text[-3:-1] == ["~ update shared field Region", '    choices: ["US"] -> ["US", "EU"]']

    def test_characters_beyond_ascii_are_shown_unchanged(self) -> None:
        spec = {"name": "Größe", "name_plural": "Größen"}
        seen = ObservedState([TYPE.model_copy(update={"name": "größe", "name_plural": "顧客"})])

        assert '    = keep name_plural: "顧客" -> "Größen"' in lines(planned(custom_object_type=spec, seen=seen))


class TestRenderedJson:
    def test_json_holds_every_part_of_the_plan(self) -> None:
        of = planned(SEATS, NOTE, OWNERS, seen=ObservedState([TYPE], FIELDS), if_exists="update")

        shown = plan_as_json(of)

        assert json.loads(json.dumps(shown)) == shown
        assert shown["digest"] == of.digest
        [of_type] = shown["types"]
        blocked = of_type.pop("blocked")
        assert of_type == {
            "name": "Account", "action": "update", "id": "cotype_1", "differences": [], "other_matches": []
        }  # fmt: skip
        assert [(each["field"], each["desired"], each["observed"]) for each in blocked] == [
            ("fields/Note/type", "text", "number")
        ]
        assert shown["steps"] == [
            {
                "action": "update type",
                "name": "Account",
                "pointer": "/custom_object_type",
                "body": {"name_plural": "Accounts"},
                "changes": [{"field": "name_plural", "desired": "Accounts", "observed": "Old"}],
            },
            {
                "action": "update field",
                "name": "Seats",
                "pointer": "/custom_object_type/fields/0",
                "body": {"required": True},
                "changes": [{"field": "fields/Seats/required", "desired": True, "observed": False}],
            },
            {
                "action": "create field",
                "name": "Owners",
                "pointer": "/custom_object_type/fields/2",
                "body": OWNERS,
            },
        ]

    @pytest.mark.parametrize(("if_exists", "action"), [("adopt", "adopt"), ("update", "update"), ("fail", "reject")])
    def test_json_names_the_action_for_existing_types(self, if_exists: str, action: str) -> None:
        [of_type] = plan_as_json(planned(seen=ObservedState([TYPE]), if_exists=if_exists))["types"]

        assert of_type["action"] == action

    def test_a_new_type_is_shown_with_its_fields(self) -> None:
        [of_type] = plan_as_json(planned(SEATS))["types"]

        assert (of_type["action"], of_type["id"]) == ("create", None)
