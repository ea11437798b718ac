"""What a caller, an operator and Close can see of a play, whoever was put to the test: the figures of the table."""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Self

from provisioner.contract import message_key, natural_key
from tests.faults import aws
from tests.faults.play import Play
from tests.faults.subject import TABLE


@dataclass(frozen=True, slots=True)
class Tally:
    """``duplicates``: types beyond the first of a name. The others count requests, ``secrets`` the plays that told one.

    ``lost``: accepted, and nobody ever heard what became of it. ``unannounced``: only its HTTP caller heard.
    """

    duplicates: int = 0
    lost: int = 0
    unannounced: int = 0
    several_ids: int = 0
    secrets: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def tally(play: Play) -> Tally:
    events = events_by_request(play)
    accepted = [asked for asked in play.asked.values() if asked.accepted]
    silent = [asked for asked in accepted if asked.key not in events]
    lost = [asked for asked in silent if not any(map(_is_settled, asked.answers))]
    return Tally(
        duplicates=sum(number - 1 for number in types_by_name(play).values()),
        lost=len(lost),
        unannounced=len(silent) - len(lost),
        several_ids=sum(len({event["id"] for event in each}) > 1 for each in events.values()),
        secrets=int(any(leaks(play))),
    )


def types_by_name(play: Play) -> Counter[tuple[str, str]]:
    """How many types each tenant's organisation has by each natural key."""
    close = play.world.close
    return Counter(
        (tenant, natural_key(stored.data["name"]))
        for tenant in close.tenants
        for stored in close.organization(tenant).existing_types()
    )


def events_by_request(play: Play) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What was published of each request; events about types, and about messages that are no request, are apart."""
    buried = {message_key(f"provisioning-{number + 1}") for number in range(play.world.queue.sent)}
    events: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in (each.event for each in play.world.account.published):
        if ".provisioning." in event["type"] and event["id"] not in buried:
            events[event["data"]["tenant"], event["data"]["request_id"]].append(event)
    return dict(events)


def leaks(play: Play) -> Iterator[str]:
    """Where a credential can be read that should be nowhere."""
    world = play.world
    places = {
        "the output": world.output.getvalue(),
        "the table": json.dumps(aws.items(TABLE)),
        "an event": json.dumps([(each.message, each.attributes) for each in world.account.published]),
        "a message": json.dumps([(m.body, m.attributes) for m in world.queue.messages + world.dead_letters.messages]),
        "an answer": json.dumps([asked.answers for asked in play.asked.values()]),
    }
    for secret in world.secrets_told:
        for spelled in (secret, secret.partition(".")[2], base64.b64encode(f"{secret}:".encode()).decode()):
            yield from (f"a secret is in {place}" for place, text in places.items() if spelled in text)


def _is_settled(answer: Mapping[str, Any]) -> bool:
    return answer["statusCode"] in {200, 201} or '"state": "settled"' in answer["body"]
