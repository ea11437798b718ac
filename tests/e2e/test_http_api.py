"""A request over HTTP, through the deployed stack, to Close and the topic."""

import json

from infra.local.api_client import PLANS
from provisioner.contract.request import request_key
from tests.e2e.world import Tenant, World, eventually


def test_a_type_is_created_while_the_caller_waits(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project", description="Customer projects", api_create_only=True)
    response = world.stack.http.submit(asked)
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert (document["tenant"], document["request_id"], document["state"]) == (
        tenant.name,
        asked["request_id"],
        "settled",
    )
    (in_close,) = world.close.types(tenant.organization)
    assert document["outcome"]["types"][0]["id"] == in_close["id"]
    assert (in_close["name"], in_close["name_plural"], in_close["description"]) == (
        "Project",
        "Projects",
        "Customer projects",
    )
    assert in_close["api_create_only"] is True
    assert world.outcome(asked).data == document["outcome"]


def test_hole_8_the_routes_of_a_tenant_act_for_it_alone(world: World, tenant: Tenant) -> None:
    http, path = world.stack.http, f"/v1/tenants/{tenant.name}/provisioning-requests"
    asked = tenant.asks("Project")
    response = http.call("POST", path, json.dumps({**asked, "tenant": None}).encode())
    assert (response.status_code, response.json()["tenant"]) == (201, tenant.name)
    assert response.headers["location"] == f"provisioning-requests/{response.json()['id']}"
    shown = f"provisioning-requests/{response.json()['id']}"
    assert http.call("GET", f"/v1/tenants/{tenant.name}/{shown}").json() == response.json()
    assert http.call("GET", f"/v1/tenants/globex/{shown}").status_code == 404
    assert http.call("POST", "/v1/tenants/globex/provisioning-requests", json.dumps(asked).encode()).status_code == 400
    plan = http.call("POST", f"/v1/tenants/{tenant.name}/plans", json.dumps(tenant.asks("Deal")).encode())
    assert [step["action"] for step in plan.json()["steps"]] == ["create type"]


def test_a_matching_type_stays_unchanged(world: World, tenant: Tenant) -> None:
    made = world.close.add_type(tenant.organization, "Project", description="Unrelated")
    response = world.stack.http.submit(tenant.asks("Project"))
    assert response.status_code == 200
    assert response.json()["outcome"]["result"] == "unchanged"
    assert response.json()["outcome"]["types"][0]["id"] == made["id"]
    assert world.creates_sent(tenant) == 0


def test_a_type_that_differs_is_adopted_with_its_differences(world: World, tenant: Tenant) -> None:
    made = world.close.add_type(tenant.organization, "  project ", description="Made by hand")
    asked = tenant.asks("Project", name_plural="  project s", description="Customer projects")
    response = world.stack.http.submit(asked)
    assert response.status_code == 200
    outcome = response.json()["outcome"]
    assert outcome["result"] == "adopted"
    assert {each["field"]: (each["desired"], each["observed"]) for each in outcome["types"][0]["differences"]} == {
        "name": ("Project", made["name"]),
        "name_plural": ("project s", made["name_plural"]),
        "description": ("Customer projects", "Made by hand"),
    }
    assert world.creates_sent(tenant) == 0
    assert world.outcome(asked).data["types"] == outcome["types"]


def test_an_existing_type_with_if_exists_fail_is_a_conflict(world: World, tenant: Tenant) -> None:
    world.close.add_type(tenant.organization, "Project")
    asked = tenant.asks("Project", if_exists="fail")
    response = world.stack.http.submit(asked)
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:close-provisioner:problem:type-exists"
    assert world.outcome(asked).event["type"] == "close-provisioner.provisioning.failed"


def test_a_repeated_request_gets_the_first_response(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    first = world.stack.http.submit(asked)
    calls = len(world.close.requests(tenant.organization))
    again = world.stack.http.submit(asked, {"Idempotency-Key": f'"{asked["request_id"]}"'})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(world.close.requests(tenant.organization)) == calls, "a replay does not call Close"


def test_a_used_key_with_other_content_is_rejected(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    assert world.stack.http.submit(asked).status_code == 201
    response = world.stack.http.submit(tenant.asks("Invoice", request_id=asked["request_id"]))
    assert response.status_code == 422
    assert response.json()["type"] == "urn:close-provisioner:problem:request-conflict"
    assert world.type_names(tenant) == ["Project"]


def test_a_caller_that_does_not_wait_gets_a_location(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    response = world.stack.http.submit(asked, {"Prefer": "respond-async"})
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "respond-async"
    assert int(response.headers["retry-after"]) > 0
    location = response.headers["location"].rpartition("/")[2]

    def settled() -> dict[str, object] | None:
        document: dict[str, object] = world.stack.http.read(location).json()
        return document if document["state"] == "settled" else None

    document = eventually(settled)
    assert document["outcome"] == world.outcome(asked).data
    assert world.type_names(tenant) == ["Project"]


def test_an_invalid_body_is_rejected_with_a_pointer_to_each_fault(world: World, tenant: Tenant) -> None:
    body = {**tenant.asks(" ", color="blue"), "if_exists": "replace", "request_id": "a/b"}
    response = world.stack.http.submit(body)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert {each["pointer"] for each in response.json()["errors"]} == {
        "/request_id",
        "/if_exists",
        "/custom_object_type/name",
        "/custom_object_type/color",
    }
    assert all(each["detail"] for each in response.json()["errors"])
    assert world.close.requests(tenant.organization) == []


def test_a_body_that_is_not_utf_8_is_rejected(world: World) -> None:
    response = world.stack.http.submit(b'{"tenant": "\xff"}')
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "")


def test_an_unsigned_request_is_rejected(world: World, tenant: Tenant) -> None:
    assert world.stack.http.submit(tenant.asks(), signed=False).status_code == 403
    assert world.stack.http.read("0" * 32, signed=False).status_code == 403
    assert world.close.requests(tenant.organization) == []


def test_an_unknown_tenant_is_rejected_without_the_name_of_a_secret(world: World) -> None:
    response = world.stack.http.submit(Tenant("no-credential", "", "").asks())
    assert response.status_code == 404
    assert response.json()["type"] == "urn:close-provisioner:problem:tenant-not-found"
    assert world.stack.description.tenant_secret_prefix not in response.text
    assert "secret" not in response.text.lower()


def test_an_unknown_request_is_not_found(world: World) -> None:
    response = world.stack.http.read("0" * 32)
    assert (response.status_code, response.json()["type"]) == (404, "urn:close-provisioner:problem:request-not-found")


def test_a_plan_is_shown_and_then_executed(world: World, tenant: Tenant) -> None:
    existing = [{"name": "State", "type": "choices", "choices": ["New"]}]
    world.close.add_type(tenant.organization, "Device", fields=existing)
    fields = [{"name": "State", "type": "choices", "choices": ["Sold"]}, {"name": "Serial", "type": "text"}]
    asked = tenant.asks("Device", fields=fields, if_exists="update")

    text = world.stack.http.call("POST", PLANS, json.dumps(asked).encode(), {"Accept": "text/plain"})
    assert (text.status_code, text.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert '    ~ update field State\n        choices: ["New"] -> ["New", "Sold"]\n' in text.text
    plan = world.stack.http.call("POST", PLANS, json.dumps(asked).encode()).json()
    assert [each["action"] for each in plan["steps"]] == ["update field", "create field"]
    assert world.stack.http.read(request_key(tenant.name, asked["request_id"])).status_code == 404

    response = world.stack.http.submit({**asked, "plan_digest": plan["digest"]})
    assert (response.status_code, response.json()["outcome"]["result"]) == (200, "updated")
    (in_close,) = world.close.types(tenant.organization)
    assert [each["name"] for each in in_close["fields"]] == ["State", "Serial"]

    late = world.stack.http.submit({**asked, "request_id": "late", "plan_digest": plan["digest"]})
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (409, "plan-stale")
    assert late.json()["outcome"]["plan"]["steps"] == []


def test_a_blueprint_creates_its_types_with_their_fields(world: World, tenant: Tenant) -> None:
    values = {"product": "Acme Cloud"}
    asked = {"tenant": tenant.name, "request_id": "1", "blueprint": "saas-subscriptions", "values": values}
    response = world.stack.http.submit(asked, {"Prefer": "respond-async"})
    assert response.status_code == 202
    outcome = world.outcome(asked).data
    assert {each["name"]: (each["result"], len(each["fields"])) for each in outcome["types"]} == {
        "Subscription": ("created", 7),
        "Invoice": ("created", 5),
        "Product Usage": ("created", 3),
    }
