"""A stack with a few tenants, requests, senders and troubles, as its routes show it."""

from typing import Any

from close_provisioner.client.requests import request_key
from tests.unit.cli.answers import problem

CALLER = "arn:aws:sts::111122223333:assumed-role/orders/i-0abc"


def summary(name: str, state: str = "announced", result: str | None = "created", **more: Any) -> dict[str, Any]:
    """Return a request as lists show it. ``name``: ``tenant/request-id``."""
    tenant, request_id = name.split("/")
    shown = {
        "tenant": tenant,
        "request_id": request_id,
        "id": request_key(tenant, request_id),
        "state": state,
        "result": result,
        "problem": None,
        "entry_point": "http",
        "requested_by": CALLER,
        "what": "Ticket",
        "accepted_at": "2026-11-27T11:58:40.690Z",
        "settled_at": "2026-11-27T11:58:42.830Z" if result else None,
        "attempts": 1,
        "deferrals": 0,
        "waits_because": None,
        "next_at": None,
        "retry_of": None,
        "retried_as": None,
    }
    return {**shown, **more}


LOST = summary(
    "globex/lost-1",
    result="recovered",
    what="Milestone",
    attempts=2,
    deferrals=1,
    entry_point="queue",
    requested_by="A",
)
REQUESTS = [
    LOST,
    summary("acme/signup-8841", what="account", entry_point="webhook", requested_by="source:stripe"),
    summary(
        "initech/bulk-39",
        result="failed",
        problem="credential-rejected",
        accepted_at="2026-11-27T11:43:31.000Z",
        retried_as=request_key("initech", "bulk-39.retry-1"),
    ),
    summary(
        "org_2ZQx7v5Ue0fT3rWnK1mB9cHd/msg_6e1ceb638a2f4b0c9d11",
        "waiting",
        None,
        what="account",
        entry_point="webhook",
        requested_by="source:clerk",
        accepted_at="2026-11-26T23:42:17.000Z",
        waits_because="Tenant 'org_2ZQx7v5Ue0fT3rWnK1mB9cHd' has no credential. Ask the operator to store one.",
        next_at="2026-11-27T12:22:17.000Z",
    ),
    summary("globex/unres-1", "settled", "unresolved", problem="unresolved", accepted_at="2026-11-20T08:00:00.000Z"),
]
CALLS = [
    {"method": "GET", "path": "custom_object_type", "status": 200, "ms": 4.2, "error": None},
    {"method": "POST", "path": "custom_object_type", "status": None, "ms": 6.0, "error": "ReadError"},
]
HISTORY = {
    **LOST,
    "history": [
        {
            "attempt": 1,
            "started_at": "2026-11-27T11:58:40.692Z",
            "ms": 12.4,
            "entry_point": "worker",
            "lambda_request_id": "0a1b",
            "trace_id": None,
            "calls": CALLS,
            "ended": "deferred",
            "reason": "the write was sent, but its response was lost (ReadError)",
            "seconds": 2.1,
        },
        {
            "attempt": 2,
            "started_at": "2026-11-27T11:58:42.815Z",
            "ms": 14.9,
            "entry_point": "worker",
            "calls": CALLS[:1],
            "ended": "settled",
        },
    ],
    "body": {"tenant": "globex", "request_id": "lost-1", "custom_object_type": {"name": "Milestone"}},
    "outcome": {
        "tenant": "globex",
        "request_id": "lost-1",
        "result": "recovered",
        "types": [{"name": "Milestone", "id": "cotype_1HMBoiwDbILd6WKZr3BsRY", "result": "recovered"}],
        "attempts": 2,
        "settled_at": "2026-11-27T11:58:42.830Z",
    },
    "explanation": {
        "because": "The type was created once; the response of Close was lost, and the service found the type later.",
        "next": "Nothing to do: recovered counts as created.",
    },
    "retained_until": "2027-02-25T11:58:40.690Z",
}
WAITING = {
    **REQUESTS[3],
    "history": [],
    "body": None,
    "outcome": None,
    "explanation": {"because": "The tenant has no key.", "next": "Store it: close-provisioner tenants add NAME."},
    "retained_until": None,
}
FAILED_HISTORY = {
    **summary("hooli/onb-1", result="failed", problem="plan-limit", what="Ticket"),
    "history": [
        {"attempt": 1, "started_at": "2026-11-27T11:58:41.000Z", "ms": 9, "ended": "settled", "interrupted": 2},
    ],
    "body": {"tenant": "hooli", "request_id": "onb-1", "blueprint": "account"},
    "outcome": {
        "tenant": "hooli",
        "request_id": "onb-1",
        "result": "failed",
        "problem": problem("plan-limit", 424, "The Close plan of this organization allows no more types."),
    },
    "explanation": {"because": "Close's plan allows no more types (402).", "next": "Ask for another plan, then retry."},
}
REPORT = {
    "tenant": "umbrella",
    "ready": False,
    "organization": {"id": "orga_umbrella", "name": "Umbrella"},
    "checks": [
        {"name": "secret", "mark": "ok", "seen": "p/tenants/umbrella, version 0d460771.", "fix": None, "who": None},
        {"name": "key", "mark": "ok", "seen": "Close accepts the API key.", "fix": None, "who": None},
        {
            "name": "permission",
            "mark": "failed",
            "seen": "The role User (user) lacks manage_customizations: every create would be rejected (403).",
            "fix": "In Close, Settings > Roles & Permissions, let this role manage customizations.",
            "who": "close-admin",
        },
        {"name": "plan", "mark": "unknown", "seen": "Not knowable by reading.", "fix": None, "who": None},
        {
            "name": "clock",
            "mark": "warning",
            "seen": "Close's clock is 90 s ahead.",
            "fix": "Wait.",
            "who": "operator",
        },
    ],
}
READY = {
    "tenant": "acme",
    "ready": True,
    "organization": {"id": "orga_acme", "name": "Acme"},
    "checks": [{"name": "key", "mark": "ok", "seen": "Close accepts the API key.", "fix": None, "who": None}],
}
TYPES: dict[str, Any] = {
    "data": [
        {
            "name": "Account",
            "id": "cotype_1HMBoiwDbILd6WKZr3BsRY",
            "request": request_key("acme", "signup-1"),
            "asked_at": "2026-11-27T11:41:17.301Z",
            "keys": [
                {"key": "name", "observed": "Account", "desired": "Account", "differs": False},
                {"key": "description", "observed": "Edited by hand", "desired": "A customer", "differs": True},
                {"key": "fields/Tier", "observed": None, "desired": ["Free", "Paid"], "differs": True},
            ],
        },
        {"name": "Crate", "id": "cotype_9", "request": None, "asked_at": None, "keys": []},
        {"name": "Parcel", "id": None, "request": request_key("acme", "gone-1"), "asked_at": None, "keys": []},
    ],
    "next": None,
}
TENANTS: dict[str, Any] = {
    "data": [
        {
            "tenant": "acme",
            "organization": {"id": "orga_acme", "name": "Acme"},
            "credential": {"kind": "api_key", "changed_at": "2026-10-01T08:00:00.000Z"},
            "pinned": True,
            "paused_until": None,
            "last_request": REQUESTS[1],
            "waiting": 0,
        },
        {
            "tenant": "newco",
            "organization": None,
            "credential": {"changed_at": "2026-11-27T10:00:00.000Z"},
            "pinned": None,
            "paused_until": "2026-11-27T12:05:00.000Z",
            "last_request": None,
            "waiting": 3,
        },
    ],
    "next": None,
}
SOURCES = {
    "data": [
        {
            "source": "clerk",
            "path": "/v1/webhooks/clerk",
            "secret_stored": False,
            "active_secrets": 0,
            "fault": None,
            "accepted_last_day": 0,
        },
        {
            "source": "stripe",
            "path": "/v1/webhooks/stripe",
            "secret_stored": True,
            "active_secrets": 2,
            "fault": "secrets[1] is empty",
            "accepted_last_day": 1204,
        },
    ],
    "latest": [REQUESTS[1]],
}
SOURCE_REPORT = {
    "source": "stripe",
    "ready": True,
    "checks": [
        {"name": "file", "mark": "ok", "seen": "Events: customer.created.", "fix": None, "who": None},
        {
            "name": "event customer.created",
            "mark": "ok",
            "seen": "Verified and mapped: account for tenant 'cus_1'. Nothing was provisioned.",
            "fix": None,
            "who": None,
        },
    ],
}
DEAD_LETTERS: dict[str, Any] = {
    "data": [
        {
            "id": "4f1c2a90-1",
            "queue": "provisioning",
            "cause": "service-failed",
            "reason": "The service failed on it five times; its outcome is unresolved.",
            "tenant": "globex",
            "request_id": "r-2",
            "first_seen": "2026-11-27T03:12:00.000Z",
            "body": '{"tenant": "globex", "request_id": "r-2"}',
            "truncated": False,
            "redrivable": True,
        },
        {
            "id": "9ab3ffff-2",
            "queue": "provisioning",
            "cause": "not-a-request",
            "reason": "The body is not JSON: line 1, column 1.",
            "tenant": None,
            "request_id": "9ab3ffff-2",
            "first_seen": "2026-11-26T18:41:00.000Z",
            "body": "<signup/>",
            "truncated": False,
            "redrivable": False,
        },
    ],
    "causes": {"not-a-request": 1, "service-failed": 1},
}
AUDIT = {
    "data": [
        {
            "id": "a1",
            "at": "2026-11-27T11:00:00.000Z",
            "principal": "arn:aws:sts::111122223333:assumed-role/oncall/anna",
            "action": "retry",
            "target": "initech/bulk-39",
            "reason": "key fixed, OPS-812",
            "result": "accepted as bulk-39.retry-1",
        }
    ],
    "next": None,
}
STATUS = {
    "version": "0.2.0",
    "region": "eu-central-1",
    "last_hour": {"created": 60, "unchanged": 6, "failed": 43, "unresolved": 1, "waiting": 1},
    "last_day": {"created": 900, "failed": 43, "brand-new": 2},
    "by_minute": [{"minute": "2026-11-27T11:58:00.000Z", "results": {"recovered": 1, "created": 1}}],
    "latest": REQUESTS[:2],
    "unfinished": {"count": 1, "oldest_accepted_at": "2026-11-27T11:37:00.000Z"},
    "by_problem": [
        {"problem": "credential-rejected", "tenant": "initech", "count": 41, "since": "2026-11-27T11:43:00.000Z"},
        {"problem": "plan-limit", "tenant": "hooli", "count": 2, "since": None},
        {"problem": "unresolved", "tenant": "globex", "count": 1, "since": None, "newest": "unres-1"},
    ],
    "queue": {"depth": 3, "oldest_seconds": 12.5},
    "dead_letters": {"provisioning": 2, "events": 0},
}
WELL = {**STATUS, "last_hour": {"created": 3}, "by_problem": [], "dead_letters": {}, "unfinished": {"count": 0}}
BLUEPRINT = {
    "name": "account",
    "description": "A minimal account",
    "values": {
        "name": {"description": "The name of the type", "default": "Account"},
        "product": {"description": "Ours"},
    },
    "custom_object_types": [{"name": "${name}", "fields": [{"name": "Plan", "type": "choices"}, {"name": "Shared"}]}],
}


def answers() -> dict[str, Any]:
    """Return the answers of every route that reads."""
    history = "GET /v1/provisioning-requests/{}/history"
    return {
        "GET /v1/provisioning-requests": {"data": REQUESTS, "next": None},
        history.format(HISTORY["id"]): HISTORY,
        history.format(WAITING["id"]): WAITING,
        history.format(FAILED_HISTORY["id"]): FAILED_HISTORY,
        "GET /v1/tenants": TENANTS,
        "GET /v1/tenants/acme": TENANTS["data"][0],
        "GET /v1/tenants/acme/types": TYPES,
        "POST /v1/tenants/umbrella/checks": REPORT,
        "POST /v1/tenants/acme/checks": READY,
        "POST /v1/tenants/newco/checks": READY | {"tenant": "newco"},
        "GET /v1/sources": SOURCES,
        "POST /v1/sources/stripe/checks": SOURCE_REPORT,
        "GET /v1/dead-letters": DEAD_LETTERS,
        "GET /v1/audit": AUDIT,
        "GET /v1/status": STATUS,
        "GET /v1/blueprints": {"data": [BLUEPRINT]},
        "GET /v1/blueprints/account": BLUEPRINT,
    }
