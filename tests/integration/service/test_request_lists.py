"""The operator's lists of requests, over the real indexes of moto."""

import json
import random
from typing import Any

import pytest

from provisioner.contract.outcome import Outcome, Result
from provisioner.handlers.operator import Operator
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack

REQUESTS = "/v1/provisioning-requests"
DAY = 86_400


def operator(stack: Stack) -> Operator:
    return Operator.of(stack.service, client)


def ask(stack: Stack, tenant: str | None = None, time_left: float = 28, **query: Any) -> dict[str, Any]:
    event = {
        "resource": "/v1/tenants/{tenant}/provisioning-requests" if tenant else REQUESTS,
        "httpMethod": "GET",
        "pathParameters": {"tenant": tenant} if tenant else None,
        "multiValueQueryStringParameters": {name: [str(value)] for name, value in query.items()} or None,
        "requestContext": {"identity": {"userArn": "arn:aws:iam::111122223333:user/anna"}},
        "body": None,
    }
    answer = operator(stack).answer(event, lambda: time_left)
    return {"status": answer["statusCode"], **json.loads(answer["body"])}


def all_pages(stack: Stack, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    for _ in range(500):
        page = ask(stack, **query, **cursor)
        found += page["data"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}
    raise AssertionError("the list does not end")


def test_a_request_is_listed_from_acceptance_to_announcement(stack: Stack) -> None:
    request = a_request()
    record = stack.service.ledger.accept(request)
    [waiting] = ask(stack)["data"]
    assert (waiting["state"], waiting["result"], waiting["what"], waiting["attempts"]) == (
        "waiting",
        None,
        "Account",
        0,
    )

    stack.service.ledger.record_deferral(record, 20, "Close could not be reached")
    [deferred] = ask(stack)["data"]
    assert (deferred["waits_because"], deferred["deferrals"]) == ("Close could not be reached", 1)
    assert deferred["next_at"] > deferred["accepted_at"]

    outcome = Outcome(
        tenant="acme", request_id=request.request_id, result=Result.CREATED, settled_at="2027-01-15T08:00:00.5+00:00"
    )
    stack.service.ledger.settle(record, outcome)
    [settled] = ask(stack)["data"]
    assert (settled["state"], settled["result"]) == ("settled", "created")
    assert settled["settled_at"] == "2027-01-15T08:00:00.500Z"
    assert (settled["waits_because"], settled["next_at"]) == (None, None)

    stack.service.ledger.mark_published(record)
    [announced] = ask(stack)["data"]
    assert announced == settled | {"state": "announced"}


def test_only_requests_are_listed(stack: Stack) -> None:
    stack.work(a_request().to_json())

    assert [each["request_id"] for each in ask(stack)["data"]] == ["signup-8841"]
    assert [each["request_id"] for each in ask(stack, "acme")["data"]] == ["signup-8841"]
    assert ask(stack, "globex")["data"] == []


def test_pages_hold_every_request_once_and_in_order(stack: Stack) -> None:
    """Over days, with several requests of one moment, while others arrive."""
    moments = random.Random(7)  # noqa: S311
    start = stack.clock.now
    for number in range(40):
        stack.clock.now = start - moments.choice([0, 1, 1, 2, DAY, 3 * DAY + 5])
        stack.service.ledger.accept(a_request(f"r-{number}", tenant=moments.choice(["acme", "globex"])))
    stack.clock.now = start
    expected = sorted(((each["accepted_at"], each["id"]) for each in all_pages(stack, limit=200)), reverse=True)
    assert len(set(expected)) == 40

    for limit in (1, 7, 20):
        found = all_pages(stack, limit=limit)
        assert [(each["accepted_at"], each["id"]) for each in found] == expected

    assert all_pages(stack, limit=11, tenant="acme") == [
        each for each in all_pages(stack, limit=40) if each["tenant"] == "acme"
    ]

    first = ask(stack, limit=15)
    stack.clock.advance(1)
    stack.service.ledger.accept(a_request("later"))
    rest = ask(stack, cursor=first["next"], limit=200)["data"]
    assert [(each["accepted_at"], each["id"]) for each in [*first["data"], *rest]] == expected


def test_a_filter_reads_on_until_its_page_is_full(stack: Stack) -> None:
    for number in range(30):
        record = stack.service.ledger.accept(a_request(f"r-{number}"))
        result = Result.CREATED if number % 10 else Result.UNCHANGED
        outcome = Outcome(
            tenant="acme", request_id=record.request_id, result=result, settled_at="2027-01-15T08:00:00+00:00"
        )
        stack.service.ledger.settle(record, outcome)
        stack.clock.advance(1)

    found = ask(stack, result="unchanged", limit=3)
    assert [each["request_id"] for each in found["data"]] == ["r-20", "r-10", "r-0"]


def test_since_and_until_include_their_moments(stack: Stack) -> None:
    stack.clock.now = 1_800_000_000.0
    for number in range(5):
        stack.service.ledger.accept(a_request(f"r-{number}"))
        stack.clock.advance(60)

    span: dict[str, Any] = {"since": "2027-01-15T08:01:00Z", "until": "2027-01-15T08:03:00Z"}
    assert [each["request_id"] for each in ask(stack, **span)["data"]] == ["r-3", "r-2", "r-1"]
    assert [each["request_id"] for each in ask(stack, "acme", **span)["data"]] == ["r-3", "r-2", "r-1"]
    assert ask(stack, since=span["until"], until=span["since"]) == {"status": 200, "data": [], "next": None}


def test_a_page_ends_in_time_and_the_next_continues(stack: Stack) -> None:
    for number in range(3):
        stack.service.ledger.accept(a_request(f"r-{number}"))
        stack.clock.advance(DAY)

    first = ask(stack, state="waiting", time_left=4)
    second = ask(stack, state="waiting", time_left=4, cursor=first["next"])
    assert [each["request_id"] for each in [*first["data"], *second["data"]]] == ["r-2", "r-1"]


@pytest.mark.parametrize("query", [{"limit": 0}, {"cursor": "x"}, {"nothing": 1}])
def test_a_query_that_is_not_valid_is_a_problem(stack: Stack, query: dict[str, Any]) -> None:
    answer = ask(stack, **query)
    assert (answer["status"], answer["type"]) == (400, "urn:close-provisioner:problem:invalid-request")
