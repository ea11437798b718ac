"""A request that Close does not allow fails at once, and is not tried again."""

import pytest

from tests.e2e.world import Tenant, World


@pytest.mark.parametrize(
    ("settings", "close_status", "kind"),
    [
        ({"max_types": 0}, 402, "plan-limit"),
        ({"has_custom_objects": False}, 402, "plan-limit"),
        ({"may_customize": False}, 403, "permission-missing"),
    ],
)
def test_limits_of_plan_and_role_fail_at_once(
    world: World, settings: dict[str, object], close_status: int, kind: str
) -> None:
    tenant = world.new_tenant(None, **settings)
    asked = tenant.asks()
    answer = world.stack.http.submit(asked)
    problem = answer.json()
    assert answer.status_code == 424
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["type"], problem["close_status"]) == (f"urn:close-provisioner:problem:{kind}", close_status)
    assert problem["detail"]
    announced = world.outcome(asked)
    assert announced.event["type"] == "close-provisioner.provisioning.failed"
    assert announced.data["problem"]["close_status"] == close_status
    assert world.creates_sent(tenant) == 1


def test_a_revoked_key_fails_at_once(world: World) -> None:
    tenant = world.new_tenant()
    world.close.revoke(tenant.secret)
    asked = tenant.asks()
    answer = world.stack.http.submit(asked)
    assert (answer.status_code, answer.json()["close_status"]) == (424, 401)
    assert answer.json()["type"] == "urn:close-provisioner:problem:credential-rejected"
    assert world.outcome(asked).data["result"] == "failed"
    assert world.creates_sent(tenant) == 0


def test_a_rejection_by_close_points_at_the_field(world: World, tenant: Tenant) -> None:
    world.close.change_organization(tenant.organization, options={"name_max_length": 8})
    answer = world.stack.http.submit(tenant.asks(name_plural="Projects of all kinds"))
    assert answer.status_code == 422
    assert answer.json()["close_status"] == 400
    pointers = [each["pointer"] for each in answer.json()["errors"]]
    assert pointers == ["/custom_object_type/name_plural"]
