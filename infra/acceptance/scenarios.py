"""The scenarios of acceptance. Each returns the sight to compare with the expected one, or raises ``Skipped``."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from infra.acceptance.operation import alarm, dead_letter, denied, logged, redrive, traced
from infra.acceptance.stage import Skipped, Stage, request_key
from infra.local.webhook_events import Event

SOURCE = "stripe"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table."""

    name: str
    expected: str
    play: Callable[[Stage], str]


def http(stage: Stage) -> str:
    asked = stage.party().asks()
    answer = stage.post(asked)
    return f"{answer.status_code}, {stage.result(asked)}"


def unsigned(stage: Stage) -> str:
    return str(stage.post(stage.party().asks(), signed=False).status_code)


def replay(stage: Stage) -> str:
    asked = stage.party().asks()
    first, again = stage.post(asked), stage.post(asked)
    return f"{first.status_code}, {again.status_code}, replayed: {again.headers.get('idempotency-replayed')}"


def other_content(stage: Stage) -> str:
    party = stage.party()
    asked = party.asks()
    stage.post(asked)
    return str(stage.post({**party.asks("Invoice"), "request_id": asked["request_id"]}).status_code)


def plan(stage: Stage) -> str:
    party = stage.party()
    answer = stage.target.call("POST", "/v1/plans", json.dumps(party.asks()).encode())
    steps = [each["action"] for each in answer.json()["steps"]]
    return f"{steps}, {len(stage.target.close.types(party.organization))} types"


def queue(stage: Stage) -> str:
    asked = stage.party().asks()
    stage.send(asked)
    return stage.result(asked)


def bus(stage: Stage) -> str:
    if stage.target.event_bus is None:
        raise Skipped("the stack has no EventBusName")
    asked = stage.party().asks()
    entry = {"Source": "acceptance", "DetailType": "Provisioning Requested", "Detail": json.dumps(asked)}
    stage.target.client("events").put_events(Entries=[{**entry, "EventBusName": stage.target.event_bus}])
    return stage.result(asked)


def webhook(stage: Stage) -> str:
    event = Event.of(SOURCE, "customer.created", stage.party().tenant)
    return f"{_deliver(stage, event)}, {stage.outcome(*_request_of(event)).data['result']}"


def tampered(stage: Stage) -> str:
    return str(_deliver(stage, Event.of(SOURCE, "customer.created", stage.party().tenant), b" "))


def _request_of(event: Event) -> tuple[str, str]:
    return str(event.source.events[0].tenant.of(event.document)), str(event.document["id"])


def _deliver(stage: Stage, event: Event, appended: bytes = b"") -> int:
    sent = event.sent(stage.signing_secrets(SOURCE))
    path = f"/v1/webhooks/{SOURCE}"
    return stage.target.call("POST", path, sent.body + appended, sent.headers, signed=False).status_code


def lost_answer(stage: Stage) -> str:
    return _with_fault(stage, "create_then_hang_up")


def killed(stage: Stage) -> str:
    """The function that sends the create is gone before the answer: the next one finds the type."""
    return _with_fault(stage, "create_then_never_answer")


def throttled(stage: Stage) -> str:
    return _with_fault(stage, "429_before", method="GET", retry_after_seconds=2)


def _with_fault(stage: Stage, fault: str, method: str = "POST", **parameters: Any) -> str:
    party = stage.party()
    stage.target.close.arm(fault, aim={"organization": party.organization, "method": method}, **parameters)
    asked = party.asks()
    stage.send(asked)
    return f"{stage.result(asked)}, {len(stage.target.close.types(party.organization))} type"


def shown(stage: Stage) -> str:
    """A caller that does not wait reads the state later."""
    asked = stage.party().asks()
    accepted = stage.post(asked, headers={"Prefer": "respond-async"})
    stage.result(asked)
    path = f"/v1/provisioning-requests/{request_key(asked)}"
    state = stage.eventually(lambda: _settled(stage, path), "the settled state")
    return f"{accepted.status_code}, {state}"


def _settled(stage: Stage, path: str) -> str | None:
    state = str(stage.target.call("GET", path).json()["state"])
    return state if state == "settled" else None


def unknown_tenant(stage: Stage) -> str:
    body = {"tenant": f"no-{stage.run}", "request_id": f"r-{uuid4()}"}
    return str(stage.post({**body, "custom_object_type": {"name": "A", "name_plural": "As"}}).status_code)


SCENARIOS = (
    Scenario("a signed request over HTTP", "201, created", http),
    Scenario("an unsigned request", "403", unsigned),
    Scenario("the same request twice", "201, 201, replayed: true", replay),
    Scenario("a used request id with other content", "422", other_content),
    Scenario("a tenant without a credential", "404", unknown_tenant),
    Scenario("a plan writes nothing", "['create type'], 0 types", plan),
    Scenario("a caller that does not wait", "202, settled", shown),
    Scenario("a message on the queue", "created", queue),
    Scenario("an event on the bus", "created", bus),
    Scenario("a signed webhook", "202, created", webhook),
    Scenario("a webhook that was changed", "401", tampered),
    Scenario("a create with a lost response", "recovered, 1 type", lost_answer),
    Scenario("a create without any response", "recovered, 1 type", killed),
    Scenario("Close's rate limit", "created, 1 type", throttled),
    Scenario("an invalid message", "with a reason", dead_letter),
    Scenario("a redriven message", "created", redrive),
    Scenario("an alarm", "ALARM, OK", alarm),
    Scenario("the log", "settled, created", logged),
    Scenario("traces", "a trace", traced),
    Scenario("a denied permission", "explicitDeny", denied),
)
