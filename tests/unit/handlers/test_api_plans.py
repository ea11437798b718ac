"""The HTTP API: plans, shown before they are applied."""

import json
from io import StringIO
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.handlers.api import Api
from tests.fakes import a_request
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, Answer, Caller


def ask(caller: Caller, body: Any = BODY, **headers: list[str]) -> Answer:
    return caller.call("POST", "/v1/plans", json.dumps(body), Content_Type=["application/json"], **headers)


def text(world: HandlerWorld, *accept: str) -> tuple[str, str]:
    """Return the media type and body of the response to a caller who accepts this."""
    event = {
        "resource": "/v1/plans", "httpMethod": "POST", "multiValueHeaders": {"Accept": list(accept)},
        "body": json.dumps(BODY), "isBase64Encoded": False,
    }  # fmt: skip
    answer = Api(world.service).answer(event, lambda: 28.0)
    assert answer["statusCode"] == 200
    return answer["headers"]["Content-Type"], answer["body"]


def test_a_plan_is_json_by_default(world: HandlerWorld, caller: Caller) -> None:
    answer = ask(caller)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.body["types"][0]["action"] == "create"
    assert [step["action"] for step in answer.body["steps"]] == ["create type"]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ([], "application/json"),
        (["*/*"], "application/json"),
        (["application/json"], "application/json"),
        (["text/html"], "application/json"),
        (["application/json, text/plain"], "application/json"),
        (["text/plain"], "text/plain; charset=utf-8"),
        (["text/html", "TEXT/PLAIN;q=0.9"], "text/plain; charset=utf-8"),
        (["text/plain, application/json"], "text/plain; charset=utf-8"),
        (["text/plain;q=0, application/json"], "application/json"),
        (["text/plain;q=0"], "application/json"),
        (["text/plain; q=0.000, */*"], "application/json"),
        (["application/json;q=0, */*"], "text/plain; charset=utf-8"),
        (["application/json;q=0.5, text/plain;q=0.6"], "text/plain; charset=utf-8"),
        (["text/plain;q=0.5, application/json;q=0.6"], "application/json"),
        (["text/plain;q=0.5, application/json"], "application/json"),
        (["text/plain;q=0.5", "application/json;q=0.4"], "text/plain; charset=utf-8"),
        (["text/*"], "text/plain; charset=utf-8"),
        (["text/*;q=0.3, */*;q=0.2"], "text/plain; charset=utf-8"),
        (["text/*, text/plain;q=0, */*;q=0.1"], "application/json"),
        (["application/*, text/plain;q=0.9"], "application/json"),
        (["*/*, text/plain"], "text/plain; charset=utf-8"),
        (["*/*;q=0.1, text/plain;q=0.05"], "application/json"),
        (["text/plain;charset=utf-8; Q=0.9, application/json;q=0.8"], "text/plain; charset=utf-8"),
        (["text/plain;q=2, application/json;q=0.1"], "application/json"),
        (["text/plain;q=, application/json;q=0.1"], "application/json"),
        (["image/png"], "application/json"),
        (["*/*;q=0"], "application/json"),
        ([""], "application/json"),
        ([",;,"], "application/json"),
    ],
)
def test_field_13_a_plan_has_the_media_type_that_the_caller_accepts(
    world: HandlerWorld, accept: list[str], media_type: str
) -> None:
    answered, body = text(world, *accept)

    assert answered == media_type
    assert ("+ create type Account" in body) is media_type.startswith("text")


def test_a_plan_writes_to_no_store(world: HandlerWorld, caller: Caller) -> None:
    ask(caller)

    assert [request.method for request in world.seen] == ["GET"]
    assert (world.ledger.requests, world.ledger.resources, world.ledger.leased_until) == ({}, {}, {})
    assert (world.queue.waiting, world.topic.events, world.close.names) == ([], [], [])


@pytest.mark.parametrize("body", [{**BODY, "request_id": "2"}, {"tenant": "acme", **BODY}])
def test_a_request_that_was_carried_out_may_be_planned_again(
    world: HandlerWorld, caller: Caller, body: dict[str, Any]
) -> None:
    caller.post()

    assert ask(caller, body).body["steps"] == []


def test_no_request_id_is_needed(caller: Caller) -> None:
    assert ask(caller, {key: value for key, value in BODY.items() if key != "request_id"}).status == 200


def test_a_plan_can_be_applied(world: HandlerWorld, caller: Caller) -> None:
    digest = ask(caller).body["digest"]

    assert caller.post({**BODY, "plan_digest": digest}).status == 201


def test_a_plan_of_a_changed_organization_is_answered_409(world: HandlerWorld, caller: Caller) -> None:
    digest = ask(caller).body["digest"]
    world.close.add("Account")

    answer = caller.post({**BODY, "plan_digest": digest})

    assert (answer.status, answer.kind) == (409, "plan-stale")
    again = ask(caller).body
    assert answer.body["outcome"]["plan"] == again
    assert caller.post({**BODY, "request_id": "2", "plan_digest": again["digest"]}).status == 200


def test_a_type_leased_by_another_run_can_be_planned(world: HandlerWorld, caller: Caller) -> None:
    world.lease_and_vanish(a_request("other"))

    assert ask(caller).status == 200


def test_an_invalid_request_is_answered_400_with_pointers(world: HandlerWorld, caller: Caller) -> None:
    answer = ask(caller, {**BODY, "custom_object_type": {"name": "Account", "name_plural": "A", "fields": [{}]}})

    assert (answer.status, answer.kind) == (400, "invalid-request")
    pointers = [each["pointer"] for each in answer.body["errors"]]
    assert pointers == ["/custom_object_type/fields/0/name", "/custom_object_type/fields/0/type"]
    assert world.seen == []


def test_an_unknown_tenant_cannot_be_planned_for(caller: Caller) -> None:
    answer = ask(caller, {**BODY, "tenant": "initech"})

    assert (answer.status, answer.kind) == (404, "tenant-not-found")


def test_plans_must_be_posted(caller: Caller) -> None:
    answer = caller.call("GET", "/v1/plans")

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_body_of_another_media_type_cannot_be_planned(caller: Caller) -> None:
    assert caller.call("POST", "/v1/plans", "{}", Content_Type=["text/plain"]).status == 415


def test_a_missing_permission_is_answered_424_and_logged_with_its_tenant(
    world: HandlerWorld, caller: Caller, logged: StringIO
) -> None:
    world.close.list_fails = Rejected(ProblemType.CREDENTIAL_REJECTED, "no", close_status=401)

    answer = ask(caller)

    assert (answer.status, answer.body["close_status"]) == (424, 401)
    lines = list(map(json.loads, logged.getvalue().splitlines()))
    [line] = [each for each in lines if each["message"] == "could not plan"]
    assert (line["tenant"], line["problem"]) == ("acme", ProblemType.CREDENTIAL_REJECTED.uri)


@pytest.mark.parametrize(
    ("fails", "retry_after"),
    [(Unavailable("Secrets Manager fails"), 5), (RetryLater("Close rate-limited this tenant (429)", 17.2), 18)],
)
def test_an_unavailable_service_is_answered_503(
    world: HandlerWorld, caller: Caller, fails: Exception, retry_after: int
) -> None:
    world.tenants.fails = fails

    answer = ask(caller)

    assert (answer.status, answer.kind) == (503, "unavailable")
    assert answer.headers["Retry-After"] == f"{retry_after}"
