"""The service as a whole, for types with fields: what is at Close after each story, and what it cost."""

import json
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from infra.simulator import Options
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.validation import parse_request
from tests.fakes import kind_of
from tests.integration.service.stack import Stack

SAAS: dict[str, Any] = {"blueprint": "saas-subscriptions", "values": {"product": "Rocket", "plans": ["Free", "Paid"]}}
TYPES = ["Invoice", "Product Usage", "Subscription"]
REGION = {"name": "Region", "type": "choices", "choices": ["EU"], "shared": True, "required": True}
SEATS = {"name": "Seats", "type": "number"}


def a_request(request_id: str = "1", **body: Any) -> ProvisioningRequest:
    return parse_request(json.dumps({"tenant": "acme", "request_id": request_id, **body}))


def a_type(*fields: dict[str, Any], name: str = "Account", **further: Any) -> dict[str, Any]:
    return {"custom_object_type": {"name": name, "name_plural": f"{name}s", "fields": list(fields), **further}}


def settled(stack: Stack, request_id: str = "1", **body: Any) -> Outcome:
    return stack.settle(a_request(request_id, **body))[0]


def fields(stack: Stack, type_name: str) -> list[str]:
    """Names of the type's own fields as they really are."""
    state = stack.close.state(stack.organizations["acme"])
    [type_id] = [each["id"] for each in state["types"] if each["name"] == type_name]
    return [each["name"] for each in state["fields"] if each["custom_object_type_id"] == type_id]


def calls(stack: Stack, since: int = 0) -> list[str]:
    log = stack.close.requests(stack.organizations["acme"])[since:]
    return [f"{each['method']} {each['path'].removeprefix('/api/v1/')}" for each in log]


class TestBlueprint:
    def test_three_types_and_their_fields_are_created_once(self, stack: Stack) -> None:
        outcome = settled(stack, **SAAS)

        assert outcome.result == "created"
        assert sorted(stack.types()) == TYPES
        assert "Monthly Amount (USD)" in fields(stack, "Subscription")
        assert fields(stack, "Invoice") == ["Number", "Subscription", "Amount (USD)", "Due", "Paid"]
        assert calls(stack)[0] == "GET me/"  # only for the first request of a tenant
        assert len(calls(stack)) == 1 + 2 + 3 + sum(len(fields(stack, name)) for name in TYPES)

    def test_a_second_run_writes_nothing_and_reads_twice(self, stack: Stack) -> None:
        settled(stack, **SAAS)
        before = len(calls(stack))

        outcome = settled(stack, "2", **SAAS, if_exists="update")

        assert outcome.result == "unchanged"
        assert calls(stack, before) == ["GET custom_object_type/", "GET custom_field/custom_object_type/"]

    def test_an_edited_blueprint_is_applied_additively(self, stack: Stack) -> None:
        settled(stack, **SAAS)
        values = {**SAAS["values"], "plans": ["Free", "Enterprise"]}

        outcome = settled(stack, "2", blueprint="saas-subscriptions", values=values, if_exists="update")

        assert outcome.result == "updated"
        state = stack.close.state(stack.organizations["acme"])
        [plan] = [each for each in state["fields"] if each["name"] == "Plan"]
        assert plan["choices"] == ["Free", "Paid", "Enterprise"]
        assert sorted(stack.types()) == TYPES

    def test_in_a_batch_each_list_is_read_once(self, stack: Stack) -> None:
        requests = [a_request(f"{number}", **SAAS, if_exists="update") for number in range(4)]

        assert stack.work(*(each.to_json() for each in requests)) == []

        assert [call for call in calls(stack) if call.startswith("GET")] == [
            "GET me/", "GET custom_object_type/", "GET custom_field/custom_object_type/"
        ]  # fmt: skip
        assert sorted(stack.results()) == [("0", "created"), *((f"{number}", "unchanged") for number in range(1, 4))]

    @pytest.mark.parametrize("call", range(0, 18, 3))
    @pytest.mark.parametrize("fault", ["create_then_hang_up", "hang_up_before"])
    def test_once_any_response_may_be_lost(self, stack: Stack, call: int, fault: str) -> None:
        stack.close.arm(
            fault, skip=call, aim={"organization": stack.organizations["acme"], "method": "POST", "path": "*"}
        )

        outcome = settled(stack, **SAAS)

        assert outcome.succeeded
        assert sorted(stack.types()) == TYPES
        for name in TYPES:
            assert len(set(fields(stack, name))) == len(fields(stack, name))
        assert settled(stack, "2", **SAAS, if_exists="update").result == "unchanged"


