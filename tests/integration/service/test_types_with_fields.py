"""Types with their fields against the simulated Close, with every undocumented behavior of Close both ways."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from infra.simulator import Options
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.validation import parse_request
from provisioner.handlers.api import Api
from tests.integration.service.stack import Stack, as_given

VALUES = {"product": "Acme Cloud", "plans": ["Solo", "Team"]}
FIELDS = {"Subscription": 7, "Invoice": 5, "Product Usage": 3}
OF_TIME = {"list_lag_seconds", "get_lag_seconds", "delete_lag_seconds", "latency_seconds"}
"""The clock of these tests stands still, the simulator's does not; tests/simulation/ has both on one."""
OF_REFUSALS = (
    *("delete", "field_delete", "foreign", "permission", "plan_", "refresh", "retry_after"),
    *("too_many", "type_limit", "validation", "www_", "wrong_"),
)
"""Close shows these when it refuses or deletes: never here, where every request is fulfilled or blocked."""


def option_values() -> Iterator[Any]:
    """One case for each value of each option that has several."""
    for name, hint in get_type_hints(Options).items():
        values = get_args(hint) if get_origin(hint) is Literal else (True, False) if hint is bool else ()
        for value in values:
            if name not in OF_TIME and not name.startswith(OF_REFUSALS) and value != getattr(Options(), name):
                yield pytest.param({name: value}, id=f"{name}={value}")


def blueprint(request_id: str, **further: Any) -> ProvisioningRequest:
    document = {"tenant": "acme", "request_id": request_id, "blueprint": "saas-subscriptions", "values": VALUES}
    return parse_request(json.dumps({**document, **further}))


def edited(request_id: str, edit: Callable[[list[dict[str, Any]]], None], **further: Any) -> ProvisioningRequest:
    """The blueprint's types as a request of their own, edited."""
    types = [each.model_dump(mode="json", exclude_unset=True) for each in blueprint("x").types]
    edit(types)
    document = {"tenant": "acme", "request_id": request_id, "if_exists": "update", "custom_object_types": types}
    return parse_request(json.dumps({**document, **further}))


def one_more(types: list[dict[str, Any]]) -> None:
    types[0]["fields"][1]["choices"] = ["Company"]
    types[1]["fields"].insert(1, {"name": "Reason", "type": "text"})


def another_type(types: list[dict[str, Any]]) -> None:
    types[1]["fields"].insert(1, {"name": "Unpaid", "type": "number"})
    types[2]["fields"][1]["type"] = "text"


def calls(stack: Stack) -> list[str]:
    log = stack.close.requests(stack.organizations["acme"])
    return [f"{each['method']} {each['path'].removeprefix('/api/v1/')}" for each in log]


