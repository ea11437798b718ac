"""Decides whether a new version of the api function gets traffic: CodeDeploy invokes it before the first request does.

It asks the new version for a plan. A plan reads the ledger, the tenant's credential and Close, and writes nothing.
Without a test tenant it sends an invalid request, which shows that the new version starts and answers.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3

EXPECTED = {True: 200, False: 400}
"""The status of a plan, with a test tenant and without one."""


def lambda_handler(event: Mapping[str, str], _context: object) -> str:
    """Answer CodeDeploy's question, and return the answer with its reason for the log."""
    try:
        reason = fault(boto3.client("lambda"), os.environ["NEW_VERSION"], os.environ.get("TEST_TENANT", ""))
    except Exception as error:  # noqa: BLE001 - of any kind: a version that cannot be asked gets no traffic
        reason = repr(error)
    status = "Failed" if reason else "Succeeded"
    print(json.dumps({"level": "ERROR" if reason else "INFO", "message": status, "reason": reason}))
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return status


def fault(lambda_: Any, version: str, tenant: str) -> str | None:
    """Return why the version must not get traffic; None if it may."""
    invoked = lambda_.invoke(FunctionName=version, Payload=json.dumps(plan_event(tenant)).encode())
    answer = json.loads(invoked["Payload"].read())
    if "FunctionError" in invoked:
        return f"the new version failed: {answer}"
    if answer.get("statusCode") != EXPECTED[bool(tenant)]:
        return (
            f"the new version answered {answer.get('statusCode')}, not {EXPECTED[bool(tenant)]}: {answer.get('body')}"
        )
    return None


def plan_event(tenant: str) -> dict[str, Any]:
    """Return what API Gateway would hand over for ``POST /v1/plans``."""
    spec = {"name": "Before traffic", "name_plural": "Before traffic"}
    body = {"tenant": tenant, "request_id": "before-traffic", "custom_object_type": spec} if tenant else {}
    return {
        "resource": "/v1/plans",
        "path": "/v1/plans",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "requestContext": {"requestId": "before-traffic", "stage": "live", "path": "/live/v1/plans", "identity": {}},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
