"""A play before the judge: its evidence, and the promises that only the simulated clock lets one check."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from provisioner.contract.outcome import message_key
from provisioner.contract.spec import natural_key
from tests.simulation import aws
from tests.simulation.close_transport import copies_of_fields
from tests.simulation.history import Arrived, Evidence, Stored, by_request
from tests.simulation.invariants import EVERYWHERE, Broken, broken_by
from tests.simulation.system_under_test import TABLE
from tests.simulation.workload import Play


def broken(play: Play) -> list[Broken]:
    """Every promise that this play broke. Called when it is quiet."""
    return [*broken_by(evidence(play), EVERYWHERE), *broken_by(play, IN_SIMULATED_TIME)]


def evidence(play: Play) -> Evidence:
    close = play.world.close
    stored = [
        Stored(tenant, each.id, each.data["name"])
        for tenant in close.tenants
        for each in close.organization(tenant).existing_types()
    ]
    buried = frozenset(message_key(f"provisioning-{number + 1}") for number in range(play.world.queue.sent))
    return Evidence(
        asked=list(play.asked.values()),
        tenants=list(close.tenants),
        stored=stored,
        parts={tenant: copies_of_fields(close.organization(tenant)) for tenant in close.tenants},
        gone=close.gone,
        made=frozenset(
            (seen.organization, natural_key(seen.type_name))
            for seen in close.seen
            if seen.status < 300 and seen.type_name
        ),
        arrived=[Arrived(seen.organization, seen.method, seen.path, seen.type_name) for seen in close.seen],
        items=dict(aws.items(TABLE)),
        changed=play.changed,
        events=by_request([each.event for each in play.world.account.published], buried),
        places=_places(play),
        secrets=frozenset(play.world.secrets_told),
    )


def _places(play: Play) -> dict[str, str]:
    world = play.world
    return {
        "the output": world.output.getvalue(),
        "the table": json.dumps(aws.items(TABLE)),
        "an event": json.dumps([(each.message, each.attributes) for each in world.account.published]),
        "a message": json.dumps([(m.body, m.attributes) for m in world.queue.messages + world.dead_letters.messages]),
        "an answer": json.dumps([asked.answers for asked in play.asked.values()]),
    }


def final(play: Play) -> Iterator[str]:
    """What Close refuses for good is sent once; once more for each process that died or answer that was lost, and for
    each message that came again to what is unresolved.
    """
    followed_up = play.world.output.getvalue().count('"followed up"')
    refused = Counter(
        (seen.organization, natural_key(seen.type_name))
        for seen in play.world.close.seen
        if seen.type_name and seen.status in {400, 402, 403, 404, 415, 422}
    )
    for (tenant, key), number in refused.items():
        asking = sum(1 for each in play.asked.values() if each.tenant == tenant and key in each.names)
        if number > asking + len(play.world.wire.fired) + followed_up:
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
    for pk, item in aws.items(TABLE).items():
        if "unfinished" in item:
            yield f"{pk} is unfinished"
        if float(item.get("lease_until", {}).get("N", 0)) > play.world.clock.now:
            yield f"{pk} is leased"
    if play.world.queue.messages:
        yield f"{len(play.world.queue.messages)} messages are on the queue"


def heard_of(play: Play) -> Iterator[str]:
    """What a sender was told is broken was announced, so that somebody else hears of it, too."""
    announced = {each.event["id"] for each in play.world.account.published}
    yield from (f"{key} was refused as broken and never announced" for key in play.refused - announced)
    yield from (f"{each['detail-type']} was given up" for each in play.lost)


IN_SIMULATED_TIME: Mapping[str, Callable[[Play], Iterator[str]]] = {
    "final": final,
    "polite": polite,
    "tidy": tidy,
    "heard of": heard_of,
}
