"""The scenarios of acceptance, each with what it is expected to show; those of the entry points are played here."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from infra.acceptance.operation import alarm, dead_letter, logged, redrive, silent, traced
from infra.acceptance.permissions import denied
from infra.acceptance.stage import Skipped, Stage, key_of
from infra.acceptance.trouble import cold, continued, held, killed, lost, throttled
from infra.local.api_client import PLANS
from infra.local.webhook_events import Event
from provisioner.contract.outcome import message_key

SOURCE, EVENT = "stripe", "customer.created"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table. ``play`` raises ``Skipped`` where the stack does not allow it."""

    name: str
    expected: str
    play: Callable[[Stage], str]


def http(stage: Stage) -> str:
    party = stage.party()
    asked = party.asks()
    answer = stage.post(asked)
    return f"{answer.status_code}, {stage.result(asked)}, {stage.created(party)}"


def unsigned(stage: Stage) -> str:
    return str(stage.post(stage.party().asks(), signed=False).status_code)


def replayed(stage: Stage) -> str:
    asked = stage.party().asks()
    first, again = stage.post(asked), stage.post(asked)
    return f"{first.status_code}, {again.status_code}, replayed: {again.headers.get('idempotency-replayed')}"


def other_content(stage: Stage) -> str:
    party = stage.party()
    asked = party.asks()
    stage.post(asked)
    return str(stage.post({**party.asks("Invoice"), "request_id": asked["request_id"]}).status_code)


def unknown_tenant(stage: Stage) -> str:
    body = {"tenant": f"{stage.run}-unknown", "request_id": f"r-{uuid4()}"}
    return str(stage.post({**body, "custom_object_type": {"name": "A", "name_plural": "As"}}).status_code)


def plan(stage: Stage) -> str:
    party = stage.party()
    answer = stage.target.http.call("POST", PLANS, json.dumps(party.asks()).encode())
    steps = [each["action"] for each in answer.json()["steps"]]
    return f"{', '.join(steps)}, {stage.created(party)}"


def shown(stage: Stage) -> str:
    """A caller that does not wait reads the state later."""
    asked = stage.party().asks()
    accepted = stage.post(asked, headers={"Prefer": "respond-async"})
    stage.result(asked)
    state = stage.eventually(lambda: _settled(stage, key_of(asked)), "the settled state")
    return f"{accepted.status_code}, {state}"


def _settled(stage: Stage, request: str) -> str | None:
    state = str(stage.target.http.read(request).json()["state"])
    return state if state == "settled" else None


def queue(stage: Stage) -> str:
    party = stage.party()
    asked = party.asks()
    stage.send(asked)
    return f"{stage.result(asked)}, {stage.created(party)}"


def bus(stage: Stage) -> str:
    if stage.target.event_bus is None:
        raise Skipped("the stack has no EventBusName")
    party = stage.party()
    asked = party.asks()
    entry = {"Source": "acceptance", "DetailType": "Provisioning Requested", "Detail": json.dumps(asked)}
    stage.target.client("events").put_events(Entries=[{**entry, "EventBusName": stage.target.event_bus}] * 3)
    return f"{stage.result(asked)}, {stage.created(party)}"


def webhook(stage: Stage) -> str:
    """An event that is delivered twice is one request."""
    event = Event.of(SOURCE, EVENT, stage.party().tenant)
    statuses = [_deliver(stage, event) for _ in range(2)]
    tenant, request_id = str(event.source.events[0].tenant.of(event.document)), str(event.document["id"])
    stage.items.add(f"EVENT#{message_key(f'{SOURCE}/{request_id}')}")
    return f"{statuses[0]}, {statuses[1]}, {stage.outcome(tenant, request_id).data['result']}"


def tampered(stage: Stage) -> str:
    """The log says what was rejected."""
    status = _deliver(stage, Event.of(SOURCE, EVENT, stage.party().tenant), b" ")
    lines = stage.eventually(lambda: stage.log("webhooks", "rejected"), "the line of the rejected delivery")
    return f"{status}, rejected: {lines[0].get('source')}"


def _deliver(stage: Stage, event: Event, appended: bytes = b"") -> int:
    sent = event.sent(stage.signing_secrets(SOURCE))
    return stage.target.http.deliver(SOURCE, sent.body + appended, sent.headers).status_code


ALONE_FIRST = (Scenario("a killed function", "5xx, then 202", killed),)
"""It kills what the others would use."""

AT_ONCE = (
    Scenario("a cold start", "201 for each, one was cold", cold),
    Scenario("a create without any response", "202, recovered, types: 1, creates: 1", held),
    Scenario("a signed request over HTTP", "201, created, types: 1, creates: 1", http),
    Scenario("an unsigned request", "403", unsigned),
    Scenario("the same request twice", "201, 201, replayed: true", replayed),
    Scenario("a used request id, other content", "422", other_content),
    Scenario("a tenant without a credential", "404", unknown_tenant),
    Scenario("a plan", "create type, types: 0, creates: 0", plan),
    Scenario("a caller that does not wait", "202, settled", shown),
    Scenario("traces", "a trace", traced),
    Scenario("a message on the queue", "created, types: 1, creates: 1", queue),
    Scenario("an event on the bus, three times", "created, types: 1, creates: 1", bus),
    Scenario("a signed webhook, twice", "202, 202, created", webhook),
    Scenario("a webhook that was changed", f"401, rejected: {SOURCE}", tampered),
    Scenario("a create with a lost response", "recovered, types: 1, creates: 1", lost),
    Scenario("Close's rate limit", "created after 429, 201; attempts: 2", throttled),
    Scenario("an invalid message", "failed, kept with a reason", dead_letter),
    Scenario("a dead-letter message, redriven", "service-failed, created", redrive),
    Scenario("an alarm", "ALARM, OK", alarm),
    Scenario("the log of a request", "settled, created, attempts: 1", logged),
    Scenario("permissions that roles lack", "3 denied, 1 allowed", denied),
    Scenario("what the killed function began", "created, types: 1, creates: 1", continued),
)

ALONE_LAST = (Scenario("credentials in the logs", "none", silent),)
