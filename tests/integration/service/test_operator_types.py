"""A tenant's types in Close beside the last requests for them."""

from typing import Any

import httpx
import pytest

from tests.fakes import a_request
from tests.integration.service.operator_caller import OperatorCaller
from tests.integration.service.stack import Stack


@pytest.fixture
def operator(stack: Stack) -> OperatorCaller:
    return OperatorCaller(stack)


def as_a_person(stack: Stack, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    """Call Close with a key of someone else in acme's organization."""
    key = stack.close.add_key(stack.organizations["acme"])
    answered = httpx.request(method, f"{stack.close.api_url}{path}", auth=(key, ""), json=body)
    assert answered.is_success, answered.text


def types_of(operator: OperatorCaller, tenant: str) -> dict[str, Any]:
    status, found = operator.call("GET /v1/tenants/{tenant}/types", tenant=tenant)
    assert status == 200
    return {each["name"]: each for each in found["data"]}


def different(shown: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {each["key"]: (each["observed"], each["desired"]) for each in shown["keys"] if each["differs"]}


def test_a_type_that_is_as_requested_differs_in_nothing(stack: Stack, operator: OperatorCaller) -> None:
    request = a_request("signup-1")
    stack.settle(request)
    (shown,) = types_of(operator, "acme").values()
    assert shown["name"] == request.types[0].name
    assert shown["id"]
    assert shown["request"]
    assert different(shown) == {}
    assert {"name", "name_plural"} <= {each["key"] for each in shown["keys"]}


def test_what_a_person_changed_differs(stack: Stack, operator: OperatorCaller) -> None:
    fields = [{"name": "Seats", "type": "number"}, {"name": "Tier", "type": "choices", "choices": ["Free", "Paid"]}]
    stack.settle(a_request("signup-1", spec={"description": "A customer", "fields": fields}))
    (made,) = stack.close.types(stack.organizations["acme"])
    as_a_person(stack, "PUT", f"custom_object_type/{made['id']}/", {"description": "Edited by hand"})
    tier = next(each for each in made["fields"] if each["name"] == "Tier")
    as_a_person(stack, "DELETE", f"custom_field/custom_object_type/{tier['id']}/")
    shown = types_of(operator, "acme")["Account"]
    found = different(shown)
    assert found["description"] == ("Edited by hand", "A customer")
    assert [key for key in found if key.startswith("fields/Tier")]
    assert not [key for key in found if "Seats" in key]


def test_the_last_request_decides_what_is_desired(stack: Stack, operator: OperatorCaller) -> None:
    stack.settle(a_request("signup-1", spec={"description": "Old"}))
    stack.clock.advance(5)
    stack.settle(a_request("signup-2", spec={"description": "New"}))
    shown = types_of(operator, "acme")["Account"]
    assert different(shown)["description"] == ("Old", "New")


def test_a_type_without_a_request_and_a_request_without_a_type_are_shown(
    stack: Stack, operator: OperatorCaller
) -> None:
    stack.settle(a_request("signup-1"))
    (made,) = stack.close.types(stack.organizations["acme"])
    as_a_person(stack, "DELETE", f"custom_object_type/{made['id']}/")
    stack.close.add_type(stack.organizations["acme"], "By Hand", name_plural="By Hands")
    stack.clock.advance(120)
    shown = types_of(operator, "acme")
    assert (shown["Account"]["id"], shown["By Hand"]["request"]) == (None, None)
    assert shown["By Hand"]["id"]
    assert shown["Account"]["request"]


def test_nothing_is_written_to_close(stack: Stack, operator: OperatorCaller) -> None:
    stack.settle(a_request("signup-1"))
    before = stack.creates()
    types_of(operator, "acme")
    assert stack.creates() == before


def test_a_tenant_without_a_credential_is_not_found(operator: OperatorCaller) -> None:
    assert operator.call("GET /v1/tenants/{tenant}/types", tenant="unknown")[0] == 404
