"""The requests to Close for fields, shared fields, associations and orders, and the lists after them."""

import json
from typing import Any

import pytest

from provisioner.contract.errors import OutcomeUnknown, ProblemType, Rejected, Unavailable
from tests.integration.service.close_caller import LIST, TYPE, CloseTenant
from tests.integration.service.wire import Wire, answer, hang_up

FIELD = {"id": "cf_1", "name": "Seats", "type": "number", "custom_object_type_id": "cotype_1", "required": False}
SHARED = {"id": "scf_1", "name": "Region", "type": "text"}
BODY = {"custom_object_type_id": "cotype_1", "name": "Seats", "type": "number"}
NO_ROWS = answer({"data": []})
MISSING = answer({"error": "Not found."}, "404 Not Found")


def sent(wire: Wire) -> tuple[str, Any]:
    """The last request: its first line, and its body as JSON."""
    return wire.lines()[-1].replace("/api/v1/", ""), json.loads(wire.heard[-1].body or b"null")


class TestFieldRequests:
    def test_lists_are_read(self, wire: Wire, tenant: CloseTenant) -> None:
        roles = answer({"data": [{"id": "role_1", "name": "Admin", "permissions": []}], "has_more": False})
        wire.replies = [answer({"data": [FIELD]}), answer({"data": [SHARED]}), roles]
        organization = tenant.organization()

        assert [each.id for each in organization.fields()] == ["cf_1"]
        assert [each.id for each in organization.shared_fields()] == ["scf_1"]
        assert [each.natural_key for each in organization.roles()] == ["admin"]
        assert [each.target.removeprefix("/api/v1/") for each in wire.heard] == [
            "custom_field/custom_object_type/", "custom_field/shared/", "role/"
        ]  # fmt: skip

    def test_no_page_of_shared_fields_is_missed(self, wire: Wire, tenant: CloseTenant) -> None:
        other = {**SHARED, "id": "scf_2"}
        wire.replies = [answer({"data": [SHARED], "has_more": True}), answer({"data": [other], "has_more": False})]

        assert [each.id for each in tenant.organization().shared_fields()] == ["scf_1", "scf_2"]
        assert sent(wire)[0] == "GET custom_field/shared/?_skip=1"

    @pytest.mark.parametrize(
        ("shared", "path"), [(False, "custom_field/custom_object_type/"), (True, "custom_field/shared/")]
    )
    def test_a_field_is_created_and_updated(self, wire: Wire, tenant: CloseTenant, shared: bool, path: str) -> None:
        wire.replies = [answer(FIELD, "201 Created"), answer(FIELD), answer(FIELD)]
        organization = tenant.organization()

        assert organization.create_field(BODY, shared=shared).id == "cf_1"
        assert sent(wire) == (f"POST {path}", BODY)
        organization.update_field("cf_1", {"required": True}, shared=shared)
        assert sent(wire) == (f"PUT {path}cf_1/", {"required": True})
        organization.field("cf_1", shared=shared)
        assert sent(wire) == (f"GET {path}cf_1/", None)

    def test_a_type_is_updated(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer(TYPE)]
        tenant.organization().update_type("cotype_1", {"description": "d"})

        assert sent(wire) == ("PUT custom_object_type/cotype_1/", {"description": "d"})

    def test_an_association_is_created_and_updated(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer({"object_type": "custom_object_type"}, "201 Created"), answer({})]
        organization = tenant.organization()

        organization.associate("scf_1", "cotype_1", {"required": True})
        assert sent(wire) == (
            "POST custom_field/shared/scf_1/association/",
            {"object_type": "custom_object_type", "custom_object_type_id": "cotype_1", "required": True},
        )
        organization.update_association("scf_1", "cotype_1", {"required": False})
        assert sent(wire) == (
            "PUT custom_field/shared/scf_1/association/custom_object_type/cotype_1/", {"required": False}
        )  # fmt: skip

    def test_an_order_is_sent(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer({})]
        tenant.organization().reorder("cotype_1", ["cf_2", "cf_1"])

        assert sent(wire) == (
            "PUT custom_field_schema/custom_object/cotype_1/", {"fields": [{"id": "cf_2"}, {"id": "cf_1"}]}
        )  # fmt: skip

    @pytest.mark.parametrize("body", [None, "", {"ok": True}, []])
    def test_associations_and_orders_need_no_readable_response(
        self, wire: Wire, tenant: CloseTenant, body: Any
    ) -> None:
        wire.replies = [answer(body, "201 Created"), answer(body)]
        organization = tenant.organization()

        organization.associate("scf_1", "cotype_1", {})
        organization.reorder("cotype_1", [])


