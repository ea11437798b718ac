"""The guarantees that can be checked on the history of any run: see history.py."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.contract.request import request_key
from provisioner.contract.text import natural_key
from tests.simulation.callers import types_in
from tests.simulation.history import History, TypeKey

MADE = {"created", "recovered"}
SUCCEEDED = {*MADE, "updated", "unchanged", "adopted"}


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept, and how one sees it."""

    invariant: str
    description: str


def violations_of[Observed](
    history: Observed, invariants: Mapping[str, Callable[[Observed], Iterator[str]]]
) -> list[Violation]:
    return [
        Violation(invariant, description) for invariant, check in invariants.items() for description in check(history)
    ]


def once(history: History) -> Iterator[str]:
    """At most one type per tenant and natural key; and of each type one field, of each tenant one shared field."""
    for (tenant, name), number in history.types_by_name().items():
        if number > 1:
            yield f"{tenant} has {number} types named {name!r}"
    for tenant, field_counts in history.field_counts.items():
        yield from (f"{tenant} has {number} of {part}" for part, number in field_counts.items() if number > 1)


def _outcome(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored outcome. Its entry point and sender are stored beside it."""
    requester = zip(("entry_point", "requested_by"), json.loads(item.get("asked", {}).get("S", "[]")), strict=False)
    return {**json.loads(item["outcome"]["S"]), **{name: value for name, value in requester if value}}


def settled(history: History) -> Iterator[str]:
    """Every accepted request has one outcome, the same to everybody, and it never changed."""
    stored = {pk: _outcome(item) for pk, item in history.items.items() if "outcome" in item}
    yield from (f"the outcome of {pk} was changed" for pk in history.changed)
    for pk, item in history.items.items():
        if pk.startswith("REQUEST#") and "outcome" not in item:
            yield f"{item['request_id']['S']} was accepted and is not settled"
    for submitted in history.submitted:
        outcome = stored.get(f"REQUEST#{request_key(*submitted.key)}")
        if submitted.accepted and outcome is None:
            yield f"{submitted.request_id} was accepted and is not remembered"
        if any(heard != outcome for heard in submitted.outcomes):
            yield f"{submitted.request_id} received another outcome than the stored one"
        if any(event["data"] != outcome for event in history.events.get(submitted.key, [])):
            yield f"{submitted.request_id} was announced with another outcome than what is stored"


def truthful(history: History) -> Iterator[str]:
    """An outcome says what is so: who created what, and that it is there."""
    created: dict[str, list[str]] = defaultdict(list)
    claimed: dict[TypeKey, set[str]] = defaultdict(set)
    there = {(each.tenant, each.id) for each in history.stored}
    for outcome, names in _outcomes(history):
        tenant = history.home(outcome["tenant"])
        for name in names:
            claimed[tenant, name].add(outcome["result"])
        for each in outcome.get("types", ()):
            claimed[tenant, natural_key(each["name"])].add(each["result"])
            yield from _renamed(history, outcome, each, claimed[tenant, natural_key(each["name"])])
            if "id" in each and (tenant, each["id"]) not in there and each["id"] not in history.deleted:
                yield f"{outcome['request_id']} names a type that Close has not"
            if each["result"] in MADE:
                created[str(each["id"])].append(outcome["request_id"])
            if outcome["result"] in SUCCEEDED:
                yield from _unfinished(outcome["request_id"], each)
    yield from (
        f"{makers} all say that they made {close_id}" for close_id, makers in created.items() if len(makers) > 1
    )
    for (tenant, name), results in claimed.items():
        if (tenant, name) in history.created and not results & {*MADE, "unresolved", "renamed"}:
            yield f"{tenant} has the type {name!r}, and no outcome claims to have created it: {sorted(results)}"


def _renamed(
    history: History, outcome: Mapping[str, Any], of_type: Mapping[str, Any], claimed: set[str]
) -> Iterator[str]:
    """Who created a type that a person renamed is not said. Nothing else excuses a type that no outcome claims."""
    if of_type.get("renamed") and of_type["id"] in history.touched:
        claimed.add("renamed")
    elif new := of_type.get("renamed"):
        yield f"{outcome['request_id']} says that {of_type['name']!r} was renamed to {new!r}, and it was not"


def _unfinished(request_id: str, created: Mapping[str, Any]) -> Iterator[str]:
    """Only a type of another creator, or one that a person renamed under way, may lack fields of the request."""
    if created["result"] in {*MADE, "updated", "unchanged"} and not created.get("renamed"):
        missing = [each["name"] for each in created["fields"] if each["result"] == "missing" or "id" not in each]
        yield from (f"{request_id} succeeded without the field {name!r}" for name in missing)


def announced(history: History) -> Iterator[str]:
    """Every outcome was published, always under the same id."""
    for pk, item in history.items.items():
        if "outcome" in item:
            key = (item["tenant"]["S"], item["request_id"]["S"])
            ids = {event["id"] for event in history.events.get(key, [])}
            if not ids:
                yield f"{key[1]} is settled and was not published"
            elif ids != {pk.removeprefix("REQUEST#")}:
                yield f"{key[1]} was published as {sorted(ids)}"
            if item.get("state", {}).get("S") != "announced":
                yield f"{key[1]} was published and the ledger does not know"


def apart(history: History) -> Iterator[str]:
    """A credential is used for its tenant only: each organization holds what its own requests asked for."""
    desired: dict[str, set[str]] = defaultdict(set)
    for submitted in history.submitted:
        desired[history.home(submitted.tenant)] |= submitted.names
    for each in history.received:
        if each.tenant not in history.tenants:
            yield f"{each.method} {each.path} came with nobody's credential"
        elif each.type_name and natural_key(each.type_name) not in desired[each.tenant]:
            yield f"{each.type_name!r} was sent to {each.tenant}"


def silent(history: History) -> Iterator[str]:
    """No credential in a log line, a metric, an item, an event, a message or an answer."""
    yield from history.leaks()


def additive(history: History) -> Iterator[str]:
    """Nothing is deleted at Close, or changed in kind."""
    for each in history.received:
        if each.method not in {"GET", "POST", "PUT"}:
            yield f"{each.method} {each.path} was sent"
    yield from (f"{' '.join(each)} is gone" for each in history.removed)


def _outcomes(history: History) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Every stored outcome, with the natural keys of the types that were asked for."""
    for item in history.items.values():
        if "outcome" in item:
            types = types_in(json.loads(item["body"]["S"]))
            yield json.loads(item["outcome"]["S"]), [natural_key(each["name"]) for each in types]


INVARIANTS: Mapping[str, Callable[[History], Iterator[str]]] = {
    "once": once,
    "settled": settled,
    "truthful": truthful,
    "announced": announced,
    "apart": apart,
    "silent": silent,
    "additive": additive,
}
