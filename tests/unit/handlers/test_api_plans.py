"""The HTTP door: what would be done, said beforehand."""

import json
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.handlers.api import Api
from tests.fakes import a_request
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, Answer, Caller


@pytest.fixture
def world() -> HandlerWorld:
    return HandlerWorld()


@pytest.fixture
def caller(world: HandlerWorld) -> Caller:
    return Caller(world)


def ask(caller: Caller, body: Any = BODY, **headers: list[str]) -> Answer:
    return caller.call("POST", "/v1/plans", json.dumps(body), Content_Type=["application/json"], **headers)


def text(world: HandlerWorld, *accept: str) -> tuple[str, str]:
    """Media type and body of what is answered to somebody who accepts that."""
    event = {
        "resource": "/v1/plans", "httpMethod": "POST", "multiValueHeaders": {"Accept": list(accept)},
        "body": json.dumps(BODY), "isBase64Encoded": False,
    }  # fmt: skip
    answer = Api(world.service).answer(event, lambda: 28.0)
    assert answer["statusCode"] == 200
    return answer["headers"]["Content-Type"], answer["body"]


def test_200_as_json(world: HandlerWorld, caller: Caller) -> None:
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
    ],
)
def test_200_in_the_form_that_is_asked_for(world: HandlerWorld, accept: list[str], media_type: str) -> None:
    answered, body = text(world, *accept)

    assert answered == media_type
    assert ("+ create type Account" in body) is media_type.startswith("text")


def test_nothing_is_written_anywhere(world: HandlerWorld, caller: Caller) -> None:
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


def test_planned_then_applied(world: HandlerWorld, caller: Caller) -> None:
    digest = ask(caller).body["digest"]

    assert caller.post({**BODY, "plan_digest": digest}).status == 201


def test_409_planned_then_changed_then_applied(world: HandlerWorld, caller: Caller) -> None:
    digest = ask(caller).body["digest"]
    world.close.add("Account")

    answer = caller.post({**BODY, "plan_digest": digest})

    assert (answer.status, answer.kind) == (409, "plan-stale")
    again = ask(caller).body
    assert answer.body["outcome"]["plan"] == again
    assert caller.post({**BODY, "request_id": "2", "plan_digest": again["digest"]}).status == 200


def test_while_another_works_on_the_type(world: HandlerWorld, caller: Caller) -> None:
    world.lease_and_vanish(a_request("other"))

    assert ask(caller).status == 200


def test_400_with_pointers(world: HandlerWorld, caller: Caller) -> None:
    answer = ask(caller, {**BODY, "custom_object_type": {"name": "Account", "name_plural": "A", "fields": [{}]}})

    assert (answer.status, answer.kind) == (400, "invalid-request")
    pointers = [each["pointer"] for each in answer.body["errors"]]
    assert pointers == ["/custom_object_type/fields/0/name", "/custom_object_type/fields/0/type"]
    assert world.seen == []


def test_404_no_such_tenant(caller: Caller) -> None:
    answer = ask(caller, {**BODY, "tenant": "nobody"})

    assert (answer.status, answer.kind) == (404, "tenant-not-found")


def test_405_only_posted(caller: Caller) -> None:
    answer = caller.call("GET", "/v1/plans")

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_415_not_json(caller: Caller) -> None:
    assert caller.call("POST", "/v1/plans", "{}", Content_Type=["text/plain"]).status == 415


def test_424_the_credential_does_not_allow_it(world: HandlerWorld, caller: Caller) -> None:
    world.close.list_fails = Rejected(ProblemType.CREDENTIAL_REJECTED, "no", close_status=401)

    answer = ask(caller)

    assert (answer.status, answer.body["close_status"]) == (424, 401)


@pytest.mark.parametrize(
    ("fails", "retry_after"),
    [(Unavailable("Secrets Manager fails"), 5), (RetryLater("Close asks to wait (429)", 17.2), 18)],
)
def test_503_not_now(world: HandlerWorld, caller: Caller, fails: Exception, retry_after: int) -> None:
    world.tenants.fails = fails

    answer = ask(caller)

    assert (answer.status, answer.kind) == (503, "unavailable")
    assert answer.headers["Retry-After"] == f"{retry_after}"