class TestUpdate:
    def test_a_destructive_edit_is_blocked_with_nothing_written(self, stack: Stack) -> None:
        settled(stack, **a_type(SEATS))
        before = len(calls(stack))

        edited = a_type({**SEATS, "type": "text"}, {"name": "Note", "type": "text"})
        outcome = settled(stack, "2", **edited, if_exists="update")

        assert (outcome.result, kind_of(outcome)) == ("failed", "blocked")
        assert all(call.startswith("GET") for call in calls(stack, before))

    def test_shared_fields_are_ordered(self, stack: Stack) -> None:
        settled(stack, **a_type(SEATS, {"name": "Note", "type": "text"}))

        desired = a_type(REGION, {"name": "Note", "type": "text"}, SEATS)
        outcome = settled(stack, "2", **desired, if_exists="update")

        assert outcome.result == "updated"
        assert outcome.types[0].steps[-1] == "put the fields in order"
        again = settled(stack, "3", **desired, if_exists="update")
        assert (again.result, again.types[0].differences) == ("unchanged", ())

    @pytest.mark.parametrize("order", [[REGION, SEATS], [SEATS, REGION]])
    def test_a_second_run_writes_nothing_wherever_close_puts_a_shared_field(
        self, stack: Stack, order: list[dict[str, Any]]
    ) -> None:
        """The simulated Close shows a type's own fields first until they are put into an order."""
        settled(stack, **a_type(*order), if_exists="update")

        again = settled(stack, "2", **a_type(*order), if_exists="update")

        assert again.types[0].steps == ()

    def test_roles_are_found_by_name(self, stack: Stack) -> None:
        stack.close.change_organization(stack.organizations["acme"], roles={"role_1": "Sales Manager"})

        outcome = settled(stack, **a_type({**SEATS, "editable_with_roles": ["sales manager"]}))

        [field] = stack.close.state(stack.organizations["acme"])["fields"]
        assert (outcome.result, field["editable_with_roles"]) == ("created", ["role_1"])

    def test_an_unknown_role_fails_the_request(self, stack: Stack) -> None:
        stack.close.change_organization(stack.organizations["acme"], roles={"role_1": "Sales Manager"})

        answer = stack.post(a_request(**a_type({**SEATS, "editable_with_roles": ["Boss"]})))

        assert (answer["status"], stack.types()) == (422, [])
        assert answer["errors"][0]["pointer"] == "/custom_object_type/fields/0/editable_with_roles/0"
        assert "Sales Manager (role_1)" in answer["errors"][0]["detail"]

    def test_closes_field_errors_lead_to_the_field(self, stack: Stack) -> None:
        organization = stack.organizations["acme"]
        stack.close.change_organization(organization, options={"name_max_length": 12})

        answer = stack.post(a_request(**a_type(SEATS, {"name": "A very long name", "type": "text"})))

        assert (answer["status"], answer["close_status"]) == (422, 400)
        assert [each["pointer"] for each in answer["errors"]] == ["/custom_object_type/fields/1/name"]
        assert answer["outcome"]["types"][0]["result"] == "created"
        assert fields(stack, "Account") == ["Seats"]


def values_of(hint: Any) -> list[Any]:
    """Return the values of an option that has a fixed set."""
    if hint is bool:
        return [True, False]
    return list(get_args(hint)) if get_origin(hint) is Literal else []


OF_REFUSALS = ("delete", "field_delete", "validation", "wrong_", "permission", "plan_", "type_limit", "foreign", "www_")
OF_OTHER_STORIES = ("rate_limit", "retry_after", "too_many", "refresh", *OF_REFUSALS)
OPTIONS = [
    (name, value)
    for name, hint in get_type_hints(Options).items()
    for value in values_of(hint)
    if value != getattr(Options(), name) and not name.startswith(OF_OTHER_STORIES)
]


@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_every_option_of_close_is_supported(stack: Stack, option: str, value: Any) -> None:
    """Made once, at rest afterwards, and as wanted: for every question that Close's documentation leaves open."""
    stack.close.change_organization(stack.organizations["acme"], options={option: value})
    parent = {"name": "Parent", "type": "custom_object", "references": "Account", "back_reference_is_visible": True}
    tags = {"name": "Tags", "type": "choices", "choices": ["a", "b"], "accepts_multiple_values": True}
    desired = a_type(tags, parent, {**SEATS, "required": False}, REGION, description="d", api_create_only=True)

    outcome = settled(stack, **desired, if_exists="update")
    again = settled(stack, "2", **desired, if_exists="update")
    later = settled(stack, "3", **a_type(REGION, SEATS, {**tags, "choices": ["c"]}), if_exists="update")

    assert again.types[0].steps == ()
    assert (outcome.result, again.result, later.result) == ("created", "unchanged", "updated")
    assert again.types[0].differences == ()
    assert stack.types() == ["Account"]
    assert sorted(fields(stack, "Account")) == ["Parent", "Seats", "Tags"]
    state = stack.close.state(stack.organizations["acme"])
    assert [len(each["associations"]) for each in state["shared_fields"]] == [1]
    assert [each["choices"] for each in state["fields"] if each["name"] == "Tags"] == [["a", "b", "c"]]
