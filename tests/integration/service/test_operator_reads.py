"""History, status and blueprints over the real parts: what the operator reads after real attempts."""

import json
from typing import Any

import pytest

from provisioner.contract import blueprints
from provisioner.handlers.operator import Operator
from provisioner.messaging.backlog import Backlog
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import CALLER, Stack


def ask(stack: Stack, resource: str, tenant: str | None = None, **path: str) -> dict[str, Any]:
    event = {
        "resource": resource,
        "httpMethod": "GET",
        "pathParameters": path | ({"tenant": tenant} if tenant else {}),
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"userArn": CALLER}},
        "body": None,
    }
    answer = Operator.of(stack.service, client).answer(event, lambda: 28)
    return {"status_code": answer["statusCode"], **json.loads(answer["body"])}


HISTORY = "/v1/provisioning-requests/{id}/history"


def test_a_lost_response_is_told_from_the_first_attempt_to_the_explanation(stack: Stack) -> None:
    stack.arm("create_then_hang_up")
    request = a_request()
    _, runs = stack.settle(request)

    shown = ask(stack, HISTORY, id=request.id)
    assert (shown["state"], shown["result"], shown["attempts"]) == ("announced", "recovered", runs)
    assert [each["ended"] for each in shown["history"]] == ["deferred"] * (runs - 1) + ["settled"]
    lost = shown["history"][0]["calls"][-1]
    assert (lost["method"], lost["path"], lost["status"], lost["error"]) == (
        *("POST", "custom_object_type/"),
        *(None, "ReadError"),
    )
    assert shown["body"] == json.loads(request.to_json())
    assert shown["outcome"]["result"] == "recovered"
    assert shown["explanation"]["next"] == "Nothing to do."
    assert shown["retained_until"] > shown["accepted_at"]


def test_a_request_that_waits_says_why(stack: Stack) -> None:
    stack.arm("429")
    stack.arm("429", method="GET")
    request = a_request()
    stack.post(request)

    shown = ask(stack, HISTORY, id=request.id)
    assert (shown["state"], shown["outcome"], shown["entry_point"], shown["requested_by"]) == (
        *("waiting", None),
        *("http", CALLER),
    )
    assert "That means: the tenant's rate limit." in shown["explanation"]["because"]


@pytest.mark.parametrize("request_key", ["x", "0" * 32, "../../TENANT#acme"])
def test_an_unknown_request_has_no_history(stack: Stack, request_key: str) -> None:
    assert ask(stack, HISTORY, id=request_key)["type"] == "urn:close-provisioner:problem:request-not-found"


def test_the_path_of_a_tenant_shows_its_own_requests_only(stack: Stack) -> None:
    request = a_request()
    stack.post(request)
    resource = f"/v1/tenants/{{tenant}}{HISTORY.removeprefix('/v1')}"
    assert ask(stack, resource, "acme", id=request.id)["result"] == "created"
    assert ask(stack, resource, "globex", id=request.id)["status_code"] == 404


def test_the_status_counts_what_happened(stack: Stack) -> None:
    for number in range(3):
        stack.post(a_request(f"good-{number}", f"T{number}"))
    stack.arm("402", times=2)
    for number in range(2):
        stack.post(a_request(f"bad-{number}", f"B{number}"))
    stack.clock.advance(2 * 3600)
    stack.service.ledger.accept(a_request("waits"))

    shown = ask(stack, "/v1/status")
    assert shown["last_day"] == {"created": 3, "failed": 2, "waiting": 1}
    assert shown["last_hour"] == {"waiting": 1}
    [trouble] = shown["by_problem"]
    assert (trouble["problem"], trouble["tenant"], trouble["count"]) == ("plan-limit", "acme", 2)
    assert shown["unfinished"]["count"] == 1
    assert shown["dead_letters"] == {"provisioning": 0, "events": 0}
    assert shown["queue"]["depth"] == 5, "the fallback messages of the five requests"


def test_the_oldest_unfinished_request_may_be_older_than_a_day(stack: Stack) -> None:
    stack.clock.now = 1_800_000_000.0
    stack.service.ledger.accept(a_request("old"))
    stack.clock.advance(3 * 86_400)
    assert ask(stack, "/v1/status")["unfinished"] == {"count": 1, "oldest_accepted_at": "2027-01-15T08:00:00.000Z"}


def test_messages_that_are_delayed_or_worked_on_count(stack: Stack) -> None:
    stack.service.queue.send("{}", "acme", 0, 900)
    assert Backlog.from_settings(stack.settings, client("sqs")).depth("queue") == 1


def test_the_blueprints_are_those_of_the_package(stack: Stack) -> None:
    names = [each["name"] for each in ask(stack, "/v1/blueprints")["data"]]
    assert names == blueprints.names()
    shown = ask(stack, "/v1/blueprints/{name}", name=names[0])
    assert shown["values"].keys() == blueprints.load(names[0]).values.keys()
    assert shown["custom_object_types"]
    assert ask(stack, "/v1/blueprints/{name}", name="../account")["status_code"] == 404
