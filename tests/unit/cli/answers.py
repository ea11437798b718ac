"""Answers of the service, as its routes give them."""

from typing import Any

import httpx

from close_provisioner.client.requests import request_key

DIGEST = "7c9634cb026217341f79b0b488a45d94ee4578146ca7bb86680da53d83e182d5"
STEPS = """~ update type Device
    description: "Made by hand, long ago" -> "What is under contract"
    ~ update field State
        choices: ["In stock", "Shipped"] -> ["In stock", "Shipped", "Returned"]
    + create field Bought (date)
"""
BLOCKED = """  type Device
    ! blocked fields/State/type: "text" -> "date" (its values would be lost)
"""


def plan_text(text: str = STEPS, steps: int = 3, blocked: int = 0) -> httpx.Response:
    """Return a plan as the service writes it for people."""
    total = f"{steps} step{'' if steps == 1 else 's'}, {blocked} blocked; digest {DIGEST}"
    return httpx.Response(200, text=f"{text}\n{total}\n")


NOTHING_TO_DO = plan_text("  type Device is up to date\n", 0)


def state(request_id: str = "signup-1", tenant: str = "acme", **more: Any) -> dict[str, Any]:
    """Return a request as it is shown."""
    shown = {"id": request_key(tenant, request_id), "tenant": tenant, "request_id": request_id, "state": "accepted"}
    return {**shown, **more}


def settled(request_id: str = "signup-1", tenant: str = "acme", **outcome: Any) -> dict[str, Any]:
    """Return a settled request with its outcome."""
    made = {
        "name": "Device",
        "id": "cotype_Q450QlT3VJ8IQ7jQrkuU81",
        "result": "updated",
        "steps": ["updated type Device", "created field Bought"],
    }
    shown = {
        "tenant": tenant,
        "request_id": request_id,
        "result": "updated",
        "types": [made],
        "attempts": 1,
        "settled_at": "2026-11-27T11:59:58.120000+00:00",
        **outcome,
    }
    return state(request_id, tenant, state="settled", outcome=shown)


def problem(kind: str, status: int, detail: str, **more: Any) -> dict[str, Any]:
    """Return an RFC 9457 problem."""
    return {"type": f"urn:close-provisioner:problem:{kind}", "title": kind, "status": status, "detail": detail, **more}


FAILED: dict[str, Any] = {
    "result": "failed",
    "types": [],
    "problem": problem(
        "plan-limit", 424, "The Close plan of this organization allows no more types.", close_status=402
    ),
}
