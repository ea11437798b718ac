"""The routes on which operators check and act, as parts of the OpenAPI document."""

from collections.abc import Callable

from infra.generate.operator_schemas import (
    ACTION,
    CHECK,
    DEAD_LETTERS,
    FAILED,
    FLAG,
    FORGOTTEN,
    HANDLED,
    IDS,
    INVALID,
    NEWEST_REQUESTS,
    REASON,
    REPORT,
    REQUEST,
    RESOLUTION,
    RETRY,
    SOURCE,
    TENANT,
    TENANT_NAME,
    TEXT,
    TIME,
    TYPE,
    UNKNOWN_REQUEST,
    object_of,
    page,
)
from infra.generate.schemas import Document
from provisioner.operate.dead_letter_causes import Cause
from provisioner.operate.tenants import DEFAULT_LIMIT, MAX_LIMIT

type Problems = Callable[[dict[str, str]], Document]
"""Returns the responses with a problem, from their descriptions by status."""


def paths(problems: Problems) -> dict[str, Document]:
    """Return the routes by their paths."""
    return {
        "/v1/provisioning-requests/{id}/retries": {"post": _retry(problems)},
        "/v1/provisioning-requests/{id}/resolutions": {"post": _resolve(problems)},
        "/v1/tenants": {"get": _list_tenants(problems)},
        "/v1/tenants/{tenant}": {"get": _show_tenant(problems)},
        "/v1/tenants/{tenant}/checks": {"post": _check_tenant(problems)},
        "/v1/tenants/{tenant}/resumptions": {"post": _resume_tenant(problems)},
        "/v1/tenants/{tenant}/types": {"get": _list_types(problems)},
        "/v1/tenants/{tenant}/memory": {"delete": _forget_tenant(problems)},
        "/v1/dead-letters": {"get": _list_dead_letters(problems)},
        "/v1/dead-letters/redrives": {"post": _redrive(problems)},
        "/v1/dead-letters/drops": {"post": _drop(problems)},
        "/v1/sources": {"get": _list_sources(problems)},
        "/v1/sources/{source}/checks": {"post": _check_source(problems)},
        "/v1/audit": {"get": _list_actions(problems)},
    }


def _operation(
    operation_id: str, summary: str, answers: dict[str, tuple[str, Document]], problems: Document, **more: object
) -> Document:
    responses = {
        status: {"description": description, "content": {"application/json": {"schema": schema}}}
        for status, (description, schema) in answers.items()
    }
    return {"operationId": operation_id, "summary": summary, **more, "responses": {**responses, **problems}}


