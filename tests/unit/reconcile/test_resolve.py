"""Names of roles and types become ids, or a rejection that lists the existing ones."""

from typing import Any

import pytest

from provisioner.close.models import Role
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.spec import CustomObjectTypeSpec
from provisioner.reconcile.resolve import SHOWN_ROLES, needs_roles, referenced_first, unknown_reference, with_role_ids

ADMIN, SALES, SUPPORT = (
    Role(id="role_A", name="Admin"),
    Role(id="role_B", name="Sales"),
    Role(id="role_C", name="sales "),
)
ROLES = [ADMIN, SALES, SUPPORT]


def ids(*names: str, roles: list[Role] | None = None) -> Any:
    desired = {"name": "Account", "editable_with_roles": list(names)}
    return with_role_ids(desired, ROLES if roles is None else roles, "/custom_object_type")["editable_with_roles"]


class TestRoleNames:
    @pytest.mark.parametrize("name", ["role_A", "Admin", "ADMIN", " admin", "aDmin"])
    def test_a_role_is_found_by_id_or_by_name_in_any_case(self, name: str) -> None:
        assert ids(name) == ["role_A"]

    def test_an_id_keeps_its_case(self) -> None:
        with pytest.raises(Rejected):
            ids("ROLE_a")

    def test_an_id_decides_between_roles_of_one_name(self) -> None:
        assert ids("role_B", "role_C") == ["role_B", "role_C"]

    def test_an_id_counts_for_more_than_a_name(self) -> None:
        assert ids("role_A", roles=[Role(id="role_Z", name="role_a"), ADMIN]) == ["role_A"]

    def test_a_role_that_is_named_twice_is_sent_once(self) -> None:
        assert ids("Admin", "role_A", "role_B") == ["role_A", "role_B"]

    @pytest.mark.parametrize("desired", [{}, {"editable_with_roles": []}])
    def test_a_spec_without_roles_needs_none(self, desired: dict[str, Any]) -> None:
        assert with_role_ids(desired, [], "/custom_object_type") == desired

    def test_other_keys_stay_unchanged(self) -> None:
        assert with_role_ids({"name": "A", "editable_with_roles": ["admin"]}, ROLES, "") == {
            "name": "A", "editable_with_roles": ["role_A"]
        }  # fmt: skip

    def rejection(self, *names: str, roles: list[Role] | None = None) -> tuple[str, str]:
        with pytest.raises(Rejected) as caught:
            ids(*names, roles=roles)
        assert (caught.value.kind, caught.value.problem.status) == (ProblemType.ROLE_NOT_FOUND, 422)
        [fault] = caught.value.problem.errors
        return fault.pointer, fault.detail

    def test_an_unknown_role_is_rejected_with_a_list_of_roles(self) -> None:
        assert self.rejection("Admin", "Boss") == (
            "/custom_object_type/editable_with_roles/1",
            "role 'Boss' does not exist. Roles of the organization: "
            "Admin (role_A), Sales (role_B), sales  (role_C)",
        )  # fmt: skip

    def test_an_ambiguous_role_is_rejected(self) -> None:
        pointer, detail = self.rejection("Sales")

        assert pointer == "/custom_object_type/editable_with_roles/0"
        assert detail.startswith("2 roles are named 'Sales': use the id. Roles of the organization: Admin (role_A)")

    def test_the_rejection_says_when_no_role_exists(self) -> None:
        assert self.rejection("Admin", roles=[])[1].endswith("none that this key may see")

    def test_the_list_of_roles_is_bounded(self) -> None:
        roles = [Role(id=f"role_{number}", name=f"Role {number}") for number in range(1000)]

        assert self.rejection("Boss", roles=roles)[1].count("role_") == SHOWN_ROLES


TEXT: dict[str, Any] = {"name": "Plan", "type": "text"}


def a_spec(name: str, *references: str, **further: Any) -> CustomObjectTypeSpec:
    fields = [{"name": f"to {each}", "type": "custom_object", "references": each} for each in references]
    return CustomObjectTypeSpec.model_validate({"name": name, "name_plural": "x", "fields": fields, **further})


@pytest.mark.parametrize(
    ("further", "wants"),
    [
        ({}, False),
        ({"editable_with_roles": []}, False),
        ({"editable_with_roles": ["Admin"]}, True),
        ({"fields": [{**TEXT, "editable_with_roles": []}]}, False),
        ({"fields": [TEXT, {**TEXT, "name": "B", "editable_with_roles": ["Admin"]}]}, True),
    ],
)
def test_roles_are_read_only_when_a_spec_names_one(further: dict[str, Any], wants: bool) -> None:
    assert needs_roles([a_spec("Account"), a_spec("Deal", **further)]) is wants


def test_an_unknown_reference_is_named() -> None:
    rejection = unknown_reference("Deal", "/custom_object_type/fields/0/references")

    assert (rejection.kind, str(rejection)) == (
        ProblemType.REFERENCE_NOT_FOUND,
        "Neither the organization nor this request has a Custom Object Type named 'Deal'.",
    )
    assert [each.pointer for each in rejection.problem.errors] == ["/custom_object_type/fields/0/references"]


@pytest.mark.parametrize(
    ("types", "order"),
    [
        ([], []),
        ([("A",), ("B",)], [0, 1]),
        ([("A", "B"), ("B",)], [1, 0]),
        ([("A",), ("B", "a ")], [0, 1]),
        ([("A", "A"), ("B",)], [0, 1]),
        ([("A", "elsewhere"), ("B",)], [0, 1]),
        ([("A", "B", "C"), ("B", "C"), ("C",)], [2, 1, 0]),
        ([("A", "B"), ("B", "A")], [1, 0]),  # in circles: begun where the request begins
        ([("A",), ("B", "C"), ("C", "B", "A")], [0, 2, 1]),
    ],
)
def test_referenced_types_come_first(types: list[tuple[str, ...]], order: list[int]) -> None:
    assert referenced_first([a_spec(name, *references) for name, *references in types]) == order


def test_a_long_chain_breaks_nothing() -> None:
    types = [a_spec(f"T{number}", f"T{number + 1}") for number in range(25)]

    assert referenced_first(types) == list(range(24, -1, -1))
