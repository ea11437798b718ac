"""A play before the judge: its evidence, and the promises that only the simulated clock lets one check."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from provisioner.contract.outcome import message_key
from provisioner.contract.text import natural_key
from tests.simulation import aws
from tests.simulation.close_transport import copies_of_fields
from tests.simulation.fault import FaultKind
from tests.simulation.history import History, ReceivedRequest, StoredType, by_request
from tests.simulation.invariants import INVARIANTS, Violation, violations_of
from tests.simulation.system_under_test import TABLE
from tests.simulation.workload import Workload


def check(workload: Workload) -> list[Violation]:
    """Every promise that this play broke. Called when it is quiet."""
    return [*violations_of(collect_history(workload), INVARIANTS), *violations_of(workload, SIMULATION_INVARIANTS)]


def collect_history(workload: Workload) -> History:
    close = workload.environment.close
    stored = [
        StoredType(tenant, each.id, each.data["name"])
        for tenant in close.tenants
        for each in close.organization(tenant).existing_types()
    ]
    dead_lettered = frozenset(
        message_key(f"provisioning-{number + 1}") for number in range(workload.environment.queue.sent)
    )
    return History(
        submitted=list(workload.submitted.values()),
        tenants=list(close.tenants),
        stored=stored,
        field_counts={tenant: copies_of_fields(close.organization(tenant)) for tenant in close.tenants},
        removed=close.removed,
        created=frozenset(
            (served.organization, natural_key(served.type_name))
            for served in close.served
            if served.status < 300 and served.type_name
        ),
        received=[
            ReceivedRequest(served.organization, served.method, served.path, served.type_name)
            for served in close.served
        ],
        items=dict(aws.items(TABLE)),
        changed=workload.changed,
        events=by_request([each.event for each in workload.environment.account.published], dead_lettered),
        outputs=_outputs(workload),
        secrets=frozenset(workload.environment.secrets),
        shared_by=close.shared_by,
        touched=frozenset(close.touched),
    )


def _outputs(workload: Workload) -> dict[str, str]:
    environment = workload.environment
    return {
        "the output": environment.output.getvalue(),
        "the table": json.dumps(aws.items(TABLE)),
        "an event": json.dumps([(each.message, each.attributes) for each in environment.account.published]),
        "a message": json.dumps(
            [(m.body, m.attributes) for m in environment.queue.messages + environment.dead_letters.messages]
        ),
        "an answer": json.dumps([submitted.responses for submitted in workload.submitted.values()]),
    }


def final(workload: Workload) -> Iterator[str]:
    """A create that Close rejects for good is sent once; once more for each killed process or lost response, and for
    each message that came again to what is unresolved.
    """
    followed_up = workload.environment.output.getvalue().count('"reconciled after unresolved"')
    rejected = Counter(
        (served.organization, natural_key(served.type_name))
        for served in workload.environment.close.served
        if served.type_name and served.status in {400, 402, 403, 404, 415, 422}
    )
    for (tenant, key), number in rejected.items():
        home = workload.environment.close.shared_by
        asking = sum(
            1
            for each in workload.submitted.values()
            if home.get(each.tenant, each.tenant) == tenant and key in each.names
        )
        if number > asking + len(workload.environment.network.fired) + followed_up:
            yield f"{tenant} refused {key!r} {number} times"


def polite(workload: Workload) -> Iterator[str]:
    """After a 429 no process sends too early: not the one that received it, nor one that found it in the ledger."""
    for told_at, until, tenant, hearer in workload.environment.rate_limits:
        for served in workload.environment.close.served:
            if served.organization != tenant or not told_at < served.at < until - 0.01:
                continue
            if served.path.endswith("/me/"):  # whose organization it is, a new tenant learns only by this call
                continue
            knew = served.invocation.pauses.get(tenant, 0) > served.at + 0.01
            must_know = served.invocation.started > told_at and not workload.environment.network.fired
            if served.invocation is hearer or knew or must_know:
                yield f"{served.method} {served.path} was sent {until - served.at:.1f} s too early to {tenant}"


def tidy(workload: Workload) -> Iterator[str]:
    """When all is quiet, no lease is held and no request waits; and no exception ever left a handler.

    One exception may: a sweep whose query failed fails as a whole, so that its alarm counts it.
    """
    failed_queries = [
        each
        for each in workload.environment.network.fired
        if each.call.startswith("dynamodb.Query ") and each.kind in {FaultKind.ERROR, FaultKind.THROTTLE}
    ]
    failed_sweeps = [each for each in workload.environment.escaped_exceptions if each.startswith("sweeper: ")]
    for each in workload.environment.escaped_exceptions:
        if each not in failed_sweeps or len(failed_sweeps) > len(failed_queries):
            yield f"an exception escaped from the {each}"
    for pk, item in aws.items(TABLE).items():
        if "unfinished" in item:
            yield f"{pk} is unfinished"
        if float(item.get("lease_until", {}).get("N", 0)) > workload.environment.clock.now:
            yield f"{pk} is leased"
    if workload.environment.queue.messages:
        yield f"{len(workload.environment.queue.messages)} messages are on the queue"


def reported(workload: Workload) -> Iterator[str]:
    """An event that was rejected as invalid is published, so that its subscribers know."""
    announced = {each.event["id"] for each in workload.environment.account.published}
    yield from (f"{key} was refused as broken and never announced" for key in workload.rejected - announced)
    yield from (f"{each['detail-type']} was given up" for each in workload.lost)


SIMULATION_INVARIANTS: Mapping[str, Callable[[Workload], Iterator[str]]] = {
    "final": final,
    "polite": polite,
    "tidy": tidy,
    "reported": reported,
}
