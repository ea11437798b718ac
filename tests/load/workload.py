"""The requests of a load: half of them for one type of one tenant, the others for many types of many tenants."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.local.webhook_events import Event

ENTRY_POINTS = ("http", "http, not waiting", "webhook", "queue", "bus")
CROWD = "crowd"
TENANTS = tuple(f"tenant-{number}" for number in range(20))
TYPES = 10
"""Types that the requests for each of the tenants name, besides the type of its webhooks."""
REPEATED = 0.05
"""The share of requests that are sent again at once, by an impatient caller."""
WEBHOOK = ("stripe", "customer.created")
WEBHOOK_TYPES = {"blueprint": "account", "values": {"product": "our product"}, "if_exists": "adopt"}
"""The desired types of a webhook's request: the crowd's requests at the other entry points desire the same."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One request. ``content``: the body of a request, or the event of a sender. ``times``: how often it is sent."""

    entry_point: str
    tenant: str
    request_id: str
    content: Any
    times: int = 1

    @property
    def key(self) -> tuple[str, str]:
        return self.tenant, self.request_id


def plan(count: int, seed: str) -> list[Planned]:
    """Return so many requests in random order, over all entry points alike."""
    chance = random.Random(seed)  # noqa: S311
    planned = [*_planned(count, chance)]
    chance.shuffle(planned)
    return planned


def _planned(count: int, chance: random.Random) -> Iterator[Planned]:
    for number in range(count):
        entry_point = ENTRY_POINTS[number // 2 % len(ENTRY_POINTS)]
        tenant = CROWD if number % 2 == 0 else chance.choice(TENANTS)
        times = 2 if chance.random() < REPEATED else 1
        if entry_point == "webhook":
            event = Event.of(*WEBHOOK, tenant)
            yield Planned(entry_point, tenant, str(event.document["id"]), event, times)
        else:
            body = {"tenant": tenant, "request_id": f"load-{number}", **_desired(tenant, chance)}
            yield Planned(entry_point, tenant, body["request_id"], body, times)


def _desired(tenant: str, chance: random.Random) -> dict[str, Any]:
    if tenant == CROWD:
        return WEBHOOK_TYPES
    name = f"Type {chance.randrange(TYPES)}"
    return {"if_exists": "adopt", "custom_object_type": {"name": name, "name_plural": f"{name}s"}}
