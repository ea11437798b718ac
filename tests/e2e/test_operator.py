"""Operators on the deployed stack: check, retry, resolve, dead-letter messages, sources and the audit."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from provisioner.contract.request import request_key
from tests.e2e.world import World, eventually


def call(world: World, route: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """``route``: method and path. Return status and body."""
    method, path = route.split(" ")
    content = json.dumps(body).encode() if body is not None else b""
    response = world.stack.http.call(method, path, content)
    return response.status_code, response.json()


def checks(world: World, tenant: str) -> dict[str, dict[str, Any]]:
    status, report = call(world, f"POST /v1/tenants/{tenant}/checks", {})
    assert status == 200, report
    return {each["name"]: each for each in report["checks"]} | {"": report}


@pytest.mark.parametrize(
    ("settings", "failed", "who"),
    [
        ({}, None, None),
        ({"may_customize": False}, "permission", "close-admin"),
        ({"has_custom_objects": False, "options": {"plan_failure_on": "everything"}}, "types", "close-billing"),
    ],
)
def test_a_check_tells_before_the_first_signup(
    world: World, settings: dict[str, Any], failed: str | None, who: str | None
) -> None:
    tenant = world.new_tenant(**settings)

    found = checks(world, tenant.name)

    assert found[""]["ready"] is (failed is None)
    assert found[""]["organization"]["id"] == tenant.organization
    assert [name for name, each in found.items() if each.get("mark") == "failed"] == ([failed] if failed else [])
    assert failed is None or found[failed]["who"] == who
    assert world.creates_sent(tenant) == 0


def test_a_rotation_is_checked_with_the_new_key(world: World) -> None:
    tenant = world.new_tenant()
    assert world.stack.http.submit(tenant.asks()).status_code == 201
    name = f"{world.stack.description.tenant_secret_prefix}/{tenant.name}"
    world.stack.aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString="api_typo.typo")
    found = checks(world, tenant.name)
    assert (found["key"]["mark"], found["key"]["who"]) == ("failed", "close-admin")
    assert not found[""]["ready"]


def test_a_tenant_without_a_secret_is_for_the_operator(world: World) -> None:
    found = checks(world, f"t-{uuid4().hex[:8]}")
    assert (found["secret"]["mark"], found["secret"]["who"]) == ("failed", "operator")


def test_a_failed_request_is_retried_under_a_linked_id(world: World) -> None:
    tenant = world.new_tenant(may_customize=False)
    asked = tenant.asks()
    assert world.stack.http.submit(asked).status_code == 424
    world.close.change_organization(tenant.organization, may_customize=True)
    key = request_key(tenant.name, asked["request_id"])

    status, retry = call(world, f"POST /v1/provisioning-requests/{key}/retries", {"reason": "the role was changed"})

    assert (status, retry["request_id"]) == (202, f"{asked['request_id']}.retry-1")
    assert world.outcome({**asked, "request_id": retry["request_id"]}).data["result"] == "created"
    assert call(world, f"POST /v1/provisioning-requests/{key}/retries", {})[0] == 409
    [action] = [each for each in call(world, "GET /v1/audit")[1]["data"] if asked["request_id"] in each["target"]][-1:]
    assert (action["action"], action["reason"]) == ("retry", "the role was changed")


def test_an_unresolved_request_takes_a_persons_word_only_with_the_lists(world: World) -> None:
    tenant = world.new_tenant()
    world.close.arm("hang_up_before", aim={"organization": tenant.organization}, times=None)
    asked = tenant.asks()
    world.send(asked)
    assert world.outcome(asked).data["result"] == "unresolved"
    world.close.call("DELETE", "faults/")
    resolutions = f"POST /v1/provisioning-requests/{request_key(tenant.name, asked['request_id'])}/resolutions"

    assert call(world, resolutions, {"there": True, "reason": "I think so"})[0] == 409
    status, answer = call(world, resolutions, {"there": False, "reason": "looked in Settings > Custom Objects"})

    assert (status, answer["types"]) == (200, [{"name": "Project", "id": None}])
    key = request_key(tenant.name, asked["request_id"])
    retry = call(world, f"POST /v1/provisioning-requests/{key}/retries", {})[1]
    assert world.outcome({**asked, "request_id": retry["request_id"]}).data["result"] == "created"
    assert world.type_names(tenant) == ["Project"]


def test_dead_letter_messages_are_listed_and_handled(world: World) -> None:
    [message_id] = world.send("<signup/>")
    world.announced("unknown", message_id)

    def listed() -> dict[str, Any] | None:
        found = call(world, "GET /v1/dead-letters")[1]["data"]
        return next((each for each in found if each["request_id"] == message_id), None)

    message = eventually(listed)
    assert (message["cause"], message["redrivable"], message["body"]) == ("not-a-request", False, "<signup/>")
    kept = call(world, "POST /v1/dead-letters/redrives", {"ids": [message["id"]]})[1]
    assert ([each["id"] for each in kept["kept"]], kept["done"]) == ([message["id"]], [])
    dropped = call(world, "POST /v1/dead-letters/drops", {"ids": [message["id"]], "reason": "a test"})[1]
    assert dropped["done"] == [message["id"]]
    assert listed() is None


def test_every_source_of_the_stack_passes_its_own_test(world: World) -> None:
    for source in call(world, "GET /v1/sources")[1]["data"]:
        report = call(world, f"POST /v1/sources/{source['source']}/checks", {})[1]
        assert report["ready"], report


def test_tenants_are_listed_and_forgotten(world: World) -> None:
    tenant = world.new_tenant()
    asked = tenant.asks()
    world.stack.http.submit(asked)
    world.outcome(asked)
    assert call(world, f"GET /v1/tenants/{tenant.name}")[1]["organization"] == {"id": tenant.organization}
    assert call(world, "GET /v1/tenants")[0] == 200
    forget = f"DELETE /v1/tenants/{tenant.name}/memory"
    assert call(world, forget)[0] == 409
    name = f"{world.stack.description.tenant_secret_prefix}/{tenant.name}"
    world.stack.aws.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    status, answer = call(world, forget)

    assert (status, answer["done"], answer["requests"]) == (200, True, 1)
    key = request_key(tenant.name, asked["request_id"])
    assert call(world, f"GET /v1/provisioning-requests/{key}")[0] == 404
