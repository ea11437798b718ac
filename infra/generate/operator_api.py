"""The operator's routes as parts of the OpenAPI document."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.generate.schemas import Document, ref
from provisioner.contract.request import IDENTIFIER_PATTERN
from provisioner.operate.request_filter import DEFAULT_LIMIT, MAX_LIMIT, ONE_OF, SOURCE_PATTERN, State

type Problems = Callable[[dict[str, str]], Document]
"""Returns the responses with a problem, from their descriptions by status."""

FAILURES = {"400": "A query parameter is not valid.", "503": "The answer could not be made. Send the call again."}


def list_requests(problems: Problems) -> Document:
    return {
        "operationId": "listRequests",
        "summary": "List requests, newest first",
        "parameters": [*map(_query, _FILTERS, _FILTERS.values())],
        "responses": {
            "200": {
                "description": "One page. It may be empty and have a next one.",
                "content": {"application/json": {"schema": ref("RequestPage")}},
            },
            **problems(FAILURES),
        },
    }


def _query(name: str, about: Mapping[str, Any]) -> Document:
    return {"name": name, "in": "query", "required": False, **about}


def _several(description: str, items: Document) -> Document:
    return {"description": description, "schema": {"type": "array", "items": items}}


_TIME = {"type": "string", "format": "date-time"}
_FILTERS: dict[str, Document] = {
    "tenant": {"description": "The tenant.", "schema": {"type": "string", "pattern": IDENTIFIER_PATTERN}},
    **{name: _several(f"Requests with one of these. ({name})", {"enum": [*map(str, ONE_OF[name])]}) for name in ONE_OF},
    "source": _several("Requests of one of these sources.", {"type": "string", "pattern": f"^{SOURCE_PATTERN}$"}),
    "since": {"description": "Requests accepted at this time or later.", "schema": _TIME},
    "until": {"description": "Requests accepted at this time or earlier.", "schema": _TIME},
    "limit": {
        "description": "The most requests of a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    },
    "cursor": {"description": "The next of the page before.", "schema": {"type": "string"}},
}


def or_null(schema: Document, description: str = "") -> Document:
    either = {"anyOf": [schema, {"type": "null"}]}
    return either | {"description": description} if description else either


_TEXT = {"type": "string"}
_SUMMARY: dict[str, Document] = {
    "tenant": _TEXT,
    "request_id": _TEXT,
    "id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "state": {"enum": [each.value for each in State], "description": "settled: the outcome is not published yet."},
    "result": or_null({"enum": [*map(str, ONE_OF["result"])]}),
    "problem": or_null({"enum": [*ONE_OF["problem"]]}),
    "entry_point": or_null({"enum": ["http", "webhook", "queue", "eventbridge"]}),
    "requested_by": or_null(_TEXT, "An IAM principal, source:<name>, an SQS sender, or event:<source> of EventBridge."),
    "what": {"type": "string", "description": "The blueprint, or the names of the types."},
    "accepted_at": _TIME,
    "settled_at": or_null(_TIME),
    "attempts": {"type": "integer"},
    "deferrals": {"type": "integer", "description": "How often it waited."},
    "waits_because": or_null(_TEXT),
    "next_at": or_null(_TIME, "When its present wait ends."),
    "retry_of": or_null(_TEXT, "The id of the request that this one repeats."),
    "retried_as": or_null(_TEXT, "The id of the request that repeats this one."),
}
SCHEMAS: dict[str, Document] = {
    "RequestSummary": {"type": "object", "required": [*_SUMMARY], "properties": _SUMMARY},
    "RequestPage": {
        "type": "object",
        "required": ["data", "next"],
        "properties": {
            "data": {"type": "array", "items": ref("RequestSummary")},
            "next": or_null(_TEXT, "The cursor of the next page; null at the end."),
        },
    },
}
