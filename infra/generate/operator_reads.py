"""The routes on which operators look at a request, the service and its blueprints, for the OpenAPI document."""

from collections.abc import Callable

from infra.generate.operator_api import or_null
from infra.generate.operator_schemas import NEWEST_REQUESTS
from infra.generate.schemas import Document, ref
from provisioner.contract.request import BLUEPRINT_PATTERN

type Problems = Callable[[dict[str, str]], Document]
"""Returns the responses with a problem, from their descriptions by status."""

FAILED = {"400": "A query parameter is not valid.", "503": "The answer could not be made. Send the call again."}
_TEXT, _NUMBER, _TIME = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date-time"}


def history(problems: Problems) -> Document:
    key = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
    return _read(
        "showHistory",
        "Return a request with its attempts, its outcome, and an explanation",
        {"allOf": [ref("RequestSummary"), _object(_HISTORY)]},
        problems({**FAILED, "404": "The request is unknown."}),
        [{"name": "id", "in": "path", "required": True, "schema": key}],
    )


def paths(problems: Problems) -> dict[str, Document]:
    """Return the other routes by their paths."""
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": BLUEPRINT_PATTERN}}
    status = _read("showStatus", "Return the service at a glance", _object(_STATUS), problems(FAILED))
    listed = _object({"data": {"type": "array", "items": _BLUEPRINT}})
    unknown = problems({**FAILED, "404": "The deployed version does not have it."})
    one = _read("showBlueprint", "Return one blueprint", _BLUEPRINT, unknown, [name])
    return {
        "/v1/status": {"get": status},
        "/v1/blueprints": {"get": _read("listBlueprints", "List the blueprints", listed, problems(FAILED))},
        "/v1/blueprints/{name}": {"get": one},
    }


def _read(
    operation_id: str, summary: str, schema: Document, problems: Document, parameters: list[Document] | None = None
) -> Document:
    answer = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
    return {
        "operationId": operation_id,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {"200": answer, **problems},
    }


def _object(properties: dict[str, Document]) -> Document:
    return {"type": "object", "required": [*properties], "properties": properties}


_COUNTS = {"type": "object", "additionalProperties": _NUMBER}
_CALL = _object(
    {
        "method": _TEXT,
        "path": _TEXT,
        "status": or_null(_NUMBER),
        "ms": _NUMBER,
        "error": or_null(_TEXT, "The kind of error, if the response was lost."),
    }
)
_ATTEMPT = _object(
    {
        "attempt": _NUMBER,
        "started_at": _TIME,
        "ms": _NUMBER,
        "entry_point": or_null(_TEXT, "http: while the caller waited. queue: by the worker."),
        "lambda_request_id": or_null(_TEXT),
        "trace_id": or_null(_TEXT),
        "interrupted": {**_NUMBER, "description": "Attempts before this one that were killed, or failed unexpectedly."},
        "calls": {"type": "array", "items": _CALL},
        "omitted_calls": {**_NUMBER, "description": "Calls that are not shown: an attempt keeps 40."},
        "ended": {"enum": ["settled", "deferred"]},
        "reason": or_null(_TEXT, "The reason to wait."),
        "seconds": or_null({"type": "number"}, "The wait."),
    }
)
_HISTORY: dict[str, Document] = {
    "history": {"type": "array", "items": _ATTEMPT, "description": "The last 20 attempts that ended, oldest first."},
    "body": {"type": "object", "description": "The accepted request, its blueprint expanded."},
    "outcome": or_null(ref("Outcome")),
    "explanation": _object({"because": _TEXT, "next": _TEXT}),
    "retained_until": _TIME,
}
_NEWEST = {"type": "string", "description": "The request_id of the newest one."}
_PROBLEM = _object({"problem": _TEXT, "tenant": _TEXT, "count": _NUMBER, "since": _TIME, "newest": _NEWEST})
_STATUS: dict[str, Document] = {
    "version": _TEXT,
    "region": or_null(_TEXT),
    "last_hour": {**_COUNTS, "description": "Requests by result; waiting: without one."},
    "last_day": _COUNTS,
    "by_minute": {
        "type": "array",
        "items": _object({"minute": _TIME, "results": _COUNTS}),
        "description": "Of the last hour, without the minutes that have no request.",
    },
    "latest": NEWEST_REQUESTS,
    "unfinished": _object({"count": _NUMBER, "oldest_accepted_at": or_null(_TIME)}),
    "by_problem": {"type": "array", "items": _PROBLEM, "description": "Of the last day, without retried requests."},
    "queue": _object({"depth": _NUMBER}),
    "dead_letters": {**_COUNTS, "description": "Messages by queue."},
}
_BLUEPRINT = _object(
    {
        "name": _TEXT,
        "description": _TEXT,
        "values": {"type": "object", "additionalProperties": {"type": "object"}},
        "custom_object_types": {"type": "array", "items": {"type": "object"}},
    }
)