def _body(properties: dict[str, Document], required: tuple[str, ...] = ()) -> Document:
    schema = {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _retry(problems: Problems) -> Document:
    edited = {"type": "object", "description": "The edited body of the request; without it, the accepted one is sent."}
    return _operation(
        "retryRequest",
        "Send a settled request again, under a new id that is linked with the old one",
        {"202": ("The retry is accepted, or was before.", RETRY)},
        problems({**INVALID, **UNKNOWN_REQUEST, "409": "It is not settled, or has a retry already."}),
        parameters=[REQUEST],
        requestBody=_body({"reason": REASON, "body": edited}),
    )


def _resolve(problems: Problems) -> Document:
    there = {"type": "boolean", "description": "Whether everything that the request asks for is there, in Close."}
    return _operation(
        "resolveRequest",
        "Take what a person saw in Close about an unresolved request. Nothing is written to Close",
        {"200": ("The word is taken. Close's lists agree with it.", RESOLUTION)},
        problems(
            {
                **INVALID,
                **UNKNOWN_REQUEST,
                "409": "Close's lists say otherwise, or it is too early, or not unresolved.",
            }
        ),
        parameters=[REQUEST],
        requestBody=_body({"there": there, "reason": REASON}, ("there", "reason")),
    )


def _list_tenants(problems: Problems) -> Document:
    return _operation(
        "listTenants",
        "List the tenants that have a credential, by name",
        {"200": ("One page.", page(TENANT))},
        problems(INVALID),
        parameters=[
            _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
            _query("cursor", TEXT),
        ],
    )


def _show_tenant(problems: Problems) -> Document:
    unknown = {"404": "Nothing is known of the tenant."}
    answers = {"200": ("The tenant.", TENANT)}
    return _operation("showTenant", "Show a tenant", answers, problems(unknown), parameters=[TENANT_NAME])


def _check_tenant(problems: Problems) -> Document:
    pending = {"type": "boolean", "description": "Check the key that is staged as AWSPENDING, not the current one."}
    return _operation(
        "checkTenant",
        "Check a tenant from its secret to its rights at Close. Nothing is written",
        {"200": ("The findings, also if the tenant is not ready.", REPORT)},
        problems(INVALID),
        parameters=[TENANT_NAME],
        requestBody=_body({"pending": pending, "reason": REASON}),
    )


def _resume_tenant(problems: Problems) -> Document:
    resumed = {"type": "integer", "description": "How many requests were queued."}
    return _operation(
        "resumeTenant",
        "Queue the requests that wait for the tenant's credential, once it is stored",
        {"200": ("They are queued.", object_of({"tenant": TEXT, "resumed": resumed}))},
        problems(INVALID),
        parameters=[TENANT_NAME],
        requestBody=_body({"reason": REASON}),
    )


def _list_types(problems: Problems) -> Document:
    return _operation(
        "listTypes",
        "Show a tenant's types in Close beside the last requests for them. Nothing is written",
        {"200": ("The types by name. id is null for a type that Close does not have.", page(TYPE))},
        problems({**INVALID, "404": "The tenant has no credential."}),
        parameters=[TENANT_NAME],
    )


def _forget_tenant(problems: Problems) -> Document:
    return _operation(
        "forgetTenant",
        "Delete what is remembered about a tenant without a credential. Repeat it until done",
        {"200": ("The number of deleted requests, and a list of the rest that stays.", FORGOTTEN)},
        problems({**INVALID, "409": "It has a credential, or a request that is not announced."}),
        parameters=[TENANT_NAME, _query("reason", REASON)],
    )


def _list_dead_letters(problems: Problems) -> Document:
    answers = {"200": ("The oldest first, at most 300.", DEAD_LETTERS)}
    return _operation("listDeadLetters", "List dead-letter messages without hiding them", answers, problems(FAILED))


def _redrive(problems: Problems) -> Document:
    selection = {"ids": IDS, "cause": {"enum": [*map(str, Cause)]}, "all": {"const": True}, "reason": REASON}
    return _operation(
        "redriveDeadLetters",
        "Send dead-letter messages again that can succeed; exactly one of ids, cause and all selects them",
        {"200": ("The messages that were sent, and those that were kept, with the reason.", HANDLED)},
        problems(INVALID),
        requestBody=_body(selection),
    )


def _drop(problems: Problems) -> Document:
    return _operation(
        "dropDeadLetters",
        "Delete dead-letter messages for good",
        {"200": ("The messages that were deleted.", HANDLED)},
        problems(INVALID),
        requestBody=_body({"ids": IDS, "reason": REASON}, ("ids", "reason")),
    )


def _list_sources(problems: Problems) -> Document:
    listed = object_of({"data": {"type": "array", "items": SOURCE}, "latest": NEWEST_REQUESTS})
    return _operation("listSources", "List the sources", {"200": ("All of them.", listed)}, problems(INVALID))


def _check_source(problems: Problems) -> Document:
    name = {"name": "source", "in": "path", "required": True, "schema": TEXT}
    report = object_of({"source": TEXT, "ready": FLAG, "checks": {"type": "array", "items": CHECK}})
    return _operation(
        "checkSource",
        "Sign an example of each event with the stored secret, and take it through verification and mapping",
        {"200": ("The findings. Nothing was provisioned.", report)},
        problems({**INVALID, "404": "The source does not exist."}),
        parameters=[name],
        requestBody=_body({"reason": REASON}),
    )


def _list_actions(problems: Problems) -> Document:
    return _operation(
        "listActions",
        "List what operators did, the newest first",
        {"200": ("One page.", page(ACTION))},
        problems(INVALID),
        parameters=[_query("since", TIME), _query("limit", {"type": "integer"}), _query("cursor", TEXT)],
    )


def _query(name: str, schema: Document) -> Document:
    return {"name": name, "in": "query", "required": False, "schema": schema}
