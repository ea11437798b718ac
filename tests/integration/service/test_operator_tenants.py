"""The tenants and sources as the operator sees them, and how a tenant is forgotten."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.models import TenantRecord
from provisioner.ledger.tenant_items import TenantItems
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.operator_caller import OperatorCaller
from tests.integration.service.stack import Stack


@pytest.fixture
def operator(stack: Stack) -> OperatorCaller:
    return OperatorCaller(stack)


def scan(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client("dynamodb").scan(TableName=stack.name)["Items"]
    return found


def keys(stack: Stack) -> set[str]:
    return {each["pk"]["S"] for each in scan(stack)}


class TestTheListOfTenants:
    def test_holds_each_tenant_with_a_credential(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.settle(a_request("signup-1"))
        status, found = operator.call("GET /v1/tenants")
        assert status == 200
        by_name = {each["tenant"]: each for each in found["data"]}
        assert by_name.keys() == {"acme", "globex"}
        assert by_name["acme"]["organization"] == {"id": stack.organizations["acme"]}
        assert by_name["acme"]["last_request"]["request_id"] == "signup-1"
        assert by_name["acme"]["credential"]["changed_at"]
        assert by_name["globex"]["organization"] is by_name["globex"]["last_request"] is None

    def test_has_pages(self, stack: Stack, operator: OperatorCaller) -> None:
        first = operator.call("GET /v1/tenants", query={"limit": "1"})[1]
        second = operator.call("GET /v1/tenants", query={"limit": "1", "cursor": first["next"]})[1]
        assert [each["tenant"] for page in (first, second) for each in page["data"]] == ["acme", "globex"]
        assert operator.call("GET /v1/tenants", query={"limit": "0"})[0] == 400

    def test_reports_a_cursor_that_secrets_manager_does_not_know(
        self, stack: Stack, operator: OperatorCaller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuses(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "InvalidNextTokenException", "Message": ""}}, "ListSecrets")

        monkeypatch.setattr(client("secretsmanager"), "list_secrets", refuses)
        assert operator.call("GET /v1/tenants", query={"cursor": "x"})[0] == 400
        assert operator.call("GET /v1/tenants")[0] == 503

    def test_leaves_out_what_is_marked_for_deletion(self, stack: Stack, operator: OperatorCaller) -> None:
        client("secretsmanager").delete_secret(SecretId=f"{stack.name}/globex")
        assert [each["tenant"] for each in operator.call("GET /v1/tenants")[1]["data"]] == ["acme"]


class TestOne:
    def test_shows_the_kind_of_its_credential_and_whether_it_is_pinned(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        stack.add_tenant(
            "pinned", secret=lambda key, organization: json.dumps({"api_key": key, "organization_id": organization})
        )
        one = operator.call("GET /v1/tenants/{tenant}", tenant="pinned")[1]
        assert (one["credential"]["kind"], one["pinned"]) == ("api_key", True)
        assert operator.call("GET /v1/tenants/{tenant}", tenant="acme")[1]["pinned"] is False

    def test_shows_why_a_credential_cannot_be_used_and_nothing_of_it(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        stack.set_secret("acme", '{"apikey": "api_acme.hidden"}')
        status, one = operator.call("GET /v1/tenants/{tenant}", tenant="acme")
        assert (status, one["credential"]["kind"]) == (200, None)
        assert one["credential"]["fault"]
        assert "hidden" not in json.dumps(one)

    @pytest.mark.parametrize("tenant", ["unknown", "a:b", "a b", "x" * 200])
    def test_an_unknown_one_is_not_found(self, operator: OperatorCaller, tenant: str) -> None:
        assert operator.call("GET /v1/tenants/{tenant}", tenant=tenant)[0] == 404


class TestChecks:
    def check(self, operator: OperatorCaller, tenant: str = "acme", **body: Any) -> dict[str, Any]:
        status, report = operator.call("POST /v1/tenants/{tenant}/checks", body or None, tenant=tenant)
        assert status == 200, report
        return report

    def found(self, report: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in report["checks"]}

    def test_a_good_tenant_is_ready(self, operator: OperatorCaller) -> None:
        assert self.check(operator)["ready"]

    def test_a_missing_one_is_not(self, operator: OperatorCaller) -> None:
        report = self.check(operator, "unknown")
        assert not report["ready"]
        assert "close-provisioner tenants add unknown" in report["checks"][0]["fix"]

    def test_a_wrong_key_is_known_at_once_although_the_functions_use_the_old_one(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        stack.settle(a_request("1"))
        assert self.check(operator)["ready"]
        stack.set_secret("acme", "api_typo.typo")
        assert self.found(self.check(operator))["key"]["mark"] == "failed"

    def test_a_staged_key_is_checked_before_the_rotation(self, stack: Stack, operator: OperatorCaller) -> None:
        client("secretsmanager").put_secret_value(
            SecretId=f"{stack.name}/acme", SecretString="api_typo.typo", VersionStages=["AWSPENDING"]
        )
        assert not self.check(operator, pending=True)["ready"]
        assert self.check(operator)["ready"]

    def test_a_key_of_another_organization_is_found(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.settle(a_request("1"))
        key = stack.close.add_key(stack.organizations["globex"])
        stack.set_secret("acme", key)
        report = self.found(self.check(operator))
        assert report["organization"]["mark"] == "failed"

    def test_a_new_tenant_with_the_key_of_another_one_is_worth_a_look(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        stack.settle(a_request("1"))
        stack.set_secret("newco", stack.close.add_key(stack.organizations["acme"]))
        found = self.found(self.check(operator, "newco"))["organization"]
        assert (found["mark"], "acme" in found["seen"]) == ("warning", True)

    def test_a_402_of_the_last_requests_is_said_until_one_succeeds(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        stack.close.change_organization(stack.organizations["acme"], max_types=0)
        assert self.found(self.check(operator))["plan"]["mark"] == "unknown"
        stack.settle(a_request("signup-1"))
        plan = self.found(self.check(operator))["plan"]
        assert (plan["mark"], plan["who"], "signup-1" in plan["seen"]) == ("warning", "close-billing", True)
        stack.close.change_organization(stack.organizations["acme"], max_types=None)
        stack.clock.advance(1)
        stack.settle(a_request("signup-2"))
        assert self.found(self.check(operator))["plan"]["mark"] == "unknown"

    def test_a_pause_is_said(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.service.ledger.pause(stack.organizations["acme"], stack.clock() + 90)
        assert self.found(self.check(operator))["rate-limit"]["mark"] == "warning"

    def test_leaves_the_ledger_as_it_is(self, stack: Stack, operator: OperatorCaller) -> None:
        before = keys(stack)
        self.check(operator)
        assert keys(stack) == before


class TestForgetting:
    def forget(self, operator: OperatorCaller, tenant: str = "acme") -> tuple[int, dict[str, Any]]:
        query = {"reason": "the customer left"}
        return operator.call("DELETE /v1/tenants/{tenant}/memory", query=query, tenant=tenant)

    def test_leaves_nothing_of_its_requests_and_all_of_others(self, stack: Stack, operator: OperatorCaller) -> None:
        for tenant in ("acme", "globex"):
            stack.settle(a_request("signup-1", tenant=tenant))
        client("secretsmanager").delete_secret(SecretId=f"{stack.name}/acme")

        status, answer = self.forget(operator)

        assert (status, answer["done"], answer["requests"]) == (200, True, 1)
        left = keys(stack)
        assert f"REQUEST#{a_request('signup-1').id}" not in left
        assert {f"REQUEST#{a_request('signup-1', tenant='globex').id}", "TENANT#globex"} <= left
        assert [key for key in left if key.startswith(f"TYPE#{stack.organizations['acme']}#")], "they keep once"
        assert answer["stays"]
        organization = stack.organizations["acme"]
        assert stack.service.ledger.tenant("acme") == TenantRecord("acme", None, (organization,)), "for 15 days"
        (item,) = (each for each in scan(stack) if each["pk"]["S"] == "TENANT#acme")
        assert item["expires_at"] == {"N": str(int(stack.clock() + 15 * 86_400))}
        assert operator.audit()[0]["action"] == "forget tenant"

    def test_of_a_pause_before_its_organization_was_known_nothing_stays_for_good(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        stack.service.ledger.pause_tenant("acme", stack.clock() + 30)
        client("secretsmanager").delete_secret(SecretId=f"{stack.name}/acme")

        assert self.forget(operator)[1]["done"]

        (item,) = (each for each in scan(stack) if each["pk"]["S"] == "TENANT#acme")
        assert item.keys() == {"pk", "earlier", "expires_at"}

    def test_is_refused_while_it_has_a_credential(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.settle(a_request("signup-1"))
        assert self.forget(operator)[0] == 409
        assert "TENANT#acme" in keys(stack)

    def test_is_refused_while_a_request_waits(self, stack: Stack, operator: OperatorCaller) -> None:
        request = a_request("waits", tenant="newco", wait_for_tenant=True)
        stack.work(request.to_json())
        status, answer = self.forget(operator, "newco")
        assert (status, "waits" in answer["detail"]) == (409, True)
        assert f"REQUEST#{request.id}" in keys(stack)

    def test_goes_on_where_it_stopped(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.settle(a_request("signup-1"))
        client("secretsmanager").delete_secret(SecretId=f"{stack.name}/acme")
        operator.time_left = 1
        assert not self.forget(operator)[1]["done"]
        assert "TENANT#acme" in keys(stack)
        operator.time_left = 28
        assert self.forget(operator)[1]["done"]

    def test_is_refused_for_a_day_after_an_unresolved_request(self, stack: Stack, operator: OperatorCaller) -> None:
        """Another tenant of the organization may need what it asked for, to know a renamed type again."""
        request = a_request("signup-1")
        stack.service.provisioner.give_up(stack.service.ledger.accept(request), request, "Its key was removed.")
        client("secretsmanager").delete_secret(SecretId=f"{stack.name}/acme")

        status, answer = self.forget(operator)
        assert (status, "is unresolved since" in answer["detail"]) == (409, True)
        stack.clock.advance(86_401)
        assert self.forget(operator)[1]["done"]

    def test_a_request_that_arrives_meanwhile_knows_its_organization(
        self, stack: Stack, operator: OperatorCaller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A warm function still has the key, and the response to the create is lost."""
        first = stack.organizations["acme"]
        signup = a_request("signup-2", wait_for_tenant=True)
        self.forget_while_it_arrives(signup, stack, operator, monkeypatch)
        client("secretsmanager").restore_secret(SecretId=f"{stack.name}/acme")
        second = stack.add_tenant("acme")
        for _ in range(5):
            stack.clock.advance(130)
            stack.work(signup.to_json(), service=stack.new_service())

        assert ("signup-2", "unresolved") in stack.results()
        assert "Account" in [each["name"] for each in stack.close.types(first)]
        assert stack.close.types(second) == []

    def test_a_request_that_arrives_meanwhile_does_not_fail(
        self, stack: Stack, operator: OperatorCaller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        signup = a_request("signup-2")
        self.forget_while_it_arrives(signup, stack, operator, monkeypatch)
        stack.clock.advance(400)
        stack.work(signup.to_json(), service=stack.new_service())

        assert ("signup-2", "unresolved") in stack.results()

    def forget_while_it_arrives(
        self, signup: ProvisioningRequest, stack: Stack, operator: OperatorCaller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stack.settle(a_request("old", name="Older"))
        client("secretsmanager").delete_secret(SecretId=f"{stack.name}/acme", RecoveryWindowInDays=30)
        forget = TenantItems.forget_request

        def slow(items: TenantItems, key: str) -> bool:
            is_forgotten = forget(items, key)
            stack.arm("create_then_hang_up")
            stack.work(signup.to_json())
            return is_forgotten

        monkeypatch.setattr(TenantItems, "forget_request", slow)
        assert self.forget(operator)[1]["done"]
        assert "Account" in stack.types()


class TestSources:
    def store(self, stack: Stack, name: str, *secrets: str) -> None:
        client("secretsmanager").create_secret(
            Name=f"{stack.settings.source_secret_prefix}/{name}", SecretString=json.dumps({"secrets": list(secrets)})
        )

    def test_the_list_says_which_are_open(self, stack: Stack, operator: OperatorCaller) -> None:
        self.store(stack, "stripe", "whsec_0123456789abcdef", "short")
        found = {each["source"]: each for each in operator.call("GET /v1/sources")[1]["data"]}
        stripe = found["stripe"]
        assert (stripe["path"], stripe["secret_stored"], stripe["active_secrets"]) == ("/v1/webhooks/stripe", True, 1)
        assert "secrets[1]" in stripe["fault"]
        assert (found["clerk"]["secret_stored"], found["clerk"]["active_secrets"]) == (False, 0)

    @pytest.mark.parametrize(
        ("source", "secret"),
        [
            ("stripe", "whsec_0123456789abcdef"),
            ("clerk", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("paddle", "a-secret-of-paddle"),
            ("workos", "a-secret-of-workos"),
            ("auth0", "a-token-of-auth0-which-is-long"),
            ("chargebee", "webhooks:a-long-password"),
        ],
    )
    def test_a_check_takes_each_example_through_verification_and_mapping(
        self, stack: Stack, operator: OperatorCaller, source: str, secret: str
    ) -> None:
        self.store(stack, source, secret)
        before = keys(stack)

        status, report = operator.call("POST /v1/sources/{source}/checks", source=source)

        assert status == 200
        assert {each["mark"] for each in report["checks"]} == {"ok"}, report
        assert report["ready"]
        assert keys(stack) == before
        assert not stack.waiting()
        assert secret not in json.dumps(report)

    def test_a_source_without_a_secret_is_not_ready(self, operator: OperatorCaller) -> None:
        report = operator.call("POST /v1/sources/{source}/checks", source="stripe")[1]
        assert not report["ready"]
        assert [each["mark"] for each in report["checks"]][1] == "failed"

    def test_an_unknown_source_is_not_found(self, operator: OperatorCaller) -> None:
        assert operator.call("POST /v1/sources/{source}/checks", source="none")[0] == 404
