"""Clear: types that Close could never create are rejected before they are accepted, each fault by its pointer."""

import json
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import MAX_FIELDS, MAX_SHARED_FIELDS, MAX_TYPES, FieldSpec, shared_field_desired
from provisioner.contract.validation import parse_request

TYPE = {"name": "Account", "name_plural": "Accounts"}
TEXT = {"name": "Plan", "type": "text"}
CHOICES = {"name": "Plan", "type": "choices", "choices": ["Free"]}
REFERENCE = {"name": "Deal", "type": "custom_object", "references": "Deal"}


def read(**body: Any) -> ProvisioningRequest:
    return parse_request(json.dumps({"tenant": "acme", "request_id": "1", **body}))


def faults(**body: Any) -> dict[str, str]:
    """Return the details of the rejection by JSON pointer."""
    with pytest.raises(Rejected) as caught:
        read(**body)
    assert caught.value.kind is ProblemType.INVALID_REQUEST
    return {each.pointer: each.detail for each in caught.value.problem.errors}


def of_type(**keys: Any) -> dict[str, Any]:
    return {"custom_object_type": {**TYPE, **keys}}


def field_faults(field: Any) -> dict[str, str]:
    """Of one field, by what comes after its own pointer."""
    start = "/custom_object_type/fields/0"
    said = faults(**of_type(fields=[field]))
    assert all(pointer.startswith(start) for pointer in said)
    return {pointer.removeprefix(start): detail for pointer, detail in said.items()}


class TestOneField:
    @pytest.mark.parametrize("kind", ["text", "number", "date", "datetime", "user", "contact", "hidden"])
    def test_a_plain_field_is_valid(self, kind: str) -> None:
        [field] = read(**of_type(fields=[{"name": "Plan", "type": kind}])).types[0].fields

        assert field.desired() == {"name": "Plan", "type": kind}

    def test_every_key_of_a_field_is_valid(self) -> None:
        keys = {**CHOICES, "description": "d", "required": True, "accepts_multiple_values": True}
        fields = [
            {**keys, "choices": ["Free", "Paid"], "editable_with_roles": ["Admin"]},
            {**REFERENCE, "back_reference_is_visible": False, "accepts_multiple_values": True},
        ]

        assert [each.desired() for each in read(**of_type(fields=fields)).types[0].fields] == fields

    def test_omitted_keys_are_not_part_of_the_desired_state(self) -> None:
        desired = read(**of_type(fields=[{**TEXT, "description": None, "editable_with_roles": None}])).types[0]

        assert desired.fields[0].desired() == TEXT
        assert desired.desired() == TYPE  # the type's own body holds no fields

    def test_shared_is_not_sent_to_close(self) -> None:
        [field] = read(**of_type(fields=[{**TEXT, "shared": True, "required": True}])).types[0].fields

        assert field.desired() == {**TEXT, "required": True}
        assert shared_field_desired(field) == TEXT  # required belongs to the association

    def test_names_and_references_are_trimmed(self) -> None:
        [field] = read(**of_type(fields=[{**REFERENCE, "name": " A ", "references": " B  c "}])).types[0].fields

        assert (field.name, field.references, field.reference_key) == ("A", "B  c", "b c")
        assert FieldSpec.model_validate(TEXT).reference_key is None

    @pytest.mark.parametrize(
        ("field", "pointers"),
        [
            ({}, {"/name", "/type"}),
            ("text", {""}),
            ({**TEXT, "name": ""}, {"/name"}),
            ({**TEXT, "name": "x" * 201}, {"/name"}),
            ({**TEXT, "name": "a\nb"}, {"/name"}),
            ({**TEXT, "type": "currency"}, {"/type"}),
            ({**TEXT, "type": "TEXT"}, {"/type"}),
            ({**TEXT, "type": None}, {"/type"}),
            ({**TEXT, "shared": "yes"}, {"/shared"}),
            ({**TEXT, "description": "x" * 281}, {"/description"}),
            ({**TEXT, "required": 1}, {"/required"}),
            ({**TEXT, "accepts_multiple_values": "no"}, {"/accepts_multiple_values"}),
            ({**TEXT, "editable_with_roles": [""]}, {"/editable_with_roles/0"}),
            ({**TEXT, "editable_with_roles": ["x"] * 101}, {"/editable_with_roles"}),
            ({**TEXT, "is_shared": True}, {"/is_shared"}),
            ({**TEXT, "id": "cf_1"}, {"/id"}),
            ({**CHOICES, "choices": ["a", ""]}, {"/choices/1"}),
            ({**CHOICES, "choices": "abc"}, {"/choices"}),
            ({**CHOICES, "choices": [f"{number}" for number in range(501)]}, {"/choices"}),
        ],
    )
    def test_a_field_has_bounds_and_known_keys(self, field: Any, pointers: set[str]) -> None:
        assert field_faults(field).keys() == pointers

    def test_textarea_is_not_for_custom_objects(self) -> None:
        said = field_faults({**TEXT, "type": "textarea"})

        assert said == {"/type": "Close offers 'textarea' for Custom Activities only; use 'text'"}

    @pytest.mark.parametrize("kind", ["text", "number", "date", "datetime", "hidden"])
    def test_some_types_hold_one_value_only(self, kind: str) -> None:
        field = {"name": "Plan", "type": kind, "accepts_multiple_values": True}

        said = field_faults(field)["/accepts_multiple_values"]
        assert said == f"Close allows several values only for choices, contact, custom_object, user, not for {kind}"
        assert read(**of_type(fields=[{**field, "accepts_multiple_values": False}]))

    @pytest.mark.parametrize("field", [{"name": "A", "type": "user"}, {"name": "A", "type": "contact"}, CHOICES])
    def test_some_types_hold_several_values(self, field: dict[str, Any]) -> None:
        assert read(**of_type(fields=[{**field, "accepts_multiple_values": True}]))

    @pytest.mark.parametrize("choices", [{}, {"choices": None}, {"choices": []}])
    def test_a_choices_field_needs_choices(self, choices: dict[str, Any]) -> None:
        field = {"name": "Plan", "type": "choices", **choices}

        assert field_faults(field) == {"/choices": "is required for fields of type 'choices'"}

    @pytest.mark.parametrize("choices", [["Free"], []])
    def test_only_a_choices_field_takes_choices(self, choices: list[str]) -> None:
        assert field_faults({**TEXT, "choices": choices}) == {
            "/choices": "is allowed only for fields of type 'choices'"
        }

    def test_choices_are_unique(self) -> None:
        assert field_faults({**CHOICES, "choices": ["a", "b", "a "]}) == {"/choices": "contains 'a' twice"}
        assert read(**of_type(fields=[{**CHOICES, "choices": ["a", "A"]}]))

    def test_a_reference_needs_its_type(self) -> None:
        field = {"name": "Deal", "type": "custom_object"}

        assert field_faults(field) == {"/references": "is required for fields of type 'custom_object'"}

    def test_only_a_reference_names_a_type(self) -> None:
        said = field_faults({**TEXT, "references": "Deal", "back_reference_is_visible": False})

        assert said == {
            "/references": "is allowed only for fields of type 'custom_object'",
            "/back_reference_is_visible": "is allowed only for fields of type 'custom_object'",
        }

    def test_a_reference_is_not_shared(self) -> None:
        said = field_faults({**REFERENCE, "shared": True})

        assert said.keys() == {"/shared"}
        assert "cannot be shared" in said["/shared"]

    def test_a_wrong_type_hides_other_faults_of_its_field(self) -> None:
        field = {"name": "Plan", "type": "?", "choices": ["a"], "references": "x", "accepts_multiple_values": True}

        assert field_faults(field).keys() == {"/type"}

    def test_every_fault_of_every_field_is_pointed_at(self) -> None:
        said = faults(**of_type(name="", fields=[TEXT, {"name": "a"}, {**TEXT, "name": "b", "choices": ["x"]}]))

        pointers = {"/name", "/fields/1/type", "/fields/2/choices"}
        assert said.keys() == {f"/custom_object_type{pointer}" for pointer in pointers}


