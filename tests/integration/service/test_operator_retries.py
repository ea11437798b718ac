"""Retries and resolutions of requests, over DynamoDB's conditions."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.validation import request_of
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.operator_caller import ANNA, OperatorCaller
from tests.integration.service.stack import Stack


@pytest.fixture
def operator(stack: Stack) -> OperatorCaller:
    return OperatorCaller(stack)


def item(stack: Stack, request_key: str) -> dict[str, Any]:
    key = {"pk": {"S": f"REQUEST#{request_key}"}}
    found: dict[str, Any] = client("dynamodb").get_item(TableName=stack.name, Key=key)["Item"]
    return found


def problem(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    status, body = answer
    return status, body["type"].rpartition(":")[2]


def failed(stack: Stack, **further: Any) -> ProvisioningRequest:
    """Settle a request as failed: Close rejects its create."""
    request = a_request("signup-1", **further)
    stack.close.change_organization(stack.organizations["acme"], may_customize=False)
    assert stack.settle(request)[0].result == "failed"
    stack.close.change_organization(stack.organizations["acme"], may_customize=True)
    return request


class TestRetries:
    def test_the_stored_body_is_sent_again_under_a_new_id_and_both_are_linked(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        request = failed(stack)

        status, answer = operator.retry(request.id, reason="the role was changed")

        assert status == 202
        assert (answer["request_id"], answer["tenant"]) == ("signup-1.retry-1", "acme")
        assert answer["retry_of"] == request.id
        assert item(stack, request.id)["retried_as"]["S"] == answer["id"]
        assert item(stack, answer["id"])["retry_of"]["S"] == request.id
        [sent] = stack.waiting()
        assert stack.work(sent.body) == []
        assert ("signup-1.retry-1", "created") in stack.results()
        assert json.loads(item(stack, request.id)["outcome"]["S"])["result"] == "failed"

    def test_a_repeated_call_returns_the_retry_that_waits(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        assert operator.retry(request.id) == operator.retry(request.id)
        assert len(stack.waiting()) == 1

    def test_a_retry_that_succeeded_is_not_repeated(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        operator.retry(request.id)
        stack.work(*(each.body for each in stack.waiting()))

        assert problem(operator.retry(request.id)) == (409, "wrong-state")

    def test_a_retry_that_failed_is_retried_by_either_name(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        stack.close.change_organization(stack.organizations["acme"], may_customize=False)
        first = operator.retry(request.id)[1]
        stack.work(*(each.body for each in stack.waiting()))

        second = operator.retry(request.id)[1]
        stack.work(*(each.body for each in stack.waiting()))
        third = operator.retry(first["id"])[1]

        assert [second["request_id"], third["request_id"]] == ["signup-1.retry-2", "signup-1.retry-3"]
        assert (second["retry_of"], third["retry_of"]) == (request.id, first["id"])

    def test_a_request_that_is_not_settled_is_not_retried(self, stack: Stack, operator: OperatorCaller) -> None:
        request = a_request("waiting", tenant="newco", wait_for_tenant=True)
        stack.work(request.to_json())
        assert problem(operator.retry(request.id)) == (409, "wrong-state")

    def test_two_operators_make_one_retry(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: operator.retry(request.id), range(4)))

        assert {status for status, _ in answers} <= {202, 409}
        assert {body["id"] for status, body in answers if status == 202} == {item(stack, request.id)["retried_as"]["S"]}
        assert len(stack.waiting()) == 1

    def test_there_are_at_most_twenty(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.close.change_organization(stack.organizations["acme"], may_customize=False)
        stack.settle(request := a_request("signup-1"))
        for _ in range(20):
            assert operator.retry(request.id)[0] == 202
            stack.work(*(each.body for each in stack.waiting()))

        assert problem(operator.retry(request.id)) == (409, "wrong-state")

    def test_an_id_that_a_caller_chose_is_passed_over(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        stack.settle(a_request("signup-1.retry-1", name="Other"))
        assert operator.retry(request.id)[1]["request_id"] == "signup-1.retry-2"

    def test_a_long_id_stays_within_its_bounds(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.close.change_organization(stack.organizations["acme"], may_customize=False)
        stack.settle(request := a_request("r" * 128))
        assert operator.retry(request.id)[1]["request_id"] == "r" * 120 + ".retry-1"

    def test_an_edited_body_is_sent_instead(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        edited = {"if_exists": "update", "custom_object_type": {"name": "Customer", "name_plural": "Customers"}}

        assert operator.retry(request.id, body=edited)[0] == 202

        stack.work(*(each.body for each in stack.waiting()))
        assert stack.types() == ["Customer"]

    def test_another_edit_does_not_replace_a_retry_that_waits(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        operator.retry(request.id)
        edited = {"custom_object_type": {"name": "Customer", "name_plural": "Customers"}}
        assert problem(operator.retry(request.id, body=edited)) == (409, "wrong-state")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"body": {"tenant": "globex"}}, "/body/tenant"),
            ({"body": {"request_id": "other"}}, "/body/request_id"),
            ({"body": {"custom_object_type": {"name": ""}}}, "/body/custom_object_type/name"),
            ({"body": {"custom_object_type": {"name": "A", "name_plural": "B"}, "x": 1}}, "/body/x"),
            ({"body": "text"}, "/body"),
            ({"body": {}}, "/body"),
            ({"reason": ""}, "/reason"),
            ({"reason": 7}, "/reason"),
            ({"reasons": "x"}, "/reasons"),
        ],
    )
    def test_what_is_not_valid_is_pointed_at(
        self, stack: Stack, operator: OperatorCaller, body: dict[str, Any], pointer: str
    ) -> None:
        request = failed(stack)
        status, answer = operator.retry(request.id, **body)
        assert status == 400
        assert answer["errors"][0]["pointer"].startswith(pointer)
        assert not stack.waiting()
        assert not operator.audit()

    @pytest.mark.parametrize("key", ["0" * 32, "nothing", "../x"])
    def test_an_unknown_request_is_not_found(self, operator: OperatorCaller, key: str) -> None:
        assert problem(operator.retry(key)) == (404, "request-not-found")

    def test_a_blueprint_is_sent_as_it_was_filled_in(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.close.change_organization(stack.organizations["acme"], may_customize=False)
        status = stack.post(blueprint_request())["status"]
        assert status == 424
        request = blueprint_request()
        stack.waiting()

        operator.retry(request.id)

        [sent] = stack.waiting()
        assert json.loads(sent.body)["custom_object_types"] == stored(stack, request)["custom_object_types"]

    def test_edited_values_fill_the_blueprint_in_again(self, stack: Stack, operator: OperatorCaller) -> None:
        stack.close.change_organization(stack.organizations["acme"], may_customize=False)
        stack.post(blueprint_request())
        request = blueprint_request()
        stack.waiting()
        edited = stored(stack, request) | {"values": {**stored(stack, request)["values"], "product": "Rocket"}}

        assert operator.retry(request.id, body=edited)[0] == 202

        [sent] = stack.waiting()
        assert "Rocket" in json.dumps(json.loads(sent.body)["custom_object_types"])

    def test_types_that_were_edited_under_a_blueprint_are_rejected(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        stack.close.change_organization(stack.organizations["acme"], may_customize=False)
        stack.post(blueprint_request())
        edited = stored(stack, blueprint_request())
        edited["custom_object_types"][0]["name"] = "Other"
        status, answer = operator.retry(blueprint_request().id, body=edited)
        assert (status, answer["errors"][0]["pointer"]) == (400, "/body/custom_object_types")


def blueprint_request() -> ProvisioningRequest:
    return request_of(
        {"tenant": "acme", "request_id": "signup-1", "blueprint": "account", "values": {"product": "Anvil"}}
    )


def stored(stack: Stack, request: ProvisioningRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(item(stack, request.id)["body"]["S"])
    return body


class TestResolutions:
    def unresolved(self, stack: Stack, fault: str) -> ProvisioningRequest:
        stack.arm(fault, times=None)
        request = a_request("signup-1")
        assert stack.settle(request)[0].result == "unresolved"
        stack.close.call("DELETE", "faults/")
        stack.waiting()
        return request

    def test_what_is_not_there_may_be_created_by_a_retry(self, stack: Stack, operator: OperatorCaller) -> None:
        request = self.unresolved(stack, "hang_up_before")

        status, answer = operator.resolve(request.id, there=False, reason="looked in Settings > Custom Objects")

        assert (status, answer["types"], answer["there"]) == (200, [{"name": "Account", "id": None}], False)
        assert json.loads(item(stack, request.id)["resolution"]["S"]) == [stack.clock(), False]
        operator.retry(request.id)
        stack.work(*(each.body for each in stack.waiting()))
        assert stack.types() == ["Account"]
        assert ("signup-1.retry-1", "created") in stack.results()

    def test_without_a_word_a_retry_creates_nothing(self, stack: Stack, operator: OperatorCaller) -> None:
        request = self.unresolved(stack, "hang_up_before")
        operator.retry(request.id)
        stack.work(*(each.body for each in stack.waiting()))
        assert stack.types() == []

    def test_a_word_that_the_list_contradicts_is_not_taken(self, stack: Stack, operator: OperatorCaller) -> None:
        request = self.unresolved(stack, "hang_up_before")
        assert problem(operator.resolve(request.id, there=True, reason="I think so")) == (409, "contradicted")
        stack.clock.advance(1)
        stack.close.add_type(stack.organizations["acme"], "Account")
        assert problem(operator.resolve(request.id, there=False, reason="I think so")) == (409, "contradicted")
        stack.clock.advance(1)
        status, answer = operator.resolve(request.id, there=True, reason="now")
        assert status == 200
        assert answer["types"][0]["id"].startswith("cotype_")
        assert [each["result"].partition(":")[0] for each in reversed(operator.audit())] == [
            "refused",
            "refused",
            "taken",
        ]

    def test_close_must_be_readable(self, stack: Stack, operator: OperatorCaller) -> None:
        request = self.unresolved(stack, "hang_up_before")
        stack.arm("503_before", method="GET", times=None)
        status, answer = operator.resolve(request.id, there=False, reason="x")
        assert problem((status, answer)) == (503, "unavailable")
        assert "resolution" not in item(stack, request.id)

    def test_only_an_unresolved_request_is_resolved(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        assert problem(operator.resolve(request.id, there=False, reason="x")) == (409, "wrong-state")

    @pytest.mark.parametrize(
        "body", [{}, {"there": "no", "reason": "x"}, {"there": True}, {"there": True, "reason": " "}]
    )
    def test_a_word_needs_a_reason(self, stack: Stack, operator: OperatorCaller, body: dict[str, Any]) -> None:
        request = failed(stack)
        assert operator.resolve(request.id, **body)[0] == 400


class TestTheAudit:
    def test_every_action_names_the_principal_that_the_gateway_verified(
        self, stack: Stack, operator: OperatorCaller
    ) -> None:
        request = failed(stack)
        operator.retry(request.id, reason="OPS-812")
        [action] = operator.audit()
        assert action["principal"] == ANNA
        assert (action["action"], action["target"], action["reason"]) == ("retry", "acme/signup-1", "OPS-812")
        assert action["result"] == "accepted as signup-1.retry-1"

    def test_an_action_that_cannot_be_recorded_does_not_happen(
        self, stack: Stack, operator: OperatorCaller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request = failed(stack)

        def fails(*_: Any) -> None:
            raise ConnectionError

        monkeypatch.setattr("provisioner.ledger.actions.Actions.begin", fails)
        assert operator.retry(request.id)[0] == 503
        assert not stack.waiting()

    def test_pages_go_back_in_time(self, stack: Stack, operator: OperatorCaller) -> None:
        request = failed(stack)
        for _ in range(5):
            operator.retry(request.id, reason=str(stack.clock()))
            stack.clock.advance(1)
        first = operator.call("GET /v1/audit", query={"limit": "2"})[1]
        second = operator.call("GET /v1/audit", query={"limit": "2", "cursor": first["next"]})[1]
        third = operator.call("GET /v1/audit", query={"limit": "2", "cursor": second["next"]})[1]
        found = [each["at"] for page in (first, second, third) for each in page["data"]]
        assert len(found) == 5
        assert found == sorted(found, reverse=True)
        assert third["next"] is None
