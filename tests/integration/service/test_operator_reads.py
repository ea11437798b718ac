"""History, status and blueprints over the real parts: what the operator reads after real attempts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from provisioner.contract import blueprints
from provisioner.handlers.operator import Operator
from provisioner.ledger.items import request_item_key
from provisioner.messaging.backlog import Backlog
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.operator_caller import OperatorCaller
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
    assert [each["results"] for each in shown["by_minute"]] == [{"waiting": 1}]
    assert next((each["request_id"], each["state"]) for each in shown["latest"]) == ("waits", "waiting")
    assert len(shown["latest"]) == 6
    [trouble] = shown["by_problem"]
    assert (trouble["problem"], trouble["tenant"], trouble["count"]) == ("plan-limit", "acme", 2)
    assert shown["unfinished"]["count"] == 1
    assert shown["dead_letters"] == {"provisioning": 0, "events": 0}
    assert shown["queue"]["depth"] == 5, "the fallback messages of the five requests"


@contextmanager
def entries_read() -> Iterator[list[int]]:
    """Collect how many entries each query reads in the meantime."""
    read: list[int] = []
    events, note = client("dynamodb").meta.events, lambda parsed, **_: read.append(parsed["ScannedCount"])
    events.register("after-call.dynamodb.Query", note)
    try:
        yield read
    finally:
        events.unregister("after-call.dynamodb.Query", note)


def test_an_open_console_reads_only_what_is_new(stack: Stack) -> None:
    for number in range(30):
        stack.post(a_request(f"old-{number}", "Account"))
    stack.clock.advance(120)
    operator = OperatorCaller(stack)
    with entries_read() as read:
        assert operator.call("GET /v1/status")[1]["last_day"] == {"unchanged": 29, "created": 1}
    assert sum(read) == 30
    stack.clock.advance(1)
    stack.service.ledger.accept(a_request("new", "Account"))

    with entries_read() as read:
        shown = operator.call("GET /v1/status")[1]
    assert shown["last_day"] == {"unchanged": 29, "created": 1, "waiting": 1}
    assert sum(read) == 2, "the new request, in the two indexes"
    stack.settle(a_request("new", "Account"))
    assert operator.call("GET /v1/status")[1]["last_day"] == {"unchanged": 30, "created": 1}


def test_a_request_that_waited_for_long_is_seen_to_settle(stack: Stack) -> None:
    operator, request = OperatorCaller(stack), a_request("waits")
    stack.service.ledger.accept(request)
    assert operator.call("GET /v1/status")[1]["last_day"] == {"waiting": 1}
    stack.clock.advance(120)
    assert operator.call("GET /v1/tenants/{tenant}", tenant="acme")[1]["waiting"] == 1
    stack.settle(request)

    shown = operator.call("GET /v1/status")[1]

    assert (shown["last_day"], shown["unfinished"]["count"]) == ({"created": 1}, 0)
    assert operator.call("GET /v1/tenants/{tenant}", tenant="acme")[1]["waiting"] == 0


def test_a_problem_that_was_retried_is_no_trouble_any_more(stack: Stack) -> None:
    operator, request = OperatorCaller(stack), a_request()
    stack.arm("402")
    stack.post(request)
    assert [each["problem"] for each in operator.call("GET /v1/status")[1]["by_problem"]] == ["plan-limit"]
    stack.clock.advance(120)
    assert operator.retry(request.id)[0] == 202

    assert operator.call("GET /v1/status")[1]["by_problem"] == []


def test_a_forgotten_request_leaves_the_counts(stack: Stack) -> None:
    operator, request = OperatorCaller(stack), a_request()
    stack.post(request)
    assert operator.call("GET /v1/status")[1]["last_day"] == {"created": 1}
    stack.clock.advance(120)
    client("dynamodb").delete_item(TableName=stack.name, Key=request_item_key(request.id))
    stack.clock.advance(300)

    assert operator.call("GET /v1/status")[1]["last_day"] == {}


def test_without_time_the_older_part_is_left_to_the_next_look(stack: Stack) -> None:
    operator = OperatorCaller(stack)
    stack.post(a_request())
    operator.time_left = 1
    assert operator.call("GET /v1/status")[1]["last_day"] == {}
    operator.time_left = 28
    assert operator.call("GET /v1/status")[1]["last_day"] == {"created": 1}


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
