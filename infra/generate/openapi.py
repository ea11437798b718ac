"""The HTTP API as an OpenAPI 3.1 document."""

from typing import Any

from infra.generate import operator_actions, operator_api, operator_reads
from infra.generate.schemas import Document, components, ref
from provisioner import __version__
from provisioner.contract.request import IDENTIFIER_PATTERN
from provisioner.reconcile.plan import Action, TypeAction


def openapi() -> Document:
    """Return the document of infra/openapi.yaml."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Close Provisioner",
            "version": __version__,
            "description": "Creates Custom Object Types in Close CRM exactly once, and publishes the outcome.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"sigv4": []}],
        "paths": {
            "/v1/provisioning-requests": {"post": _provision(), "get": operator_api.list_requests(_problems)},
            "/v1/provisioning-requests/{id}": {"get": _show()},
            "/v1/plans": {"post": _plan()},
            "/v1/tenants/{tenant}/provisioning-requests": {
                "post": _for_tenant(_provision()),
                "get": _for_tenant(operator_api.list_requests(_problems)),
            },
            "/v1/tenants/{tenant}/provisioning-requests/{id}": {"get": _for_tenant(_show())},
            "/v1/tenants/{tenant}/plans": {"post": _for_tenant(_plan())},
            "/v1/webhooks/{source}": {"post": _deliver()},
            "/v1/provisioning-requests/{id}/history": {"get": operator_reads.history(_problems)},
            "/v1/tenants/{tenant}/provisioning-requests/{id}/history": {
                "get": _for_tenant(operator_reads.history(_problems))
            },
            **operator_reads.paths(_problems),
            **operator_actions.paths(_problems),
        },
        "components": {
            "securitySchemes": {"sigv4": _SIGNATURE},
            "schemas": components() | {"Shown": _SHOWN} | operator_api.SCHEMAS,
        },
    }


def _provision() -> Document:
    return {
        "operationId": "provision",
        "summary": "Create Custom Object Types and their fields, or reuse existing ones",
        "parameters": [
            _header("Idempotency-Key", "The request id, quoted or not. Alternatively, request_id in the body."),
            _header("Prefer", "respond-async: respond with 202 as soon as the request is stored."),
        ],
        "requestBody": _request_body(),
        "responses": {
            "201": _shown("The request created a type or a field."),
            "200": _shown("Every type existed already, or was updated."),
            "202": _shown("The request is stored, and has no outcome yet.", "Location", "Retry-After"),
            **_problems(_POST_PROBLEMS),
        },
    }


def _show() -> Document:
    return {
        "operationId": "show",
        "summary": "Return the state of a request, and its outcome",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": _REQUEST_KEY}],
        "responses": {"200": _shown("The request."), **_problems({"404": "The request is unknown."})},
    }


def _plan() -> Document:
    content = {"application/json": {"schema": _PLAN}, "text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "plan",
        "summary": "Return what a request would change, without writing anything",
        "parameters": [_header("Accept", "text/plain: the plan as readable text.")],
        "requestBody": _request_body(),
        "responses": {"200": {"description": "The plan.", "content": content}, **_problems(_PLAN_PROBLEMS)},
    }


def _deliver() -> Document:
    return {
        "operationId": "deliver",
        "summary": "Accept a signed event of a source (docs/guides/webhooks.md)",
        "security": [],
        "parameters": [{"name": "source", "in": "path", "required": True, "schema": _SOURCE_NAME}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "202": _json_answer("The event maps to a request, which is stored.", _DELIVERED),
            "200": _json_answer("The event is authentic. No request follows from it.", _IGNORED),
            **_problems(_WEBHOOK_PROBLEMS),
        },
    }


def _for_tenant(operation: Document) -> Document:
    """Return the same operation below the path of a tenant, which an IAM policy can name."""
    tenant = {"name": "tenant", "in": "path", "required": True, "schema": _TENANT}
    return {
        **operation,
        "operationId": f"{operation['operationId']}ForTenant",
        "summary": f"{operation['summary']}, for one tenant",
        "parameters": [tenant, *operation["parameters"]],
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
_TENANT = {
    "type": "string",
    "pattern": IDENTIFIER_PATTERN,
    "description": "The tenant. In the body it may be left out, and must not differ.",
}
_POST_PROBLEMS = {
    "400": "The request is invalid. errors[] points at each fault.",
    "404": "The tenant has no credential.",
    "409": "A type exists and if_exists is fail; a change is blocked; or the plan is outdated.",
    "413": "The body is too large.",
    "415": "Content-Type is not application/json.",
    "422": "Close rejected a type or field; a role or a reference does not exist; or the request id was used for "
    "other content.",
    "424": "The tenant's key, role or Close plan does not allow it. close_status tells them apart.",
    "503": "The service cannot say whether the request was accepted. Send it again with the same id.",
    "504": "The request is unresolved: whether Close created the type is unknown, or retries took too long.",
}
_PLAN_PROBLEMS = {
    **{status: _POST_PROBLEMS[status] for status in ("400", "404", "413", "415", "424")},
    "422": "A role or a reference does not exist.",
    "503": "Close cannot be read at the moment. Try again after Retry-After seconds.",
}
_STEP = {
    "type": "object",
    "required": ["action", "name", "pointer", "body"],
    "properties": {
        "action": {"enum": [each.value for each in Action]},
        "name": {"type": "string", "description": "The name of the type or field."},
        "pointer": {"type": "string", "description": "A JSON Pointer to its part of the request."},
        "body": {
            "type": "object",
            "description": "The body to send to Close. References are names of types, roles are ids.",
        },
        "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Difference"}},
    },
}
_TYPE_PLAN = {
    "type": "object",
    "required": ["name", "action", "id", "differences", "blocked", "other_matches"],
    "properties": {
        "name": {"type": "string"},
        "action": {"enum": [each.value for each in TypeAction]},
        "id": {"type": ["string", "null"], "description": "The id of the existing type in Close."},
        "differences": {"type": "array", "items": {"$ref": "#/components/schemas/Difference"}},
        "blocked": {"type": "array", "items": {"$ref": "#/components/schemas/Blocked"}},
        "other_matches": {"type": "array", "items": {"type": "string"}},
    },
}
_PLAN = {
    "type": "object",
    "required": ["digest", "types", "steps"],
    "properties": {
        "digest": {
            "type": "string",
            "description": "The digest of the plan. A request with it as plan_digest needs the same plan.",
        },
        "types": {"type": "array", "items": _TYPE_PLAN},
        "steps": {"type": "array", "items": _STEP, "description": "The steps in their order."},
    },
}
_WEBHOOK_PROBLEMS = {
    "401": "The signature is invalid or too old.",
    "404": "The source is unknown, or has no signing secret.",
    "413": "The body is too large.",
    "422": "The event is signed but cannot be mapped to a valid request. It is published as failed.",
    "503": "The service cannot say whether the event was accepted. Send it again.",
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
        "pending_reason": {"type": "string", "description": "The reason why the request has not been settled yet."},
        "outcome": {"$ref": "#/components/schemas/Outcome"},
    },
}
