"""The workload: requests at every entry point, and redelivery until the system is quiescent."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from infra.local.webhook_events import Event
from provisioner.contract.outcome import message_key
from provisioner.contract.text import natural_key
from tests.simulation import aws, webhook_senders
from tests.simulation.callers import SubmittedRequest, http_event, operator_event, types_in
from tests.simulation.environment import HORIZON_SECONDS, SWEEP_EVERY_SECONDS, SimulatedEnvironment
from tests.simulation.system_under_test import SECRET_PREFIX, TABLE

CALLER_PATIENCE = 6
EVENT_RETRIES_SECONDS = (60, 120)
"""After an event could not be taken it is handed over again: so often, and after such times, by Lambda."""
LEASE_EXPIRY_SECONDS = 200.0
"""Longer than any lease: what a dead process took is free again."""


@dataclass(slots=True)
class Workload:
    """The requests sent and the responses received. ``changed`` names every outcome that changed.

    ``rejected``: keys under which an event must have been published, since its sender was refused.
    ``lost``: events that were given up, which are on the dead-letter queue of their function.
    """

    environment: SimulatedEnvironment
    submitted: dict[tuple[str, str], SubmittedRequest] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    lost: list[Mapping[str, Any]] = field(default_factory=list)
    _outcomes: dict[str, str] = field(default_factory=dict)
    _next_sweep: float = 0

    def post(self, request: dict[str, Any], **headers: str) -> int:
        """Over HTTP. The status; 0 when no answer came."""
        submitted = self._ask(request)
        event = http_event(request, {name.replace("_", "-"): value for name, value in headers.items()})
        response = self.environment.invoke("api", event, lambda started, given, left: started.api(given, left))
        self.observe_outcomes()
        if response is None:
            return 0
        submitted.record(response)
        return int(response["statusCode"])

    def insist(self, request: dict[str, Any], **headers: str) -> int:
        """Over HTTP, and again until it is settled or the caller's patience ends."""
        status = 0
        for attempt in range(CALLER_PATIENCE):
            status = self.post(request, **headers)
            if status not in {0, 202, 503}:
                break
            self.environment.clock.advance(5 * 2**attempt)
            self.environment.deliver()
        return status

    def send(self, request: dict[str, Any] | str) -> None:
        """Send over the queue. A string is sent unchanged, as an invalid message."""
        if isinstance(request, str):
            self.environment.queue.send(request)
            return
        self._ask(request).accepted = True
        self.environment.queue.send(json.dumps(request), group=request["tenant"])

    def webhook(self, event: Event, tenant: str | None) -> None:
        """A sender delivers its event, and again, each time a little later, until it hears that it arrived."""
        for attempt in range(CALLER_PATIENCE):
            if self._delivered(event, tenant):
                return
            self.environment.clock.advance(5 * 2**attempt)

    def _delivered(self, event: Event, tenant: str | None) -> bool:
        given = webhook_senders.delivery(event, self.environment.clock.now)
        response = self.environment.invoke("webhooks", given, lambda started, sent, _: started.webhooks(sent))
        self.observe_outcomes()
        if response is None or response["statusCode"] >= 500:
            return False
        request_id = str(event.document["id"])
        if response["statusCode"] == 422:
            self.rejected.add(message_key(f"{webhook_senders.SOURCE}/{request_id}"))
        elif tenant:
            self.asked(tenant, request_id, webhook_senders.TYPES).record(response)
        return True

    def put_event(self, event: Mapping[str, Any]) -> None:
        """Put an event on a bus, and deliver it to its function until it is accepted."""
        for seconds in (0, *EVENT_RETRIES_SECONDS):
            self.environment.clock.advance(seconds)
            taken = self.environment.handle_event(event)
            self.observe_outcomes()
            if taken:
                return
        self.lost.append(event)

    def request_on_bus(self, request: dict[str, Any]) -> None:
        self._ask(request).accepted = True
        self.put_event(webhook_senders.requested(request))

    def partner(self, event: Event, tenant: str) -> None:
        """A partner delivers its event over EventBridge."""
        self.asked(tenant, str(event.document["id"]), webhook_senders.TYPES).accepted = True
        self.put_event(webhook_senders.told_by_partner(event))

    def store_tenant(self, tenant: str) -> None:
        """Store the tenant's key, and deliver CloudTrail's event about it."""
        self.environment.add_tenant(tenant)
        self.put_event(webhook_senders.secret_stored(f"{SECRET_PREFIX}/{tenant}"))

    def retry(self, request_key: str, **changes: Any) -> int:
        """An operator retries a request. ``changes``: to its body. The status; 0 when no answer came."""
        edited = {"body": {**self.body(request_key), **changes}} if changes else {}
        response = self._operate("/v1/provisioning-requests/{id}/retries", request_key, edited)
        if response is None:
            return 0
        if response["statusCode"] == 202:
            told = json.loads(response["body"])
            names = {natural_key(each["name"]) for each in types_in(self.body(told["id"]))}
            self.asked(told["tenant"], told["request_id"], names).accepted = True
        return int(response["statusCode"])

    def resolve(self, request_key: str, *, there: bool) -> int:
        """An operator says what the operator saw at Close, or believes. The status; 0 when no answer came."""
        word = {"there": there, "reason": "looked"}
        response = self._operate("/v1/provisioning-requests/{id}/resolutions", request_key, word)
        return int(response["statusCode"]) if response else 0

    def request_keys(self) -> list[str]:
        """Return the keys of all requests in the ledger."""
        return sorted(pk.removeprefix("REQUEST#") for pk in aws.items(TABLE) if pk.startswith("REQUEST#"))

    def unresolved_keys(self) -> list[str]:
        """Return the keys of those whose outcome is unresolved."""
        outcomes = {
            key: aws.items(TABLE)[f"REQUEST#{key}"].get("outcome", {}).get("S", "{}") for key in self.request_keys()
        }
        return [key for key, outcome in outcomes.items() if json.loads(outcome).get("result") == "unresolved"]

    def _operate(self, resource: str, request_key: str, document: Mapping[str, Any]) -> Mapping[str, Any] | None:
        event = operator_event(resource, request_key, document)
        response = self.environment.invoke(
            "operator", event, lambda started, given, left: started.operator(given, left)
        )
        self.observe_outcomes()
        return response

    def body(self, request_key: str) -> dict[str, Any]:
        """Return the body of the request, as the ledger has it."""
        body: dict[str, Any] = json.loads(aws.items(TABLE)[f"REQUEST#{request_key}"]["body"]["S"])
        return body

    def deliver(self) -> bool:
        delivered = self.environment.deliver()
        self.observe_outcomes()
        return delivered

    def deliver_twice(self) -> None:
        """The queue hands out what is in flight once more: it delivers at least once."""
        in_flight = [each for each in self.environment.queue.messages if each.receives]
        self.environment.deliver_messages(in_flight)
        self.observe_outcomes()

    def run_until_quiescent(self) -> None:
        """Deliver, sweep and let time pass until nothing is left to do, or nothing should be."""
        environment = self.environment
        end = environment.clock.now + HORIZON_SECONDS
        self._next_sweep = environment.clock.now + SWEEP_EVERY_SECONDS
        while environment.clock.now < end and (due := self._next()) is not None:
            environment.clock.advance_to(due)
            self.deliver()
            if self._next_sweep <= environment.clock.now:
                self._next_sweep = environment.clock.now + SWEEP_EVERY_SECONDS
                environment.sweep()
                self.observe_outcomes()
        environment.clock.advance(LEASE_EXPIRY_SECONDS)

    def redrive(self) -> bool:
        """Put messages that failed too often back on the queue, not those with a reason. Return whether any was."""
        killed = [each for each in self.environment.dead_letters.messages if "reason" not in each.attributes]
        for message in killed:
            self.environment.dead_letters.messages.remove(message)
            message.visible_at = self.environment.clock.now
            self.environment.queue.messages.append(message)
        events, self.lost = self.lost, []
        for event in events:
            self.put_event(event)
        return bool(killed or events)

    def observe_outcomes(self) -> None:
        """Record every stored outcome that changed."""
        for pk, item in aws.items(TABLE).items():
            outcome = item.get("outcome", {}).get("S")
            if outcome is None:
                continue
            if self._outcomes.setdefault(pk, outcome) != outcome:
                self.changed.append(pk)

    def _ask(self, request: dict[str, Any]) -> SubmittedRequest:
        names = {natural_key(each["name"]) for each in types_in(request)}
        return self.asked(request["tenant"], request["request_id"], names)

    def asked(self, tenant: str, request_id: str, names: AbstractSet[str]) -> SubmittedRequest:
        """Return what is known of the request, which asks for types of these natural keys."""
        submitted = self.submitted.setdefault((tenant, request_id), SubmittedRequest(tenant, request_id))
        submitted.names |= names
        return submitted

    def _next(self) -> float | None:
        environment = self.environment
        moments = [environment.queue.next_visible(), environment.clock.next_due()]
        if environment.system.unfinished(aws.items(TABLE)):
            moments.append(self._next_sweep)
        return min((each for each in moments if each is not None), default=None)
