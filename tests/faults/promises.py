"""The promises, checked on what Close and the ledger hold, and on all that was published, printed and answered."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from provisioner.contract import natural_key, request_key
from tests.faults import aws
from tests.faults.play import Play
from tests.faults.subject import TABLE
from tests.faults.tally import events_by_request, leaks, types_by_name

MADE = {"created", "recovered"}


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that was not kept, and how one sees it."""

    promise: str
    how: str


def broken(play: Play) -> list[Broken]:
    """Every promise that this play broke. Called when it is quiet."""
    return [Broken(promise, how) for promise, check in PROMISES.items() for how in check(play)]


def once(play: Play) -> Iterator[str]:
    """At most one type per tenant and natural key."""
    for (tenant, name), number in types_by_name(play).items():
        if number > 1:
            yield f"{tenant} has {number} types named {name!r}"


def settled(play: Play) -> Iterator[str]:
    """Every accepted request has one outcome, the same to everybody, and it never changed."""
    stored = {pk: json.loads(item["outcome"]["S"]) for pk, item in _ledger(play) if "outcome" in item}
    yield from (f"the outcome of {pk} was changed" for pk in play.changed)
    for pk, item in _ledger(play):
        if pk.startswith("REQUEST#") and "outcome" not in item:
            yield f"{item['request_id']['S']} was accepted and is not settled"
    events = events_by_request(play)
    for asked in play.asked.values():
        outcome = stored.get(f"REQUEST#{request_key(*asked.key)}")
        if asked.accepted and outcome is None:
            yield f"{asked.request_id} was accepted and is not remembered"
        if any(heard != outcome for heard in asked.outcomes):
            yield f"{asked.request_id} was told another outcome than what is stored"
        if any(event["data"] != outcome for event in events.get(asked.key, [])):
            yield f"{asked.request_id} was announced with another outcome than what is stored"


def truthful(play: Play) -> Iterator[str]:
    """An outcome says what is so: who created what, and that it is there."""
    made: Counter[str] = Counter()
    claimed: dict[tuple[str, str], set[str]] = defaultdict(set)
    for outcome, name in _outcomes(play):
        tenant, result = outcome["tenant"], outcome["result"]
        claimed[tenant, name].add(result)
        close_id = (outcome.get("custom_object_type") or {}).get("id")
        if close_id and close_id not in play.world.close.organization(tenant).types:
            yield f"{outcome['request_id']} names a type that Close has not"
        if result in MADE:
            made[str(close_id)] += 1
    yield from (f"{number} requests say that they made {close_id}" for close_id, number in made.items() if number > 1)
    for (tenant, name), results in claimed.items():
        if _by_service(play, tenant, name) and not results & {*MADE, "unresolved"}:
            yield f"{tenant} has the type {name!r}, and nobody says to have made it: {sorted(results)}"


def announced(play: Play) -> Iterator[str]:
    """Every outcome was published, always under the same id."""
    events = events_by_request(play)
    for pk, item in _ledger(play):
        if "outcome" in item:
            key = (item["tenant"]["S"], item["request_id"]["S"])
            ids = {event["id"] for event in events.get(key, [])}
            if not ids:
                yield f"{key[1]} is settled and was not published"
            elif ids != {pk.removeprefix("REQUEST#")}:
                yield f"{key[1]} was published as {sorted(ids)}"
            if item.get("state", {}).get("S") != "announced":
                yield f"{key[1]} was published and the ledger does not know"


def apart(play: Play) -> Iterator[str]:
    """A credential is used for its tenant only: each organisation holds what its own requests asked for."""
    for tenant in play.world.close.tenants:
        wanted = set().union(*(asked.names for asked in play.asked.values() if asked.tenant == tenant))
        for seen in play.world.close.seen:
            if seen.organization == tenant and seen.type_name and natural_key(seen.type_name) not in wanted:
                yield f"{seen.type_name!r} was sent to {tenant}"
    if any(seen.organization == "?" for seen in play.world.close.seen):
        yield "a request came with nobody's credential"


def silent(play: Play) -> Iterator[str]:
    """No credential in a log line, a metric, an item, an event, a message or an answer."""
    return leaks(play)


def additive(play: Play) -> Iterator[str]:
    """Nothing is deleted or changed at Close."""
    for seen in play.world.close.seen:
        if seen.method not in {"GET", "POST"}:
            yield f"{seen.method} {seen.path} was sent"


def final(play: Play) -> Iterator[str]:
    """What Close refuses for good is sent once; once more for each process that died or answer that was lost."""
    refused = Counter(
        (seen.organization, natural_key(seen.type_name))
        for seen in play.world.close.seen
        if seen.type_name and seen.status in {400, 402, 403, 404, 415, 422}
    )
    for (tenant, key), number in refused.items():
        asking = sum(1 for each in play.asked.values() if each.tenant == tenant and key in each.names)
        if number > asking + len(play.world.wire.fired):
            yield f"{tenant} refused {key!r} {number} times"


def polite(play: Play) -> Iterator[str]:
    """After a 429 nobody who knows asks again too early: neither who heard it, nor who started with it written down."""
    for told_at, until, tenant, hearer in play.world.told_to_wait:
        for seen in play.world.close.seen:
            if seen.organization != tenant or not told_at < seen.at < until - 0.01:
                continue
            knew = seen.process.pauses.get(tenant, 0) > seen.at + 0.01
            must_know = seen.process.started > told_at and not play.world.wire.fired
            if seen.process is hearer or knew or must_know:
                yield f"{seen.method} {seen.path} was sent {until - seen.at:.1f} s too early to {tenant}"


def tidy(play: Play) -> Iterator[str]:
    """When all is quiet no lease is held and nothing waits; and no exception ever left a handler."""
    yield from (f"an exception escaped from the {each}" for each in play.world.escaped)
    for pk, item in _ledger(play):
        if "unfinished" in item:
            yield f"{pk} is unfinished"
        if float(item.get("lease_until", {}).get("N", 0)) > play.world.clock.now:
            yield f"{pk} is leased"
    if play.world.queue.messages:
        yield f"{len(play.world.queue.messages)} messages are on the queue"


def _ledger(play: Play) -> list[tuple[str, dict[str, Any]]]:
    return list(aws.items(TABLE).items())


def _outcomes(play: Play) -> Iterator[tuple[dict[str, Any], str]]:
    """Every stored outcome, with the natural key of the type that was asked for."""
    for _, item in _ledger(play):
        if "outcome" in item:
            name = json.loads(item["body"]["S"])["custom_object_type"]["name"]
            yield json.loads(item["outcome"]["S"]), natural_key(name)


def _by_service(play: Play, tenant: str, key: str) -> bool:
    """Whether a create of this service made a type by that name."""
    return any(
        seen.organization == tenant and seen.status < 300 and seen.type_name and natural_key(seen.type_name) == key
        for seen in play.world.close.seen
    )


PROMISES: dict[str, Callable[[Play], Iterator[str]]] = {
    "once": once,
    "settled": settled,
    "truthful": truthful,
    "announced": announced,
    "apart": apart,
    "silent": silent,
    "additive": additive,
    "final": final,
    "polite": polite,
    "tidy": tidy,
}
