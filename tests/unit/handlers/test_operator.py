"""The operator's API without AWS: unknown routes, failures, and what the gateway says of the caller."""

import json
from dataclasses import fields
from typing import Any

from provisioner.handlers.apigateway import principal_of
from provisioner.handlers.operator import ROUTES, Operator
from provisioner.ledger.request_lists import RequestLists
from provisioner.operate.request_pages import RequestPages

ANNA = "arn:aws:sts::111122223333:assumed-role/on-call/anna"


class BrokenDynamoDB:
    def query(self, **_: Any) -> Any:
        raise ConnectionError("api_key.secret")


def event(method: str = "GET", resource: str = "/v1/provisioning-requests", **further: Any) -> dict[str, Any]:
    identity = {"userArn": ANNA, "sourceIp": "192.0.2.1"}
    return {
        "resource": resource,
        "httpMethod": method,
        "pathParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": identity},
        "body": None,
        **further,
    }


def answer(**given: Any) -> tuple[int, dict[str, Any]]:
    parts: dict[str, Any] = dict.fromkeys(each.name for each in fields(Operator))
    parts["pages"] = RequestPages(RequestLists(BrokenDynamoDB(), "ledger"), 90, lambda: 1_800_000_000.0)
    operator = Operator(**parts)
    answered = operator.answer(event(**given), lambda: 28)
    return answered["statusCode"], json.loads(answered["body"])


def test_a_route_of_another_function_is_unknown() -> None:
    status, problem = answer(method="POST")
    assert (status, problem["type"]) == (404, "urn:close-provisioner:problem:not-found")


def test_a_failure_shows_the_caller_nothing_of_it() -> None:
    status, problem = answer()
    assert (status, problem["type"]) == (503, "urn:close-provisioner:problem:unavailable")
    assert "secret" not in json.dumps(problem)


def test_routes_below_a_tenant_are_those_above_it() -> None:
    of_requests = [(method, path) for method, path in ROUTES if "/provisioning-requests" in path]
    below = {(method, path.replace("/tenants/{tenant}", "")) for method, path in of_requests if "{tenant}" in path}
    assert below <= ROUTES.keys()


def test_the_caller_is_the_principal_that_the_gateway_verified() -> None:
    assert principal_of(event()) == ANNA
    assert principal_of(event(requestContext={"identity": {"userArn": None}})) is None