class TestListsAfterWrites:
    """A list that was read shows from then on what we did ourselves, too."""

    def row(self, tenant: CloseTenant, wire: Wire, close_id: str) -> Any:
        """Return the type's entry for the field without another read from Close."""
        before = len(wire.heard)
        [found] = self.organization.types()
        assert len(wire.heard) == before
        return found.field_row(close_id)

    @pytest.fixture(autouse=True)
    def read(self, wire: Wire, tenant: CloseTenant) -> None:
        listed = {**TYPE, "fields": [{"id": "cf_9", "name": "Old", "required": False}]}
        wire.replies = [answer({"data": [listed]}), NO_ROWS, NO_ROWS]
        self.organization = tenant.organization()
        self.organization.types()
        self.organization.fields()
        self.organization.shared_fields()

    def test_lists_show_a_new_field(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer({**FIELD, "custom_object_type_id": None}, "201 Created")]
        self.organization.create_field(BODY, shared=False)

        assert [(each.id, each.custom_object_type_id) for each in self.organization.fields()] == [("cf_1", "cotype_1")]
        assert self.row(tenant, wire, "cf_1")["name"] == "Seats"
        assert self.organization.types()[0].field_ids == ("cf_9", "cf_1")

    def test_lists_show_a_new_shared_field_and_its_association(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer(SHARED), answer({}, "201 Created"), answer({})]
        self.organization.create_field({"name": "Region", "type": "text"}, shared=True)
        self.organization.associate("scf_1", "cotype_1", {"required": True})

        assert [each.id for each in self.organization.shared_fields()] == ["scf_1"]
        row = self.row(tenant, wire, "scf_1")
        assert (row["name"], row["required"]) == ("Region", True)
        self.organization.update_association("scf_1", "cotype_1", {"required": False})
        assert self.row(tenant, wire, "scf_1")["required"] is False
        assert self.row(tenant, wire, "cf_9") == {"id": "cf_9", "name": "Old", "required": False}

    def test_lists_show_a_changed_field(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer(FIELD, "201 Created"), answer({**FIELD, "required": True})]
        self.organization.create_field(BODY, shared=False)
        self.organization.update_field("cf_1", {"required": True}, shared=False)

        assert [each.value("required") for each in self.organization.fields()] == [True]

    def test_lists_show_another_order(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer(FIELD, "201 Created"), answer({})]
        self.organization.create_field(BODY, shared=False)
        self.organization.reorder("cotype_1", ["cf_1"])

        assert self.organization.types()[0].field_ids == ("cf_1", "cf_9")

    def test_lists_do_not_show_a_write_in_doubt(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [hang_up]
        with pytest.raises(OutcomeUnknown):
            self.organization.create_field(BODY, shared=False)

        assert self.organization.fields() == []


class TestFieldRejections:
    def writes(self, tenant: CloseTenant) -> list[Any]:
        organization = tenant.organization()
        return [
            lambda: organization.update_type("cotype_1", {}),
            lambda: organization.create_field(BODY, shared=False),
            lambda: organization.update_field("cf_1", {}, shared=False),
            lambda: organization.create_field({}, shared=True),
            lambda: organization.update_field("cf_1", {}, shared=True),
            lambda: organization.associate("scf_1", "cotype_1", {}),
            lambda: organization.update_association("scf_1", "cotype_1", {}),
            lambda: organization.reorder("cotype_1", []),
        ]

    @pytest.mark.parametrize("place", range(8))
    def test_a_404_of_a_write_is_not_a_final_rejection(self, wire: Wire, tenant: CloseTenant, place: int) -> None:
        wire.replies = [MISSING]

        with pytest.raises(Unavailable):
            self.writes(tenant)[place]()

    @pytest.mark.parametrize("status", ["400 Bad Request", "422 Unprocessable Content"])
    @pytest.mark.parametrize("place", range(8))
    def test_closes_field_errors_have_pointers(self, wire: Wire, tenant: CloseTenant, place: int, status: str) -> None:
        wire.replies = [answer({"errors": [], "field-errors": {"name": "Too long."}}, status)]

        with pytest.raises(Rejected) as caught:
            self.writes(tenant)[place]()
        assert caught.value.kind is ProblemType.SPEC_REJECTED
        assert [each.pointer for each in caught.value.problem.errors] == ["/name"]

    @pytest.mark.parametrize("place", range(8))
    def test_a_lost_response_leaves_the_write_in_doubt(self, wire: Wire, tenant: CloseTenant, place: int) -> None:
        wire.replies = [hang_up]

        with pytest.raises(OutcomeUnknown):
            self.writes(tenant)[place]()
        assert len(wire.heard) == 1

    @pytest.mark.parametrize("document", [{}, {"id": "cf_1"}, {"name": "Seats"}, [], None])
    def test_an_unreadable_field_is_unavailable(self, wire: Wire, tenant: CloseTenant, document: Any) -> None:
        wire.replies = [answer(document, "201 Created"), answer(document), answer(document)]
        organization = tenant.organization()

        with pytest.raises(OutcomeUnknown):
            organization.create_field(BODY, shared=False)
        tenant.clock.advance(10)
        with pytest.raises(Unavailable):
            organization.field("cf_1", shared=False)

    def test_a_list_with_an_unreadable_entry_proves_no_absence(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [LIST, answer({"data": [FIELD, {"id": "cf_2"}]})]
        organization = tenant.organization()
        organization.types()

        with pytest.raises(Unavailable):
            organization.fields()
