"""The schemas of what operators' calls take and return, for the OpenAPI document."""

from infra.generate.schemas import Document, ref
from provisioner.contract.request import IDENTIFIER_PATTERN
from provisioner.operate.action_body import MAX_REASON
from provisioner.operate.checks import Mark, Who
from provisioner.operate.dead_letter_causes import Cause
from provisioner.operate.dead_letters import MAX_IDS
from provisioner.operate.recent_requests import LATEST


def or_null(schema: Document) -> Document:
    return {"anyOf": [schema, {"type": "null"}]}


def object_of(properties: dict[str, Document]) -> Document:
    return {"type": "object", "required": [*properties], "properties": properties}


def page(entry: Document) -> Document:
    return object_of({"data": {"type": "array", "items": entry}, "next": or_null(TEXT)})


FAILED = {"503": "The answer could not be made. Send the call again."}
INVALID = {"400": "The call is not valid; errors[] points at each fault.", **FAILED}
UNKNOWN_REQUEST = {"404": "No request has this id, or its retention has ended."}

TEXT: Document = {"type": "string"}
FLAG: Document = {"type": "boolean"}
NUMBER: Document = {"type": "integer"}
TIME: Document = {"type": "string", "format": "date-time"}
REASON: Document = {"type": "string", "minLength": 1, "maxLength": MAX_REASON, "description": "Kept in the audit."}
IDS: Document = {"type": "array", "items": TEXT, "maxItems": MAX_IDS}
KEY: Document = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
REQUEST: Document = {"name": "id", "in": "path", "required": True, "schema": KEY}
TENANT_NAME: Document = {
    "name": "tenant",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": IDENTIFIER_PATTERN},
}
RETRY = object_of({"id": KEY, "request_id": TEXT, "tenant": TEXT, "retry_of": KEY})
RESOLUTION = object_of(
    {
        "id": KEY,
        "tenant": TEXT,
        "request_id": TEXT,
        "there": FLAG,
        "types": {"type": "array", "items": object_of({"name": TEXT, "id": or_null(TEXT)})},
        "missing": {"type": "array", "items": TEXT},
    }
)
CREDENTIAL: Document = {
    "type": "object",
    "properties": {
        "kind": or_null({"enum": ["api_key", "access_token"]}),
        "changed_at": or_null(TIME),
        "fault": TEXT,
    },
}
NEWEST_REQUESTS: Document = {
    "type": "array",
    "items": ref("RequestSummary"),
    "description": f"The {LATEST} newest of the last day.",
}
TENANT = object_of(
    {
        "tenant": TEXT,
        "organization": or_null(object_of({"id": TEXT})),
        "credential": or_null(CREDENTIAL),
        "pinned": or_null(FLAG),
        "paused_until": or_null(TIME),
        "last_request": or_null(ref("RequestSummary")),
        "waiting": {**NUMBER, "description": "Requests without a result."},
    }
)
CHECK = object_of(
    {
        "name": TEXT,
        "mark": {
            "enum": [*map(str, Mark)],
            "description": "unknown: it could not be made, or Close does not tell.",
        },
        "seen": TEXT,
        "fix": or_null(TEXT),
        "who": or_null({"enum": [*map(str, Who)]}),
    }
)
REPORT = object_of(
    {
        "tenant": TEXT,
        "ready": FLAG,
        "checks": {"type": "array", "items": CHECK},
        "organization": or_null(object_of({"id": TEXT, "name": TEXT})),
    }
)
ANY: Document = {"description": "Any JSON value."}
TYPE = object_of(
    {
        "name": TEXT,
        "id": or_null(TEXT),
        "request": or_null(TEXT),
        "asked_at": or_null(TIME),
        "keys": {
            "type": "array",
            "items": object_of({"key": TEXT, "observed": ANY, "desired": ANY, "differs": FLAG}),
        },
    }
)
FORGOTTEN = object_of({"tenant": TEXT, "done": FLAG, "requests": NUMBER, "stays": {"type": "array", "items": TEXT}})
DEAD_LETTER = object_of(
    {
        "id": TEXT,
        "queue": {"enum": ["provisioning", "events"]},
        "cause": {"enum": [*map(str, Cause)]},
        "reason": TEXT,
        "tenant": or_null(TEXT),
        "request_id": or_null(TEXT),
        "first_seen": or_null(TIME),
        "body": TEXT,
        "truncated": FLAG,
        "redrivable": FLAG,
    }
)
DEAD_LETTERS = object_of(
    {
        "data": {"type": "array", "items": DEAD_LETTER},
        "causes": {"type": "object", "additionalProperties": NUMBER},
    }
)
HANDLED = object_of(
    {
        "done": {"type": "array", "items": TEXT},
        "kept": {"type": "array", "items": object_of({"id": TEXT, "cause": TEXT, "reason": TEXT})},
        "missing": {"type": "array", "items": TEXT},
    }
)
SOURCE = object_of(
    {
        "source": TEXT,
        "path": TEXT,
        "secret_stored": or_null(FLAG),
        "active_secrets": or_null(NUMBER),
        "accepted_last_day": NUMBER,
        "fault": or_null(TEXT),
    }
)
ACTION = object_of(
    {
        "id": TEXT,
        "at": TIME,
        "principal": TEXT,
        "action": TEXT,
        "target": TEXT,
        "reason": or_null(TEXT),
        "result": TEXT,
    }
)
