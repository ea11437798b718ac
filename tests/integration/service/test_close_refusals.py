"""Close that rate-limits, rejects the credential, or turns out to be another organization."""

from typing import Any

import pytest

from provisioner.close.list_cache import Organization
from provisioner.close.models import Credential
from provisioner.contract.errors import ProblemType, RateLimited, Rejected, RetryLater, Unavailable
from tests.integration.service.close_caller import (
    CREATED,
    LIST,
    NO_TYPES,
    SPEC,
    TYPE,
    UNAUTHORIZED,
    CloseTenant,
    key,
)
from tests.integration.service.wire import Wire, answer


class TestPolite:
    LIMITED = answer(None, "429 Too Many Requests", "RateLimit: limit=100, remaining=0, reset=17.5", "Retry-After: 18")

    def test_a_429_is_obeyed_by_every_run_of_this_tenant(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [self.LIMITED]
        organization = tenant.organization()

        with pytest.raises(RateLimited) as caught:
            organization.create_type(SPEC)
        assert caught.value.seconds == 17.5
        with pytest.raises(RetryLater):
            organization.prepare()
        assert len(wire.heard) == 1

    def test_a_429_is_obeyed_no_longer_than_requested(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [self.LIMITED, LIST]
        organization = tenant.organization()
        with pytest.raises(RetryLater):
            organization.types()
        tenant.clock.advance(17.5)

        organization.prepare()
        assert len(organization.types()) == 1

    def test_an_outage_spares_the_rest_of_the_batch(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [answer(None, "503 Service Unavailable")]
        organization = tenant.organization()

        with pytest.raises(Unavailable):
            organization.types()
        with pytest.raises(RetryLater, match="503"):
            organization.types()
        assert len(wire.heard) == 1


class TestRejectedCredentials:
    OLD, NEW = key("api_old.secret"), key("api_new.secret")

    def test_a_401_on_a_list_is_answered_with_a_new_key(self, wire: Wire, tenant: CloseTenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [UNAUTHORIZED, LIST]

        assert len(tenant.organization().types()) == 1
        assert [each.headers["authorization"] for each in wire.heard] == [
            self.OLD.authorization, self.NEW.authorization
        ]  # fmt: skip

    def test_final_a_401_with_the_newest_key_is_the_end(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [UNAUTHORIZED]

        with pytest.raises(Rejected) as caught:
            tenant.organization().types()
        assert (caught.value.kind, len(wire.heard)) == (ProblemType.CREDENTIAL_REJECTED, 1)

    def test_final_a_second_401_is_the_end(self, wire: Wire, tenant: CloseTenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [UNAUTHORIZED, UNAUTHORIZED]

        with pytest.raises(Rejected) as caught:
            tenant.organization().types()
        assert (caught.value.kind, len(wire.heard)) == (ProblemType.CREDENTIAL_REJECTED, 2)

    def test_once_a_401_on_a_create_starts_again_with_a_read(self, wire: Wire, tenant: CloseTenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [NO_TYPES, UNAUTHORIZED, LIST]
        organization = tenant.organization()
        organization.types()

        with pytest.raises(RetryLater, match="renewed"):
            organization.create_type(SPEC)
        assert len(organization.types()) == 1
        assert wire.heard[-1].headers["authorization"] == self.NEW.authorization

    def test_once_a_401_on_a_read_by_id_starts_again_with_a_read(self, wire: Wire, tenant: CloseTenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [NO_TYPES, UNAUTHORIZED]
        organization = tenant.organization()
        organization.types()

        with pytest.raises(RetryLater, match="renewed"):
            organization.type("cotype_1")

    def test_silent_neither_key_is_in_an_error(self, wire: Wire, tenant: CloseTenant) -> None:
        tenant.keys = [Credential("Bearer old-token", "old-token"), Credential("Bearer new-token", "new-token")]
        wire.replies = [UNAUTHORIZED, answer({"error": "no new-token here"}, "403 Forbidden")]

        with pytest.raises(Rejected) as caught:
            tenant.organization().types()
        assert "new-token" not in str(caught.value)
        assert "no … here" in str(caught.value)


SEVERAL = answer({"organizations": [{"id": "orga_acme"}, {"id": "orga_other"}]})
ROLE = {"id": "admin", "name": "Admin"}


class TestExpectedOrganization:
    ME = "GET /api/v1/me/?_fields=organizations"

    @pytest.fixture
    def pinned(self, tenant: CloseTenant) -> CloseTenant:
        tenant.keys = [key("api_acme.secret", "orga_acme")]
        return tenant

    def expecting(self, tenant: CloseTenant) -> Organization:
        organization = tenant.organization()
        organization.prepare()
        assert organization.pinned_id == "orga_acme"
        organization.expect("orga_acme")
        return organization

    def test_the_list_shows_the_right_organization(self, wire: Wire, pinned: CloseTenant) -> None:
        wire.replies = [LIST]

        assert len(self.expecting(pinned).types()) == 1
        assert len(wire.heard) == 1

    @pytest.mark.parametrize("listed", [[], [{"id": "cotype_1", "name": "Account"}]])
    def test_an_empty_list_is_followed_by_a_read_of_the_user(
        self, wire: Wire, pinned: CloseTenant, listed: list[Any]
    ) -> None:
        wire.replies = [answer({"data": listed}), answer({"organizations": [{"id": "orga_acme"}]}), CREATED]
        organization = self.expecting(pinned)
        organization.types()
        organization.create_type(SPEC)

        assert wire.lines()[1] == self.ME

    def test_of_several_organizations_of_a_user_the_roles_tell_which_one_the_key_opens(
        self, wire: Wire, pinned: CloseTenant
    ) -> None:
        wire.replies = [SEVERAL, answer({"data": [{**ROLE, "organization_id": "orga_acme"}], "has_more": False})]

        assert self.expecting(pinned).identify() == "orga_acme"

    def test_an_old_copy_of_the_secret_is_replaced_before_requests_fail(self, wire: Wire, pinned: CloseTenant) -> None:
        wire.replies = [answer({"data": [{**TYPE, "organization_id": "orga_other"}]})]
        organization = self.expecting(pinned)
        pinned.keys.append(key("api_new.secret", "orga_acme"))

        with pytest.raises(RetryLater, match="renewed"):
            organization.types()

    def test_a_secret_that_names_another_organization_by_now_begins_again(
        self, wire: Wire, pinned: CloseTenant
    ) -> None:
        wire.replies = [UNAUTHORIZED, answer({"data": [{**TYPE, "organization_id": "orga_other"}]})]
        organization = self.expecting(pinned)
        pinned.keys.append(key("api_new.secret", "orga_other"))

        with pytest.raises(RetryLater, match="renewed"):
            organization.types()

    def test_once_it_was_checked_it_is_not_checked_again(self, wire: Wire, pinned: CloseTenant) -> None:
        wire.replies = [NO_TYPES, answer({"organizations": [{"id": "orga_acme"}]}), NO_TYPES]
        organization = self.expecting(pinned)
        organization.types()
        pinned.clock.advance(1)
        organization.types(pinned.clock())

        assert wire.lines().count(self.ME) == 1

    @pytest.mark.parametrize(
        "replies",
        [
            [answer({"data": [{**TYPE, "organization_id": "orga_other"}]})],
            [answer({"data": [TYPE, {**TYPE, "id": "cotype_2", "organization_id": "orga_other"}]})],
            [NO_TYPES, answer({"organizations": [{"id": "orga_other"}]})],
            [NO_TYPES, SEVERAL, answer({"data": [{**ROLE, "organization_id": "orga_other"}], "has_more": False})],
            [NO_TYPES, SEVERAL, answer({"data": [], "has_more": False})],
            [NO_TYPES, answer({"organizations": []})],
            [NO_TYPES, answer({})],
            [NO_TYPES, answer(["?"])],
        ],
    )
    def test_apart_another_organization_stops_the_request(
        self, wire: Wire, pinned: CloseTenant, replies: list[bytes]
    ) -> None:
        wire.replies = list(replies)

        with pytest.raises(Rejected) as caught:
            self.expecting(pinned).types()
        assert caught.value.kind is ProblemType.WRONG_ORGANIZATION
        assert "POST" not in [each.method for each in wire.heard]

    def test_apart_a_create_in_another_organization_is_reported(self, wire: Wire, pinned: CloseTenant) -> None:
        wire.replies = [LIST, answer({**TYPE, "organization_id": "orga_other"}, "201 Created")]
        organization = self.expecting(pinned)
        organization.types()

        with pytest.raises(Rejected, match="created the type cotype_1 in orga_other") as caught:
            organization.create_type(SPEC)
        assert caught.value.kind is ProblemType.WRONG_ORGANIZATION

    def test_apart_a_renewed_credential_is_checked_again(self, wire: Wire, pinned: CloseTenant) -> None:
        pinned.keys.append(key("api_new.secret", "orga_acme"))
        stolen = answer({"data": [{**TYPE, "organization_id": "orga_other"}]})
        wire.replies = [LIST, UNAUTHORIZED, stolen]
        organization = self.expecting(pinned)
        organization.types()
        pinned.clock.advance(1)

        with pytest.raises(Rejected) as caught:
            organization.types(pinned.clock())
        assert caught.value.kind is ProblemType.WRONG_ORGANIZATION
