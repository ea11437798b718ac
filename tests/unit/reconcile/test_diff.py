"""Matching: the same type, the oldest one, the differences, and those that may be changed."""

from typing import Any

import pytest

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.outcome import Blocked, Difference
from provisioner.reconcile.diff import (
    OTHER_REFERENCE,
    OTHER_TYPE,
    SINGLE,
    Comparison,
    archived,
    compare_field,
    compare_type,
    field_path,
    merge_choices,
)
from provisioner.reconcile.plan import created_at, oldest_first
from tests.fakes import a_request


def a_type(close_id: str = "cotype_1", name: str = "Account", **further: Any) -> CustomObjectType:
    plain = {"id": close_id, "name": name, "name_plural": "Accounts", "api_create_only": False}
    return CustomObjectType.model_validate({**plain, **further})


def a_field(**further: Any) -> CustomField:
    plain = {"id": "cf_1", "name": "Plan", "type": "text", "required": False, "accepts_multiple_values": False}
    return CustomField.model_validate({**plain, **further})


def ids(types: list[CustomObjectType]) -> list[str]:
    return [each.id for each in types]


def type_changes(observed: CustomObjectType, name: str = "Account", **spec: Any) -> tuple[Difference, ...]:
    found = compare_type(a_request(name=name, spec=spec).types[0].desired(), observed)
    assert found.blocked == ()
    return found.changes


class TestOfTypes:
    @pytest.mark.parametrize(
        ("desired", "observed"),
        [
            ({}, {}),
            ({}, {"description": "something", "editable_with_roles": ["admin"]}),  # left out: not compared
            ({"description": ""}, {"description": None}),
            ({"description": ""}, {"description": ""}),
            ({"editable_with_roles": []}, {"editable_with_roles": None}),
            ({"editable_with_roles": ["a", "b"]}, {"editable_with_roles": ["b", "a"]}),
            ({"api_create_only": False}, {"api_create_only": False}),
            ({}, {"api_create_only": True}),
            ({}, {"is_archived": False}),
            ({}, {"whatever": 1}),
        ],
    )
    def test_equal_types_have_no_difference(self, desired: dict[str, Any], observed: dict[str, Any]) -> None:
        assert type_changes(a_type(**observed), **desired) == ()

    @pytest.mark.parametrize(
        ("desired", "observed", "field"),
        [
            ({"description": "a"}, {"description": "b"}, "description"),
            ({"description": "a"}, {}, "description"),
            ({"description": ""}, {"description": "b"}, "description"),
            ({"name_plural": "Konten"}, {}, "name_plural"),
            ({"api_create_only": True}, {}, "api_create_only"),
            ({"api_create_only": False}, {"api_create_only": True}, "api_create_only"),
            ({"editable_with_roles": ["a"]}, {"editable_with_roles": []}, "editable_with_roles"),
            ({"editable_with_roles": []}, {"editable_with_roles": ["a"]}, "editable_with_roles"),
            ({"editable_with_roles": ["a"]}, {"editable_with_roles": ["a", "b"]}, "editable_with_roles"),
        ],
    )
    def test_one_difference_is_found(self, desired: dict[str, Any], observed: dict[str, Any], field: str) -> None:
        [found] = type_changes(a_type(**observed), **desired)

        assert (found.field, found.desired, found.observed) == (
            field,
            desired[field],
            observed.get(field, getattr(a_type(), field, None)),
        )

    def test_a_spelling_of_the_name_is_a_difference(self) -> None:
        [found] = type_changes(a_type(name="ACCOUNT"))

        assert (found.field, found.desired, found.observed) == ("name", "Account", "ACCOUNT")

    def test_an_archived_type_is_reported(self) -> None:
        assert archived(a_type(is_archived=True)) == (Difference(field="is_archived", desired=False, observed=True),)
        assert archived(a_type(is_archived=False)) == archived(a_type()) == ()


