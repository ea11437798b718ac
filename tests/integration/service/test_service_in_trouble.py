"""The service as a whole, when Close refuses, does not know the key, or asks to wait."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.fakes import a_request
from tests.integration.service.stack import Stack


class TestFinalFailures:
    @pytest.mark.parametrize(("fault", "status"), [("401", 401), ("402", 402), ("403", 403)])
    def test_a_rejection_fails_at_once(self, stack: Stack, fault: str, status: int) -> None:
        stack.arm(fault)

        answer = stack.post(a_request())

        assert (answer["status"], answer["close_status"]) == (424, status)
        assert stack.results() == [("signup-8841", "failed")]
        assert stack.creates() == 1

    def test_closes_field_errors_become_pointers(self, stack: Stack) -> None:
        stack.add_tenant("strict", options={"name_max_length": 8})

        answer = stack.post(a_request(name="Customer", tenant="strict"))

        assert (answer["status"], answer["close_status"]) == (422, 400)
        assert [each["pointer"] for each in answer["errors"]] == ["/custom_object_type/name_plural"]

    def test_an_unknown_tenant_fails(self, stack: Stack) -> None:
        assert stack.post(a_request(tenant="initech"))["status"] == 404
        assert stack.work(a_request(tenant="initech").to_json()) == []
        assert stack.results() == [("signup-8841", "failed")]


class TestStoredCredentials:
    def test_a_revoked_key_fails(self, stack: Stack) -> None:
        stack.set_secret("acme", "api_dead.key")

        answer = stack.post(a_request())

        assert (answer["status"], answer["close_status"]) == (424, 401)
        assert "api_dead" not in json.dumps(answer)

    def test_a_rotated_key_is_noticed_at_the_first_401(self, stack: Stack) -> None:
        stack.settle(a_request("1"))
        organization = stack.organizations["acme"]
        new = stack.close.add_key(organization)
        [old] = {each["key_suffix"] for each in stack.close.requests(organization)}
        stack.set_secret("acme", new)
        stack.close.revoke(stack.service.tenants.credential("acme").secret)

        answer = stack.post(a_request("2", "Deal"))

        assert answer["status"] == 201
        log = [(each["method"], each["status"]) for each in stack.close.requests(organization)[3:]]
        assert log == [("GET", 401), ("GET", 200), ("POST", 201)]
        assert stack.close.requests(organization)[-1]["key_suffix"] == new[-4:] != old

    def test_a_token_works_as_well(self, stack: Stack) -> None:
        organization = stack.add_tenant("oauth")
        stack.set_secret("oauth", json.dumps({"access_token": stack.close.add_tokens(organization)["access_token"]}))

        assert stack.post(a_request(tenant="oauth"))["status"] == 201

    def test_a_key_of_the_expected_organization_is_used(self, stack: Stack) -> None:
        stack.add_tenant("pinned", secret=lambda key, id_: json.dumps({"api_key": key, "organization_id": id_}))

        assert stack.post(a_request(tenant="pinned"))["status"] == 201
        paths = [each["path"] for each in stack.close.requests(stack.organizations["pinned"])]
        assert paths == ["/api/v1/me/", "/api/v1/custom_object_type/", "/api/v1/custom_object_type/"]

    @pytest.mark.parametrize("there", [[], ["Deal"]])
    def test_apart_a_key_of_another_organization_fails(self, stack: Stack, there: list[str]) -> None:
        organization = stack.add_tenant(
            "pinned", secret=lambda key, _: json.dumps({"api_key": key, "organization_id": "orga_other"})
        )
        for name in there:
            stack.close.add_type(organization, name)

        answer = stack.post(a_request(tenant="pinned"))

        assert (answer["status"], answer["type"]) == (424, "urn:close-provisioner:problem:wrong-organization")
        assert (stack.types("pinned"), stack.creates("pinned")) == (there, 0)


class TestServiceWaits:
    @pytest.mark.parametrize("header", ["commas", "commas_decimal", "semicolons_decimal", "legacy", "ietf", "absent"])
    def test_polite_a_429_is_obeyed(self, stack: Stack, header: str) -> None:
        stack.arm("429", reset=17.0, header=header)
        stack.work(a_request().to_json())
        [copy] = stack.waiting()

        assert 17 <= copy.delay <= 18
        before = len(stack.close.requests(stack.organizations["acme"]))
        stack.clock.advance(16)
        stack.work(copy.body, service=stack.new_service())  # another worker knows of it, too
        assert len(stack.close.requests(stack.organizations["acme"])) == before

        stack.clock.advance(2)
        assert stack.settle(a_request())[0].result == "created"

    def test_polite_a_429_is_obeyed_even_when_the_ledger_cannot_store_it(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A create that certainly did not happen must not be in doubt."""

        def away(*_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

        monkeypatch.setattr("provisioner.ledger.expressions.pause_input", away)
        stack.arm("429", reset=17.0)

        assert stack.settle(a_request())[0].result == "created"
        assert stack.creates() == 2

    def test_fair_another_tenant_is_not_delayed(self, stack: Stack) -> None:
        stack.arm("429", method="*", reset=600.0)
        stack.work(a_request("1").to_json(), a_request("2", tenant="globex").to_json())

        assert stack.results() == [("2", "created")]

    def test_a_slow_response_is_not_lost(self, new_stack: Callable[..., Stack]) -> None:
        stack = new_stack(close_timeout_seconds=5)
        stack.arm("slow", seconds=0.2)

        assert stack.settle(a_request()) == (stack.service.ledger.find(a_request().id).outcome, 1)  # type: ignore[union-attr]

    def test_a_failing_list_defers_the_request(self, stack: Stack) -> None:
        stack.arm("500_before", method="GET", times=2)

        outcome, runs = stack.settle(a_request())

        assert (outcome.result, outcome.attempts, runs) == ("created", 3, 3)

    def test_a_request_gives_up_at_its_deadline(self, new_stack: Callable[..., Stack]) -> None:
        stack = new_stack(wait_limit_seconds=60)
        stack.arm("500_before", method="GET", times=None)

        outcome, _ = stack.settle(a_request())

        assert outcome.result == "failed"
        assert outcome.problem
        assert outcome.problem.type.endswith(":deadline-exceeded")