def fields(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    return {each["name"]: each["fields"] for each in stack.close.types(stack.organizations["acme"])}


def plans(stack: Stack, request: ProvisioningRequest) -> dict[str, Any]:
    event = {
        "resource": "/v1/plans", "httpMethod": "POST", "headers": {}, "body": as_given(request),
        "isBase64Encoded": False,
    }  # fmt: skip
    answer = Api(stack.service).answer(event, lambda: 28)
    assert answer["statusCode"] == 200, answer["body"]
    shown: dict[str, Any] = json.loads(answer["body"])
    return shown


@pytest.mark.parametrize("options", [pytest.param({}, id="as documented"), *option_values()])
def test_a_blueprint_is_provisioned_once_and_then_only_added_to(stack: Stack, options: dict[str, Any]) -> None:
    stack.close.change_organization(stack.organizations["acme"], options=options)

    first, _ = stack.settle(blueprint("1"))
    assert {each.name: (each.result, len(each.fields)) for each in first.types} == {
        name: ("created", number) for name, number in FIELDS.items()
    }
    assert {name: len(rows) for name, rows in fields(stack).items()} == FIELDS
    stack.clock.advance(61)

    before = len(calls(stack))
    again, _ = stack.settle(blueprint("2"))
    assert again.result == "unchanged", [each.differences for each in again.types]
    assert calls(stack)[before:] == ["GET custom_object_type/", "GET custom_field/custom_object_type/"]

    updated, _ = stack.settle(edited("3", one_more))
    assert [each.result for each in updated.types] == ["updated", "updated", "unchanged"]
    assert [each["name"] for each in fields(stack)["Invoice"]][:3] == ["Number", "Reason", "Subscription"]
    stack.clock.advance(61)
    choices = plans(stack, edited("x", lambda types: types[0]["fields"][1].update(choices=["Solo", "Team", "Company"])))
    assert choices["steps"] == []

    before = len(calls(stack))
    blocked, _ = stack.settle(edited("4", another_type))
    assert (blocked.result, [each.field for each in blocked.types[2].blocked]) == (
        "failed",
        ["fields/Active Users/type"],
    )
    assert all(each.startswith("GET") for each in calls(stack)[before:])


class TestPlans:
    def test_a_plan_writes_to_no_store(self, stack: Stack) -> None:
        planned = plans(stack, blueprint("1"))

        assert [each["action"] for each in planned["steps"]].count("create type") == 3
        assert len(planned["steps"]) == 18
        assert all(each.startswith("GET") for each in calls(stack))
        assert stack.service.ledger.find(blueprint("1").id) is None
        assert (stack.waiting(), stack.events()) == ([], [])

    def test_a_request_is_applied_while_its_plan_holds(self, stack: Stack) -> None:
        digest = plans(stack, blueprint("1"))["digest"]

        assert stack.settle(blueprint("1", plan_digest=digest))[0].result == "created"

    def test_a_stale_plan_is_rejected_with_the_new_one(self, stack: Stack) -> None:
        digest = plans(stack, blueprint("1"))["digest"]
        stack.close.add_type(stack.organizations["acme"], "Invoice", name_plural="Invoices")

        answer = stack.post(blueprint("1", plan_digest=digest))

        assert (answer["status"], answer["type"].rpartition(":")[2]) == (409, "plan-stale")
        assert answer["outcome"]["plan"]["digest"] == plans(stack, blueprint("1"))["digest"] != digest
        assert stack.types() == ["Invoice"]


def test_polite_requests_stay_below_the_rate_limit(stack: Stack) -> None:
    """When an answer says that nothing is left of the limit, the rest of the fields waits for the next window."""
    window = 0.4
    limit = {"requests": 4, "window_seconds": window}
    stack.close.change_organization(stack.organizations["acme"], rate_limit=limit)
    fields = [{"name": f"Field {number}", "type": "text"} for number in range(10)]
    spec = {"name": "Account", "name_plural": "Accounts", "fields": fields}
    request = parse_request(json.dumps({"tenant": "acme", "request_id": "1", "custom_object_type": spec}))

    runs = 0
    waiting = [request.to_json()]
    while waiting and runs < 10:
        assert stack.work(*waiting) == []
        waiting = [each.body for each in stack.waiting()]
        runs += 1
        time.sleep(window)  # the simulator's windows are of real time
        stack.clock.advance(1)

    assert stack.results() == [("1", "created")]
    assert runs == 3
    answers = [each["status"] for each in stack.close.requests(stack.organizations["acme"])]
    assert 429 not in answers
    assert answers.count(201) == 11


ROLES = {"role_1": "Sales Manager", "role_2": "Support", "role_3": "support"}


class TestRolesOfFields:
    def request(self, *roles: str) -> ProvisioningRequest:
        spec = {"name": "Account", "name_plural": "Accounts", "editable_with_roles": list(roles)}
        return parse_request(json.dumps({"tenant": "acme", "request_id": "1", "custom_object_type": spec}))

    def test_a_role_is_found_by_name_in_any_case_or_by_id(self, stack: Stack) -> None:
        stack.close.change_organization(stack.organizations["acme"], roles=ROLES)

        outcome, _ = stack.settle(self.request("sales  MANAGER", "admin", "role_2"))

        [made] = outcome.types
        assert made.custom_object_type
        assert made.custom_object_type["editable_with_roles"] == ["role_1", "admin", "role_2"]

    @pytest.mark.parametrize(("role", "told"), [("Boss", "Sales Manager (role_1)"), ("Support", "2 roles are named")])
    def test_an_unknown_or_ambiguous_role_is_rejected_with_a_list_of_roles(
        self, stack: Stack, role: str, told: str
    ) -> None:
        stack.close.change_organization(stack.organizations["acme"], roles=ROLES)

        answer = stack.post(self.request("admin", role))

        assert (answer["status"], answer["type"].rpartition(":")[2]) == (422, "role-not-found")
        assert told in answer["detail"]
        assert [each["pointer"] for each in answer["errors"]] == ["/custom_object_type/editable_with_roles/1"]
        assert stack.types() == []
