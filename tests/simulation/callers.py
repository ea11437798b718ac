"""The callers of the service, and the responses that they received."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def body(request_id: str, name: str = "Account", tenant: str = "acme", **further: Any) -> dict[str, Any]:
    """A provisioning request for one type. ``further`` goes into the type, but for ``if_exists``."""
    policy = {"if_exists": further.pop("if_exists")} if "if_exists" in further else {}
    desired = {"name": name, "name_plural": f"{name.strip()}s", **further}
    return {"tenant": tenant, "request_id": request_id, **policy, "custom_object_type": desired}


def bodies(request_id: str, *types: Mapping[str, Any], tenant: str = "acme", **further: Any) -> dict[str, Any]:
    """A provisioning request for several types. ``further``: other keys of the request."""
    return {"tenant": tenant, "request_id": request_id, **further, "custom_object_types": list(types)}


def types_in(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The types that a request asks for."""
    return [request["custom_object_type"]] if "custom_object_type" in request else list(request["custom_object_types"])


def http_event(request: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the event that API Gateway passes to the function."""
    return {
        "resource": "/v1/provisioning-requests",
        "path": "/v1/provisioning-requests",
        "httpMethod": "POST",
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "pathParameters": None,
        "queryStringParameters": None,
        "requestContext": {"path": "/local/v1/provisioning-requests", "requestId": "r", "stage": "local"},
        "body": json.dumps(request),
        "isBase64Encoded": False,
    }


def operator_event(resource: str, request_key: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event that API Gateway passes to the operator's function. ``resource``: a route with ``{id}``."""
    return {
        **http_event(document, {}),
        "resource": resource,
        "path": resource.replace("{id}", request_key),
        "pathParameters": {"id": request_key},
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"userArn": "arn:aws:sts::123456789012:assumed-role/on-call/anna"}},
    }


@dataclass(slots=True)
class SubmittedRequest:
    """One request through any entry point, and every response that its caller received."""

    tenant: str
    request_id: str
    names: set[str] = field(default_factory=set)
    accepted: bool = False
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    responses: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return self.tenant, self.request_id

    def record(self, response: Mapping[str, Any]) -> None:
        """Record a response of the HTTP API."""
        self.responses.append(response)
        told = json.loads(response["body"]) if response["body"] else {}
        self.accepted |= response["statusCode"] < 300 or told.get("state") == "settled"
        if "outcome" in told:
            self.outcomes.append(told["outcome"])
