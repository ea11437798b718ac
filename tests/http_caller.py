"""A caller of the HTTP API, with events as API Gateway sends them."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from provisioner.contract.request import request_key
from provisioner.handlers.api import Api
from tests.handlers import HandlerWorld

BODY = {
    "tenant": "acme",
    "request_id": "signup-8841",
    "custom_object_type": {"name": "Account", "name_plural": "Accounts"},
}
IDENTITY = {"sourceIp": "192.0.2.1", "userArn": "arn:aws:sts::111122223333:assumed-role/signup/anna"}
ID = request_key("acme", "signup-8841")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """Return the name of the problem."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == self.status
        assert {"type", "title", "status", "detail"} <= self.body.keys()
        return str(self.body["type"]).removeprefix("urn:close-provisioner:problem:")


class Caller:
    """A caller with a SigV4 key. Header values are lists, as API Gateway keeps them apart."""

    def __init__(self, world: HandlerWorld) -> None:
        self.api = Api(world.service)
        self.time_left = 28.0

    def call(
        self, method: str, resource: str, body: str | None = None, parameters: Any = None, **headers: list[str]
    ) -> Answer:
        named = {name.replace("_", "-"): values for name, values in headers.items()}
        event = {
            "resource": resource,
            "path": resource,
            "httpMethod": method,
            "headers": {name: values[-1] for name, values in named.items()} or None,
            "multiValueHeaders": named or None,
            "queryStringParameters": None,
            "pathParameters": parameters,
            "requestContext": {"stage": "v1", "requestId": "request-1", "identity": IDENTITY},
            "body": base64.b64encode(body.encode()).decode() if body is not None else None,
            "isBase64Encoded": body is not None,
        }
        return self.send(event)

    def send(self, event: dict[str, Any]) -> Answer:
        answer = self.api.answer(event, lambda: self.time_left)
        assert answer.keys() == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert answer["isBase64Encoded"] is False
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert all(isinstance(value, str) for value in answer["headers"].values())
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def post(self, body: object = BODY, **headers: list[str]) -> Answer:
        text = body if isinstance(body, str) else json.dumps(body)
        return self.call("POST", "/v1/provisioning-requests", text, Content_Type=["application/json"], **headers)

    def get(self, request_key: str) -> Answer:
        return self.call("GET", "/v1/provisioning-requests/{id}", parameters={"id": request_key})
