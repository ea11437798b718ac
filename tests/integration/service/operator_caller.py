"""Calls the operator's function of a stack, as API Gateway does. All that it asks of AWS is held to its role."""

import json
from collections.abc import Mapping
from typing import Any

from provisioner.handlers.operator import Operator
from tests.integration.service.locked_moto import client, recorded
from tests.integration.service.stack import Stack

ANNA = "arn:aws:sts::111122223333:assumed-role/on-call/anna"


class OperatorCaller:
    """An operator. Every answer is (status, body)."""

    def __init__(self, stack: Stack) -> None:
        self._operator = Operator.of(stack.service, client)
        self._judge = stack.judge()
        self.time_left = 28.0

    def call(
        self,
        route: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        query: Mapping[str, str] | None = None,
        **path: str,
    ) -> tuple[int, dict[str, Any]]:
        """``route``: method and resource, such as ``GET /v1/tenants/{tenant}``, whose parameters are ``path``."""
        method, resource = route.split(" ")
        event = {
            "resource": resource,
            "httpMethod": method,
            "pathParameters": path or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
            "requestContext": {"identity": {"userArn": ANNA}},
            "body": body if isinstance(body, str) or body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        with recorded() as calls:
            answer = self._operator.answer(event, lambda: self.time_left)
        faults = [fault for each in calls for fault in self._judge.faults("operator", each)]
        assert not faults, faults
        return answer["statusCode"], json.loads(answer["body"])

    def retry(self, request_key: str, **body: Any) -> tuple[int, dict[str, Any]]:
        return self.call("POST /v1/provisioning-requests/{id}/retries", body, id=request_key)

    def resolve(self, request_key: str, **body: Any) -> tuple[int, dict[str, Any]]:
        return self.call("POST /v1/provisioning-requests/{id}/resolutions", body, id=request_key)

    def audit(self) -> list[dict[str, Any]]:
        status, found = self.call("GET /v1/audit")
        assert status == 200
        data: list[dict[str, Any]] = found["data"]
        return data
