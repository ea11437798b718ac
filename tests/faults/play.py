"""A world in motion: requests come in by both doors, and everything is delivered again until it is quiet."""

import json
from dataclasses import dataclass, field
from typing import Any

from provisioner.spec import natural_key
from tests.faults import aws
from tests.faults.callers import Asked, http_event, types_in
from tests.faults.subject import TABLE
from tests.faults.world import HORIZON_SECONDS, SWEEP_EVERY_SECONDS, World

CALLER_PATIENCE = 6
DREGS_SECONDS = 200.0
"""Longer than any lease: what a dead process took is free again."""


@dataclass(slots=True)
class Play:
    """What was asked and heard. ``changed`` names every outcome that did not stay what it was."""

    world: World
    asked: dict[tuple[str, str], Asked] = field(default_factory=dict)
    buried: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
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
        dead = [each for each in self.world.dead_letters.messages if not each.attributes]
        for message in dead:
            self.world.dead_letters.messages.remove(message)
            message.visible_at = self.world.clock.now
            self.world.queue.messages.append(message)
        return bool(dead)

    def watch(self) -> None:
        """An outcome that is in the table stays as it is."""
        for pk, item in aws.items(TABLE).items():
            outcome = item.get("outcome", {}).get("S")
            if outcome is None:
                continue
            if self._outcomes.setdefault(pk, outcome) != outcome:
                self.changed.append(pk)

    def _ask(self, request: dict[str, Any]) -> Asked:
        tenant, request_id = request["tenant"], request["request_id"]
        asked = self.asked.setdefault((tenant, request_id), Asked(tenant, request_id))
        asked.names |= {natural_key(each["name"]) for each in types_in(request)}
        return asked

    def _next(self) -> float | None:
        world = self.world
        moments = [world.queue.next_visible(), world.clock.next_due()]
        if world.subject.unfinished(aws.items(TABLE)):
            moments.append(self._next_sweep)
        return min((each for each in moments if each is not None), default=None)