class TestOfFields:
    @pytest.mark.parametrize(
        ("desired", "observed"),
        [
            ({"type": "text"}, {}),
            ({"name": "Plan"}, {"description": "something", "required": True}),  # left out: not compared
            ({"description": ""}, {"description": None}),
            ({"description": ""}, {}),
            ({"required": False}, {"required": None}),
            ({"accepts_multiple_values": False}, {"accepts_multiple_values": None}),
            ({"accepts_multiple_values": True}, {"accepts_multiple_values": True}),
            ({"editable_with_roles": []}, {"editable_with_roles": None}),
            ({"editable_with_roles": ["a", "b"]}, {"editable_with_roles": ["b", "a"]}),
            ({"choices": ["a", "b"]}, {"choices": ["b", "a"]}),  # a set
            ({"choices": ["b"]}, {"choices": ["a", "b", "c"]}),  # to be extended only
            ({"back_reference_is_visible": False}, {"back_reference_is_visible": False}),
            ({"back_reference_is_visible": False}, {}),
        ],
    )
    def test_nothing(self, desired: dict[str, Any], observed: dict[str, Any]) -> None:
        assert compare_field("Plan", desired, a_field(**observed), None) == Comparison()

    @pytest.mark.parametrize(
        ("key", "desired", "observed"),
        [
            ("name", "Plan", "PLAN"),
            ("description", "a", "b"),
            ("description", "", "b"),
            ("required", True, False),
            ("required", False, True),
            ("accepts_multiple_values", True, False),
            ("editable_with_roles", ["a"], ["a", "b"]),
            ("editable_with_roles", [], ["a"]),
            ("choices", ["a", "b"], ["b"]),
            ("choices", ["a"], None),
            ("back_reference_is_visible", True, False),
        ],
    )
    def test_a_changed_key_is_found(self, key: str, desired: Any, observed: Any) -> None:
        found = compare_field("Plan", {key: desired}, a_field(**{key: observed}), None)

        assert found.blocked == ()
        assert [(each.field, each.desired, each.observed) for each in found.changes] == [
            (f"fields/Plan/{key}", desired, observed)
        ]

    def test_a_field_of_another_type_is_blocked_and_not_compared_further(self) -> None:
        found = compare_field("Plan", {"type": "number", "required": True}, a_field(), None)

        expected = Blocked(field="fields/Plan/type", desired="number", observed="text", reason=OTHER_TYPE)
        assert found == Comparison(blocked=(expected,))

    def test_a_field_of_several_values_keeps_several(self) -> None:
        desired = {"type": "choices", "accepts_multiple_values": False, "required": True}

        found = compare_field("Plan", desired, a_field(type="choices", accepts_multiple_values=True), None)

        assert [(each.field, each.desired, each.observed, each.reason) for each in found.blocked] == [
            ("fields/Plan/accepts_multiple_values", False, True, SINGLE)
        ]
        assert [each.field for each in found.changes] == ["fields/Plan/required"]

    @pytest.mark.parametrize("reference", ["cotype_2", None])  # of another type, or of one that is still to come
    def test_another_reference_is_blocked(self, reference: str | None) -> None:
        observed = a_field(type="custom_object", referenced_custom_type_id="cotype_1")

        found = compare_field("Plan", {"type": "custom_object", "references": "Deal"}, observed, reference)

        blocked = Blocked(field="fields/Plan/references", desired="Deal", observed="cotype_1", reason=OTHER_REFERENCE)
        assert found == Comparison(blocked=(blocked,))

    def test_the_same_reference_is_not_a_difference(self) -> None:
        observed = a_field(type="custom_object", referenced_custom_type_id="cotype_1")

        desired = {"type": "custom_object", "references": "Deal"}
        assert compare_field("Plan", desired, observed, "cotype_1") == Comparison()

    def test_a_blocked_change_is_a_difference_when_the_type_is_adopted(self) -> None:
        desired = {"type": "choices", "accepts_multiple_values": False, "required": True}
        found = compare_field("Plan", desired, a_field(type="choices", accepts_multiple_values=True), None)

        assert found.differences == (
            Difference(field="fields/Plan/required", desired=True, observed=False),
            Difference(field="fields/Plan/accepts_multiple_values", desired=False, observed=True),
        )


def test_a_difference_names_its_field() -> None:
    assert field_path("Plan") == "fields/Plan"
    assert field_path("Plan", "type") == "fields/Plan/type"
    assert field_path("w/o ~", "type") == "fields/w~1o ~0/type"


@pytest.mark.parametrize(
    ("observed", "desired", "then"),
    [
        (["b", "a"], ["a", "c"], ["b", "a", "c"]),
        (["b", "a"], [], ["b", "a"]),
        ([], ["c", "d"], ["c", "d"]),
        (None, ["c"], ["c"]),
        (["A"], ["a"], ["A", "a"]),  # Close tells them apart
    ],
)
def test_choices_are_extended_at_the_end(observed: list[str] | None, desired: list[str], then: list[str]) -> None:
    assert merge_choices(observed, desired) == then


@pytest.mark.parametrize("observed", ["Café", "Cafe\u0301", "\ufeffCafé", "Café\u200b"])
def test_field_10_a_choice_in_another_normal_form_adds_nothing(observed: str) -> None:
    assert merge_choices([observed], ["Café"]) == [observed]
    assert merge_choices([observed], ["Tea", "Café"]) == [observed, "Tea"]
    existing = a_field(type="choices", choices=[observed, "Tea"])
    assert compare_field("Plan", {"choices": ["Café"]}, existing, None) == Comparison()


def test_field_10_text_that_a_person_typed_in_another_normal_form_is_not_a_difference() -> None:
    observed = a_type(name="Cafe\u0301", description="Cafe\u0301 e\u0301")
    assert compare_type({"name": "Café", "description": "Café é"}, observed) == Comparison()
    assert compare_type({"name": "CAFÉ"}, observed) != Comparison()


def test_the_oldest_field_is_first() -> None:
    fields = [a_field(id="2", date_created="2020-08-07"), a_field(id="1", date_created="2020-08-06"), a_field(id="0")]

    assert [each.id for each in oldest_first(fields)] == ["1", "2", "0"]


@pytest.mark.parametrize("date", [None, "", "yesterday", 7, {"a": 1}])
def test_a_field_without_a_valid_date_counts_as_young(date: Any) -> None:
    assert created_at(a_field(date_created=date)) == float("inf")
