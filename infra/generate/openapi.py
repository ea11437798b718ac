"""The HTTP API as an OpenAPI 3.1 document."""

from typing import Any

from infra.generate.schemas import Document, components, ref
from provisioner import __version__
from provisioner.reconcile.plan import Action, TypeAction


def openapi() -> Document:
    """Return the document of infra/openapi.yaml."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Close Provisioner",
            "version": __version__,
            "description": "Creates Custom Object Types in Close CRM exactly once, and announces how it went.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"sigv4": []}],
        "paths": {
            "/v1/provisioning-requests": {"post": _provision()},
            "/v1/provisioning-requests/{id}": {"get": _show()},
            "/v1/plans": {"post": _plan()},
            "/v1/webhooks/{source}": {"post": _deliver()},
        },
        "components": {
            "securitySchemes": {"sigv4": _SIGNATURE},
            "schemas": components() | {"Shown": _SHOWN},
        },
    }


def _provision() -> Document:
    return {
        "operationId": "provision",
        "summary": "Make sure that Custom Object Types exist, with their fields",
        "parameters": [
            _header("Idempotency-Key", "The request id, quoted or bare; or give request_id in the body."),
            _header("Prefer", "respond-async: answer 202 as soon as the request is safe."),
        ],
        "requestBody": _request_body(),
        "responses": {
            "201": _shown("Something was created by this request."),
            "200": _shown("It was there already, or was updated."),
            "202": _shown("It is safe, and not settled yet.", "Location", "Retry-After"),
            **_problems(_POST_PROBLEMS),
        },
    }


def _show() -> Document:
    return {
        "operationId": "show",
        "summary": "The state of a request, and its outcome",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": _REQUEST_KEY}],
        "responses": {"200": _shown("The request."), **_problems({"404": "No such request."})},
    }


def _plan() -> Document:
    content = {"application/json": {"schema": _PLAN}, "text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "plan",
        "summary": "What would be done for a request; nothing is written anywhere",
        "parameters": [_header("Accept", "text/plain: the plan as text for people.")],
        "requestBody": _request_body(),
        "responses": {"200": {"description": "The plan.", "content": content}, **_problems(_PLAN_PROBLEMS)},
    }


def _deliver() -> Document:
    return {
        "operationId": "deliver",
        "summary": "Take an event from an upstream sender, who signs its own way (docs/guides/webhooks.md)",
        "security": [],
        "parameters": [{"name": "source", "in": "path", "required": True, "schema": _SOURCE_NAME}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "202": _json_answer("The event means a request, which is stored.", _DELIVERED),
            "200": _json_answer("The event is the sender's, and means no request.", _IGNORED),
            **_problems(_WEBHOOK_PROBLEMS),
        },
    }


def _request_body() -> Document:
    return {"required": True, "content": {"application/json": {"schema": ref("ProvisioningRequest")}}}


def _header(name: str, description: str) -> Document:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}


def _json_answer(description: str, schema: Document) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _shown(description: str, *headers: str) -> Document:
    answer = _json_answer(description, ref("Shown"))
    if headers:
        answer["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return answer


def _problems(descriptions: dict[str, str]) -> Document:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {status: {"description": text, "content": content} for status, text in descriptions.items()}


_SIGNATURE = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "AWS Signature Version 4, service execute-api.",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
_REQUEST_KEY = {
    "type": "string",
    "pattern": "^[0-9a-f]{32}$",
    "description": "The first 32 hex digits of the SHA-256 of tenant/request_id.",
}
_POST_PROBLEMS = {
    "400": "The request is not valid; errors[] points at each fault.",
    "404": "No such tenant.",
    "409": "A type exists, and if_exists is fail; what is wanted is blocked; or the plan is stale.",
    "413": "The body is too large.",
    "415": "The body is not said to be JSON.",
    "422": "Close refused what was wanted; a role or a reference does not exist; or the id was used for other content.",
    "424": "The tenant's key, role or plan does not allow it; close_status says which.",
    "503": "It is not known whether it was accepted; send it again under the same id.",
    "504": "It is not known whether the type was created, or it was tried for too long.",
}
_PLAN_PROBLEMS = {
    **{status: _POST_PROBLEMS[status] for status in ("400", "404", "413", "415", "424")},
    "422": "A role or a reference does not exist.",
    "503": "Close cannot be asked at the moment; Retry-After says when.",
}
_STEP = {
    "type": "object",
    "required": ["action", "name", "pointer", "body"],
    "properties": {
        "action": {"enum": [each.value for each in Action]},
        "name": {"type": "string", "description": "Of the type or field."},
        "pointer": {"type": "string", "description": "To its part of the request's body."},
        "body": {"type": "object", "description": "What is sent; references are natural keys, roles are ids."},
        "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Difference"}},
    },
}
_TYPE_PLAN = {
    "type": "object",
    "required": ["name", "action", "id", "differences", "blocked", "other_matches"],
    "properties": {
        "name": {"type": "string"},
        "action": {"enum": [each.value for each in TypeAction]},
        "id": {"type": ["string", "null"], "description": "In Close, where it is there."},
        "differences": {"type": "array", "items": {"$ref": "#/components/schemas/Difference"}},
        "blocked": {"type": "array", "items": {"$ref": "#/components/schemas/Blocked"}},
        "other_matches": {"type": "array", "items": {"type": "string"}},
    },
}
_PLAN = {
    "type": "object",
    "required": ["digest", "types", "steps"],
    "properties": {
        "digest": {"type": "string", "description": "Of all that it was computed from."},
        "types": {"type": "array", "items": _TYPE_PLAN},
        "steps": {"type": "array", "items": _STEP, "description": "In the order in which they would be done."},
    },
}
_WEBHOOK_PROBLEMS = {
    "401": "It is not signed with a secret that is active here, or not lately.",
    "404": "No such source, or none that has a secret here.",
    "413": "The body is too large.",
    "422": "The event is signed and cannot be understood. It is announced as failed.",
    "503": "It is not known whether it was accepted; send it again.",
}
_SOURCE_NAME = {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}
_IGNORED = {
    "type": "object",
    "required": ["state", "reason"],
    "properties": {"state": {"const": "ignored"}, "reason": {"type": "string"}},
}
_DELIVERED: dict[str, Any] = {
    "type": "object",
    "required": ["id", "tenant", "request_id", "state"],
    "properties": {
        "id": _REQUEST_KEY,
        "tenant": {"type": "string"},
        "request_id": {"type": "string"},
        "state": {"enum": ["accepted", "settled"]},
    },
}
_SHOWN = {
    **_DELIVERED,
    "properties": {
        **_DELIVERED["properties"],
        "waiting": {"type": "string", "description": "Why it is not settled yet, in words."},
        "outcome": {"$ref": "#/components/schemas/Outcome"},
    },
}
