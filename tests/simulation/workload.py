"""A world in motion: requests come in by every door, and everything is delivered again until it is quiet."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from infra.local.webhook_events import Event
from provisioner.contract.outcome import message_key
from provisioner.contract.spec import natural_key
from tests.simulation import aws
from tests.simulation import webhook_senders as upstream
from tests.simulation.callers import Asked, http_event, types_in
from tests.simulation.environment import HORIZON_SECONDS, SWEEP_EVERY_SECONDS, World
from tests.simulation.system_under_test import SECRET_PREFIX, TABLE

CALLER_PATIENCE = 6
EVENT_RETRIES_SECONDS = (60, 120)
"""After an event could not be taken it is handed over again: so often, and after such times, by Lambda."""
DREGS_SECONDS = 200.0
"""Longer than any lease: what a dead process took is free again."""


@dataclass(slots=True)
class Play:
    """What was asked and heard. ``changed`` names every outcome that did not stay what it was.

    ``refused``: keys under which a sender's event must have been announced, since it was told that it is broken.
    ``lost``: events that could not be taken in the end, as they lie on the dead-letter queue of their door.
    """

    world: World
    asked: dict[tuple[str, str], Asked] = field(default_factory=dict)
    buried: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    lost: list[Mapping[str, Any]] = field(default_factory=list)
    _outcomes: dict[str, str] = field(default_factory=dict)
    _next_sweep: float = 0

    def post(self, request: dict[str, Any], **headers: str) -> int:
        """Over HTTP. The status; 0 when no answer came."""
        asked = self._ask(request)
        event = http_event(request, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = self.world.invoke("api", event, lambda door, given, left: door.api(given, left))
        self.watch()
        if answer is None:
            return 0
        asked.heard(answer)
        return int(answer["statusCode"])

    def insist(self, request: dict[str, Any], **headers: str) -> int:
        """Over HTTP, and again until it is settled or the caller's patience ends."""
        status = 0
        for attempt in range(CALLER_PATIENCE):
            status = self.post(request, **headers)
            if status not in {0, 202, 503}:
                break
            self.world.clock.advance(5 * 2**attempt)
            self.world.deliver()
        return status

    def send(self, request: dict[str, Any] | str) -> None:
        """Over the queue. A text is sent as it is, and is no request."""
        if isinstance(request, str):
            self.world.queue.send(request)
            return
        self._ask(request).accepted = True
        self.world.queue.send(json.dumps(request), group=request["tenant"])

    def webhook(self, event: Event, tenant: str | None) -> None:
        """A sender delivers its event, and again, each time a little later, until it hears that it arrived."""
        for attempt in range(CALLER_PATIENCE):
            if self._delivered(event, tenant):
                return
            self.world.clock.advance(5 * 2**attempt)

    def _delivered(self, event: Event, tenant: str | None) -> bool:
        given = upstream.delivery(event, self.world.clock.now)
        answer = self.world.invoke("webhooks", given, lambda door, sent, _: door.webhooks(sent))
        self.watch()
        if answer is None or answer["statusCode"] >= 500:
            return False
        request_id = str(event.document["id"])
        if answer["statusCode"] == 422:
            self.refused.add(message_key(f"{upstream.SOURCE}/{request_id}"))
        elif tenant:
            self._asked(tenant, request_id, upstream.TYPES).heard(answer)
        return True

    def put_event(self, event: Mapping[str, Any]) -> None:
        """Somebody puts an event on a bus, whose door takes it sooner or later."""
        for seconds in (0, *EVENT_RETRIES_SECONDS):
            self.world.clock.advance(seconds)
            taken = self.world.take_event(event)
            self.watch()
            if taken:
                return
        self.lost.append(event)

    def request_on_bus(self, request: dict[str, Any]) -> None:
        self._ask(request).accepted = True
        self.put_event(upstream.requested(request))

    def partner(self, event: Event, tenant: str) -> None:
        """A partner delivers its event over EventBridge."""
        self._asked(tenant, str(event.document["id"]), upstream.TYPES).accepted = True
        self.put_event(upstream.told_by_partner(event))

    def store_tenant(self, tenant: str) -> None:
        """Its key is stored at last, and CloudTrail tells of it."""
        self.world.add_tenant(tenant)
        self.put_event(upstream.secret_stored(f"{SECRET_PREFIX}/{tenant}"))

    def deliver(self) -> bool:
        delivered = self.world.deliver()
        self.watch()
        return delivered

    def deliver_twice(self) -> None:
        """The queue hands out what is in flight once more: it delivers at least once."""
        in_flight = [each for each in self.world.queue.messages if each.receives]
        self.world.work_on(in_flight)
        self.watch()

    def until_quiet(self) -> None:
        """Deliver, sweep and let time pass until nothing is left to do, or nothing should be."""
        world = self.world
        end = world.clock.now + HORIZON_SECONDS
        self._next_sweep = world.clock.now + SWEEP_EVERY_SECONDS
        while world.clock.now < end and (due := self._next()) is not None:
            world.clock.advance_to(due)
            self.deliver()
            if self._next_sweep <= world.clock.now:
                self._next_sweep = world.clock.now + SWEEP_EVERY_SECONDS
                world.sweep()
                self.watch()
        world.clock.advance(DREGS_SECONDS)

    def redrive(self) -> bool:
        """Put back on the queue what failed too often, not what was buried with a reason. False if there is nothing."""
        dead = [each for each in self.world.dead_letters.messages if "reason" not in each.attributes]
        for message in dead:
            self.world.dead_letters.messages.remove(message)
            message.visible_at = self.world.clock.now
            self.world.queue.messages.append(message)
        events, self.lost = self.lost, []
        for event in events:
            self.put_event(event)
        return bool(dead or events)

    def watch(self) -> None:
        """An outcome that is in the table stays as it is."""
        for pk, item in aws.items(TABLE).items():
            outcome = item.get("outcome", {}).get("S")
            if outcome is None:
                continue
            if self._outcomes.setdefault(pk, outcome) != outcome:
                self.changed.append(pk)

    def _ask(self, request: dict[str, Any]) -> Asked:
        names = {natural_key(each["name"]) for each in types_in(request)}
        return self._asked(request["tenant"], request["request_id"], names)

    def _asked(self, tenant: str, request_id: str, names: AbstractSet[str]) -> Asked:
        asked = self.asked.setdefault((tenant, request_id), Asked(tenant, request_id))
        asked.names |= names
        return asked

    def _next(self) -> float | None:
        world = self.world
        moments = [world.queue.next_visible(), world.clock.next_due()]
        if world.subject.unfinished(aws.items(TABLE)):
            moments.append(self._next_sweep)
        return min((each for each in moments if each is not None), default=None)
