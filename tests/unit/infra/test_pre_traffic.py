"""The hook before traffic: a new version that cannot plan gets none."""

import io
import json
from typing import Any
from unittest.mock import MagicMock

import pytest

from infra.release import pre_traffic

EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}


def answered(monkeypatch: pytest.MonkeyPatch, answer: Any, tenant: str = "canary", **invoked: Any) -> tuple[str, Any]:
    """Return what the hook told CodeDeploy, and the event that it sent to the new version."""
    lambda_, codedeploy = MagicMock(), MagicMock()
    payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    lambda_.invoke.return_value = {"Payload": io.BytesIO(payload), **invoked}
    monkeypatch.setattr("boto3.client", {"lambda": lambda_, "codedeploy": codedeploy}.__getitem__)
    monkeypatch.setenv("NEW_VERSION", "arn:aws:lambda:eu-central-1:1:function:api:7")
    monkeypatch.setenv("TEST_TENANT", tenant)
    pre_traffic.lambda_handler(EVENT, None)
    told = codedeploy.put_lifecycle_event_hook_execution_status.call_args.kwargs
    assert (told["deploymentId"], told["lifecycleEventHookExecutionId"]) == ("d-1", "e-1")
    assert lambda_.invoke.call_args.kwargs["FunctionName"].endswith(":7")
    return told["status"], json.loads(lambda_.invoke.call_args.kwargs["Payload"])


def test_a_version_that_plans_gets_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    status, event = answered(monkeypatch, {"statusCode": 200, "body": "{}"})
    assert status == "Succeeded"
    assert (event["httpMethod"], event["resource"], json.loads(event["body"])["tenant"]) == (
        "POST",
        "/v1/plans",
        "canary",
    )


@pytest.mark.parametrize(
    ("answer", "invoked"),
    [
        ({"statusCode": 424, "body": "{}"}, {}),
        ({"statusCode": 400, "body": "{}"}, {}),
        ({"errorType": "Runtime.ImportModuleError"}, {"FunctionError": "Unhandled"}),
        (b"not JSON", {}),
    ],
)
def test_any_other_version_gets_none(monkeypatch: pytest.MonkeyPatch, answer: Any, invoked: dict[str, str]) -> None:
    assert answered(monkeypatch, answer, **invoked)[0] == "Failed"


def test_without_a_test_tenant_the_version_must_reject_an_empty_request(monkeypatch: pytest.MonkeyPatch) -> None:
    status, event = answered(monkeypatch, {"statusCode": 400, "body": "{}"}, tenant="")
    assert (status, json.loads(event["body"])) == ("Succeeded", {})
    assert answered(monkeypatch, {"statusCode": 200, "body": "{}"}, tenant="")[0] == "Failed"
