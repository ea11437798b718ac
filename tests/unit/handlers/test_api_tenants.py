"""The routes of one tenant: the same handlers, bound to the tenant in the path."""

import json
from typing import Any

import pytest

from provisioner.contract.request import request_key
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, ID, Answer, Caller

REQUESTS = "/v1/tenants/{tenant}/provisioning-requests"
PLANS = "/v1/tenants/{tenant}/plans"


def post(caller: Caller, tenant: str, body: dict[str, Any], resource: str = REQUESTS, **headers: list[str]) -> Answer:
    return caller.call("POST", resource, json.dumps(body), {"tenant": tenant}, **headers)


def get(caller: Caller, tenant: str, request_key: str) -> Answer:
    return caller.call("GET", f"{REQUESTS}/{{id}}", parameters={"tenant": tenant, "id": request_key})


WITHOUT_TENANT = {key: value for key, value in BODY.items() if key != "tenant"}


@pytest.mark.parametrize("body", [BODY, WITHOUT_TENANT, {**BODY, "tenant": None}])
def test_hole_8_the_path_fills_or_equals_the_tenant_of_the_body(
    world: HandlerWorld, caller: Caller, body: dict[str, Any]
) -> None:
    answer = post(caller, "acme", body)

    assert (answer.status, answer.body["id"], answer.body["tenant"]) == (201, ID, "acme")
    assert answer.headers["Location"] == f"provisioning-requests/{ID}"  # relative: below the same tenant
    assert [accepted.tenant for accepted, _ in world.ledger.requests.values()] == ["acme"]


@pytest.mark.parametrize("resource", [REQUESTS, PLANS])
@pytest.mark.parametrize("tenant", ["globex", "default", "", 7, "ACME"])
def test_hole_8_another_tenant_in_the_body_is_rejected(
    world: HandlerWorld, caller: Caller, resource: str, tenant: object
) -> None:
    answer = post(caller, "acme", {**BODY, "tenant": tenant}, resource)

    assert (answer.status, answer.kind) == (400, "invalid-request")
    assert answer.body["errors"] == [{"pointer": "/tenant", "detail": "differs from the tenant in the path"}]
    assert (world.ledger.requests, world.seen) == ({}, [])


@pytest.mark.parametrize("tenant", ["a b", "a/b", "%61cme", "*", "", "x" * 129])
def test_hole_8_an_invalid_tenant_in_the_path_is_rejected(caller: Caller, tenant: str) -> None:
    answer = post(caller, tenant, WITHOUT_TENANT)

    assert (answer.status, [each["pointer"] for each in answer.body["errors"]]) == (400, ["/tenant"])


def test_hole_8_a_request_is_shown_to_its_own_tenant_only(caller: Caller) -> None:
    post(caller, "acme", BODY)

    assert get(caller, "acme", ID).body["state"] == "settled"
    assert (get(caller, "globex", ID).status, get(caller, "globex", ID).kind) == (404, "request-not-found")
    assert get(caller, "globex", ID).body == get(caller, "globex", "0" * 32).body
    assert caller.get(ID).status == 200


def test_hole_8_a_request_is_the_same_by_either_route(world: HandlerWorld, caller: Caller) -> None:
    first = caller.post()

    again = post(caller, "acme", WITHOUT_TENANT)

    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert post(caller, "globex", WITHOUT_TENANT).body["id"] == request_key("globex", str(BODY["request_id"]))


def test_hole_8_a_plan_is_made_for_the_tenant_in_the_path(world: HandlerWorld, caller: Caller) -> None:
    answer = post(caller, "acme", WITHOUT_TENANT, PLANS, Content_Type=["application/json"])

    assert (answer.status, [step["action"] for step in answer.body["steps"]]) == (200, ["create type"])
    assert world.ledger.requests == {}


@pytest.mark.parametrize(
    ("method", "resource", "allowed"),
    [("GET", REQUESTS, "POST"), ("GET", PLANS, "POST"), ("DELETE", f"{REQUESTS}/{{id}}", "GET")],
)
def test_hole_8_other_methods_are_answered_405(caller: Caller, method: str, resource: str, allowed: str) -> None:
    answer = caller.call(method, resource, parameters={"tenant": "acme", "id": ID})

    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "resource", ["/v1/tenants/{tenant}", "/v1/tenants/{tenant}/", "/v1/tenants/{tenant}/webhooks/{source}"]
)
def test_hole_8_no_other_route_exists_below_a_tenant(caller: Caller, resource: str) -> None:
    assert caller.call("POST", resource, parameters={"tenant": "acme", "source": "stripe"}).status == 404
