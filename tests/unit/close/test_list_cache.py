"""The cached lists of an organization are read once, follow own writes, and are dropped with the credential."""

import json
from typing import Any

import httpx
import pytest

from provisioner.close.client import CloseApi
from provisioner.close.list_cache import Organization
from provisioner.close.models import Credential
from provisioner.close.transport import Connection
from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from tests.fakes import Clock

TYPES = "GET /custom_object_type/"
FIELDS = "GET /custom_field/custom_object_type/"
SHARED = "GET /custom_field/shared/"
ACCOUNT = {
    "id": "cotype_1",
    "name": "Account",
    "organization_id": "orga_acme",
    "fields": [{"id": "cf_1", "name": "Plan"}],
}


class Close:
    """Close as a table of responses by request line. ``requests``: the lines it received."""

    def __init__(self, expected_organization: str | None = None) -> None:
        self.requests: list[str] = []
        self.responses: dict[str, Any] = {
            TYPES: {"data": [ACCOUNT]},
            FIELDS: {"data": [{"id": "cf_1", "name": "Plan", "type": "text", "custom_object_type_id": "cotype_1"}]},
            SHARED: {"data": [{"id": "cf_shared", "name": "Region", "type": "text"}]},
        }
        self.clock = Clock()
        self.keys = [Credential("Basic 1", "key-1", expected_organization)]
        self.valid = {"Basic 1"}
        self.organization = Organization(CloseApi(self._connection()))

    def _connection(self) -> Connection:
        return Connection(
            http=httpx.Client(transport=httpx.MockTransport(self._respond)),
            base_url="https://api.close.test/",
            credentials=lambda rejected: self.keys[0] if rejected is None else self.keys[-1],
            timeout=20,
            time_left=lambda: 60,
            clock=self.clock,
        )

    def _respond(self, request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.raw_path.decode()}"
        self.requests.append(line)
        if request.headers["authorization"] not in self.valid:
            return httpx.Response(401, json={"error": "Unauthorized"})
        return httpx.Response(200, content=json.dumps(self.responses.get(line, {})))


@pytest.fixture
def close() -> Close:
    return Close()


def field_names(close: Close) -> list[str]:
    return [name for _, name in close.organization.types()[0].field_names]


class TestReading:
    def test_a_list_is_read_once(self, close: Close) -> None:
        assert [each.name for each in close.organization.types()] == ["Account"]
        assert [each.name for each in close.organization.types()] == ["Account"]
        assert close.requests == [TYPES]

    def test_a_list_that_is_too_old_is_read_again(self, close: Close) -> None:
        close.organization.types()
        close.organization.types(close.clock())
        assert close.requests == [TYPES]

        close.clock.advance(1)
        close.organization.types(close.clock())
        assert close.requests == [TYPES, TYPES]

    def test_one_type_and_one_field_are_always_read_from_close(self, close: Close) -> None:
        close.responses["GET /custom_object_type/cotype_1/"] = ACCOUNT
        close.responses["GET /custom_field/shared/cf_shared/"] = {"id": "cf_shared", "name": "Region", "type": "text"}
        close.organization.types()

        for _ in range(2):
            assert close.organization.type("cotype_1")
            assert close.organization.field("cf_shared", shared=True)
        assert len(close.requests) == 5


class TestOwnWrites:
    def test_a_created_type_appears_in_the_list(self, close: Close) -> None:
        close.organization.types()
        close.responses["POST /custom_object_type/"] = {"id": "cotype_2", "name": "Plan"}

        close.organization.create_type({"name": "Plan"})

        assert [each.id for each in close.organization.types()] == ["cotype_1", "cotype_2"]
        assert close.requests.count(TYPES) == 1

    def test_a_write_before_the_first_read_does_not_replace_the_read(self, close: Close) -> None:
        close.responses["POST /custom_object_type/"] = {"id": "cotype_2", "name": "Plan"}
        close.organization.create_type({"name": "Plan"})

        assert [each.id for each in close.organization.types()] == ["cotype_1"]
        assert close.requests.count(TYPES) == 1

    def test_a_created_field_appears_in_both_lists(self, close: Close) -> None:
        close.organization.types()
        close.organization.fields()
        close.responses["POST /custom_field/custom_object_type/"] = {"id": "cf_2", "name": "Owner", "type": "user"}

        close.organization.create_field({"name": "Owner", "custom_object_type_id": "cotype_1"}, shared=False)

        created = close.organization.fields()[-1]
        assert (created.id, created.custom_object_type_id) == ("cf_2", "cotype_1")
        assert field_names(close) == ["plan", "owner"]

    def test_an_associated_shared_field_appears_in_the_type_and_keeps_its_changes(self, close: Close) -> None:
        close.organization.types()
        close.organization.shared_fields()

        close.organization.associate("cf_shared", "cotype_1", {"required": True})
        assert field_names(close) == ["plan", "region"]
        assert close.organization.types()[0].field_row("cf_shared")["required"] is True

        close.organization.update_association("cf_shared", "cotype_1", {"required": False})
        assert close.organization.types()[0].field_row("cf_shared")["required"] is False

    def test_reordered_fields_are_listed_in_the_new_order(self, close: Close) -> None:
        close.organization.types()
        close.organization.associate("cf_shared", "cotype_1", {})

        close.organization.reorder("cotype_1", ["cf_shared", "cf_1"])

        assert close.organization.types()[0].field_ids == ("cf_shared", "cf_1")


class TestCredential:
    def test_apart_a_new_credential_drops_every_list(self, close: Close) -> None:
        close.organization.types()
        close.organization.fields()
        close.keys.append(Credential("Basic 2", "key-2"))
        close.valid = {"Basic 2"}

        with pytest.raises(RetryLater, match="renewed"):
            close.organization.shared_fields()
        close.clock.advance(1)
        close.organization.types()
        close.organization.fields()

        assert (close.requests.count(TYPES), close.requests.count(FIELDS)) == (2, 2)

    def test_apart_the_organization_is_verified_once(self) -> None:
        close = Close("orga_acme")
        close.organization.expect("orga_acme")
        close.responses[TYPES] = {"data": []}
        close.responses["GET /me/?_fields=organizations"] = {"organizations": [{"id": "orga_acme"}]}

        close.organization.types()
        close.clock.advance(1)
        close.organization.types(close.clock())

        assert close.requests.count("GET /me/?_fields=organizations") == 1

    def test_apart_another_organization_is_rejected(self) -> None:
        close = Close("orga_other")
        close.organization.expect("orga_other")

        with pytest.raises(Rejected, match="it must open orga_other and opens orga_acme") as caught:
            close.organization.types()
        assert caught.value.kind is ProblemType.WRONG_ORGANIZATION
