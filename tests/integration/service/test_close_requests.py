"""The requests to Close, byte for byte, and the reading of its list."""

import json
from typing import Any

import pytest

from provisioner import __version__
from provisioner.close.client import MAX_PAGES
from provisioner.close.models import Credential
from provisioner.contract.errors import Rejected, Unavailable
from tests.integration.service.close_caller import (
    CREATED,
    LIST,
    NO_TYPES,
    SPEC,
    TYPE,
    CloseTenant,
    key,
)
from tests.integration.service.wire import Wire, answer


class TestTypeRequests:
    def test_a_list_is_read(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [LIST]
        tenant.organization().types()

        [heard] = wire.heard
        assert (heard.method, heard.target, heard.body) == ("GET", "/api/v1/custom_object_type/", b"")
        assert heard.headers["authorization"] == "Basic YXBpX2FjbWUuc2VjcmV0Og=="
        assert heard.headers["user-agent"] == f"close-provisioner/{__version__}"
        assert heard.headers["accept"] == "application/json"
        assert not {"content-type", "content-length", "transfer-encoding", "cookie"} & heard.headers.keys()

    def test_a_create_is_sent(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [CREATED]
        created = tenant.organization().create_type(SPEC)

        [heard] = wire.heard
        assert (heard.method, heard.target) == ("POST", "/api/v1/custom_object_type/")
        assert json.loads(heard.body) == {
            "name": "Account", "name_plural": "Accounts", "description": "Wer zahlt: Größe"
        }  # fmt: skip
        assert heard.headers["content-length"] == str(len(heard.body))
        assert heard.headers["content-type"] == "application/json"
        assert "transfer-encoding" not in heard.headers
        assert created.id == "cotype_1"

    def test_a_type_is_read_by_its_id(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [
            answer(TYPE),
            answer({"error": "no"}, "404 Not Found"),
            answer({"error": "no"}, "403 Forbidden"),
        ]
        organization = tenant.organization()

        found = organization.type("cotype_1")
        assert found
        assert found.name == "Account"
        assert organization.type("cotype_2") is None
        with pytest.raises(Rejected):
            organization.type("cotype_3")
        assert wire.lines()[0] == "GET /api/v1/custom_object_type/cotype_1/"

    def test_once_an_unreadable_type_proves_no_absence(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer({"name": "Account"})]

        with pytest.raises(Unavailable):
            tenant.organization().type("cotype_1")

    def test_a_token_is_sent(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [LIST]
        tenant.keys = [Credential("Bearer token", "token")]
        tenant.organization().types()

        assert wire.heard[0].headers["authorization"] == "Bearer token"

    def test_connections_are_kept(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [NO_TYPES, CREATED]
        organization = tenant.organization()
        organization.types()
        organization.create_type(SPEC)

        assert [each.connection for each in wire.heard] == [1, 1]

    def test_apart_no_cookie_is_carried_from_one_tenant_to_another(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer({"data": []}, "200 OK", "Set-Cookie: session=acme; Path=/"), LIST]
        tenant.organization().types()
        tenant.keys = [key("api_globex.secret")]
        tenant.organization().types()

        assert [each.headers.get("cookie") for each in wire.heard] == [None, None]


class TestTypeList:
    def test_the_list_is_read_once(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [LIST, NO_TYPES]
        organization = tenant.organization()

        assert organization.types(0) == organization.types(tenant.clock())
        tenant.clock.advance(1)
        assert organization.types(tenant.clock()) == []
        assert len(wire.heard) == 2

    def test_the_list_holds_types_created_since(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [NO_TYPES, CREATED]
        organization = tenant.organization()
        organization.types()
        created = organization.create_type(SPEC)

        assert organization.types() == [created]

    @pytest.mark.parametrize(
        "envelope", [{}, {"has_more": False}, {"cursor": None}, {"has_more": False, "cursor": None, "total_results": 1}]
    )
    def test_every_envelope_is_read(self, wire: Wire, tenant: CloseTenant, envelope: dict[str, Any]) -> None:
        wire.replies = [answer({"data": [TYPE], **envelope})]

        assert [each.id for each in tenant.organization().types()] == ["cotype_1"]

    def test_no_page_of_a_list_is_missed(self, wire: Wire, tenant: CloseTenant) -> None:
        other = {**TYPE, "id": "cotype_2"}
        wire.replies = [answer({"data": [TYPE], "has_more": True}), answer({"data": [other], "has_more": False})]

        assert [each.id for each in tenant.organization().types()] == ["cotype_1", "cotype_2"]
        assert wire.lines()[1] == "GET /api/v1/custom_object_type/?_skip=1"

    @pytest.mark.parametrize(
        "page",
        [
            {"data": [TYPE], "cursor": "abc"},
            {"data": {"0": TYPE}},
            {"data": None},
            {"error": "?"},
            [TYPE],
            None,
            {"data": [TYPE, {"name": "Deal"}]},
            {"data": [TYPE, {"id": "cotype_2", "name": None}]},
            {"data": [TYPE, None]},
        ],
    )
    def test_once_an_incomplete_list_proves_no_absence(self, wire: Wire, tenant: CloseTenant, page: Any) -> None:
        wire.replies = [answer(page)]

        with pytest.raises(Unavailable):
            tenant.organization().types()

    def test_a_list_that_repeats_its_pages_ends(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer({"data": [TYPE], "has_more": True})] * 60

        with pytest.raises(Unavailable, match="does not end"):
            tenant.organization().types()
        assert len(wire.heard) == 2

    def test_an_endless_list_is_cut_off(self, wire: Wire, tenant: CloseTenant) -> None:
        pages = [{"data": [{**TYPE, "id": f"cotype_{number}"}], "has_more": True} for number in range(60)]
        wire.replies = [answer(page) for page in pages]

        with pytest.raises(Unavailable, match="does not end"):
            tenant.organization().types()
        assert len(wire.heard) == MAX_PAGES
