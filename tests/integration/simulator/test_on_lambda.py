"""The simulated Close as a Lambda function: its URL answers as Close does, and control calls come by invocation."""

import base64
import io
import json
from typing import Any
from unittest.mock import MagicMock

import pytest

from infra.acceptance.simulated_close import InvokedControls
from infra.simulator import on_lambda
from infra.simulator.control.api import Control
from infra.simulator.control.client import ControlError


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> InvokedControls:
    """Return the controls of a new simulated Close, invoked as a function."""
    monkeypatch.setattr(on_lambda, "control", Control())
    monkeypatch.setattr(on_lambda, "LONGEST_HOLD_SECONDS", 0.01)
    lambda_ = MagicMock()

    def invoke(FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert FunctionName == "simulated-close"
        return {"Payload": io.BytesIO(json.dumps(on_lambda.lambda_handler(json.loads(Payload), None)).encode())}

    lambda_.invoke.side_effect = invoke
    return InvokedControls(lambda_, "simulated-close")


def called(method: str, path: str, key: str, body: Any = None) -> dict[str, Any]:
    """Return the answer to a request to the function's URL."""
    event = {
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}",
            "content-type": "application/json",
        },
        "requestContext": {"http": {"method": method}, "domainName": "abc.lambda-url.eu-central-1.on.aws"},
        "body": base64.b64encode(json.dumps(body).encode()).decode() if body else "",
        "isBase64Encoded": bool(body),
    }
    answer: dict[str, Any] = on_lambda.lambda_handler(event, None)
    return answer


def created(key: str, name: str = "Project") -> dict[str, Any]:
    return called("POST", "/api/v1/custom_object_type/", key, {"name": name, "name_plural": f"{name}s"})


def test_a_type_is_created_over_the_url_and_seen_by_control(close: InvokedControls) -> None:
    organization = close.add_organization(name="Acme")
    answer = created(organization["keys"][0])
    assert answer["statusCode"] in {200, 201}
    assert json.loads(base64.b64decode(answer["body"]))["name"] == "Project"
    assert [each["name"] for each in close.types(organization["id"])] == ["Project"]
    assert len(close.requests(organization["id"], method="POST")) == 1
    assert called("GET", "/api/v1/me/", "a wrong key")["statusCode"] == 401


@pytest.mark.parametrize("fault", ["create_then_hang_up", "create_then_never_answer"])
def test_a_lost_response_fails_the_invocation_after_the_create(close: InvokedControls, fault: str) -> None:
    organization = close.add_organization(name="Acme")
    close.arm(fault, aim={"organization": organization["id"], "method": "POST"})
    with pytest.raises(on_lambda.ConnectionLost):
        created(organization["keys"][0])
    assert len(close.types(organization["id"])) == 1


def test_control_calls_come_by_invocation_only(close: InvokedControls) -> None:
    assert called("GET", "/_control/organizations/", "")["statusCode"] == 403
    with pytest.raises(ControlError, match="not found"):
        close.clear_organization("orga_unknown")