class TestOneType:
    def test_names_of_fields_are_unique(self) -> None:
        said = faults(**of_type(fields=[TEXT, {**CHOICES, "name": " PLAN"}]))

        [detail] = said.values()
        assert said.keys() == {"/custom_object_type/fields"}
        assert detail == "has two fields named 'plan' (case, spacing and invisible characters are ignored)"

    def test_a_shared_field_and_a_field_of_the_type_need_different_names(self) -> None:
        assert faults(**of_type(fields=[TEXT, {**TEXT, "shared": True}])).keys() == {"/custom_object_type/fields"}

    def test_the_number_of_fields_is_bounded(self) -> None:
        fields = [{"name": f"{number}", "type": "text"} for number in range(MAX_FIELDS + 1)]

        assert faults(**of_type(fields=fields)).keys() == {"/custom_object_type/fields"}
        assert len(read(**of_type(fields=fields[:-1])).types[0].fields) == MAX_FIELDS


class TestOneRequest:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"custom_object_type": None},
            {"custom_object_type": TYPE, "custom_object_types": [TYPE]},
            {"custom_object_type": TYPE, "blueprint": "account"},
            {"custom_object_type": TYPE, "custom_object_types": [TYPE], "blueprint": "account"},
        ],
    )
    def test_it_names_its_types_once(self, body: dict[str, Any]) -> None:
        assert faults(**body) == {"": "must have exactly one of custom_object_type, custom_object_types and blueprint"}

    def test_values_require_a_blueprint(self) -> None:
        assert faults(custom_object_type=TYPE, values={"a": "b"}) == {"": "values are allowed only with a blueprint"}

    def test_a_request_may_hold_several_types(self) -> None:
        one = read(custom_object_type=TYPE)
        several = read(custom_object_types=[TYPE, {"name": "Deal", "name_plural": "Deals"}])

        assert [each.name for each in several.types] == ["Account", "Deal"]
        assert (one.pointer(0), several.pointer(1)) == ("/custom_object_type", "/custom_object_types/1")

    @pytest.mark.parametrize(
        ("types", "pointers"),
        [
            ([], {"/custom_object_types"}),
            ([{**TYPE, "name": f"{number}"} for number in range(MAX_TYPES + 1)], {"/custom_object_types"}),
            (TYPE, {"/custom_object_types"}),
            ([TYPE, {"name": "Deal"}], {"/custom_object_types/1/name_plural"}),
            ([TYPE, {**TYPE, "name": "Deal", "fields": [{"name": "a"}]}], {"/custom_object_types/1/fields/0/type"}),
        ],
    )
    def test_the_number_of_types_is_bounded(self, types: Any, pointers: set[str]) -> None:
        assert faults(custom_object_types=types).keys() == pointers

    def test_names_of_types_are_unique(self) -> None:
        said = faults(custom_object_types=[TYPE, {**TYPE, "name": "ACCOUNT"}])

        assert said == {"": "two types are named 'account' (case, spacing and invisible characters are ignored)"}

    def shared_faults(self, one: dict[str, Any], other: dict[str, Any]) -> dict[str, str]:
        types = [{**TYPE, "fields": [one]}, {**TYPE, "name": "Deal", "fields": [other]}]
        return faults(custom_object_types=types)

    @pytest.mark.parametrize("other", [{"description": "d"}, {"type": "number"}, {"name": "PLAN"}])
    def test_a_shared_field_has_one_definition(self, other: dict[str, Any]) -> None:
        said = self.shared_faults({**TEXT, "shared": True}, {**TEXT, "shared": True, **other})

        assert said[""].endswith("has two different specs")

    def test_keys_of_an_association_may_differ(self) -> None:
        fields = [{**TEXT, "shared": True, "required": True}, {**TEXT, "shared": True, "editable_with_roles": ["a"]}]
        types = [{**TYPE, "name": f"{number}", "fields": [field]} for number, field in enumerate(fields)]

        assert len(read(custom_object_types=types).types) == 2

    def test_fields_of_different_types_are_independent(self) -> None:
        types = [{**TYPE, "name": kind, "fields": [{"name": "Plan", "type": kind}]} for kind in ("text", "number")]

        assert len(read(custom_object_types=types).types) == 2

    def test_the_number_of_shared_fields_is_bounded(self) -> None:
        fields = [{"name": f"{number}", "type": "text", "shared": True} for number in range(MAX_SHARED_FIELDS + 1)]

        said = faults(**of_type(fields=fields))
        assert said == {"": f"at most {MAX_SHARED_FIELDS} shared fields are allowed in one request"}
        assert read(**of_type(fields=fields[:-1]))

    @pytest.mark.parametrize(
        ("keys", "pointers"),
        [
            ({"plan_digest": "x"}, {"/plan_digest"}),
            ({"plan_digest": "A" * 64}, {"/plan_digest"}),
            ({"allow_partial": "yes"}, {"/allow_partial"}),
            ({"blueprint": "../account"}, {"/blueprint"}),
            ({"blueprint": ""}, {"/blueprint"}),
            ({"values": []}, {"/values"}),
            ({"values": {f"v{number}": "x" for number in range(101)}}, {"/values"}),
        ],
    )
    def test_other_keys_of_a_request_are_validated(self, keys: dict[str, Any], pointers: set[str]) -> None:
        assert faults(**{"custom_object_type": TYPE, **keys}).keys() == pointers

    def test_the_fingerprint_covers_every_key(self) -> None:
        bodies: list[dict[str, Any]] = [
            of_type(),
            of_type(fields=[TEXT]),
            of_type(fields=[{**TEXT, "required": True}]),
            of_type(fields=[{**TEXT, "shared": True}]),
            of_type(fields=[CHOICES]),
            of_type(fields=[TEXT, {**TEXT, "name": "Seats"}]),
            of_type(fields=[{**TEXT, "name": "Seats"}, TEXT]),
            {**of_type(), "if_exists": "update"},
            {**of_type(), "allow_partial": True},
            {**of_type(), "plan_digest": "0" * 64},
        ]

        assert len({read(**body).fingerprint for body in bodies}) == len(bodies)
        assert read(**of_type(fields=[])).fingerprint == read(**of_type()).fingerprint

    def test_it_survives_its_own_json(self) -> None:
        fields = [{**TEXT, "required": False}, {**CHOICES, "name": "B", "shared": True}, {**REFERENCE, "name": "C"}]
        request = read(custom_object_types=[{**TYPE, "fields": fields}], if_exists="update", allow_partial=True)

        again = parse_request(request.to_json())

        assert again == request
        assert [each.desired() for each in again.types[0].fields] == [
            each.desired() for each in request.types[0].fields
        ]
