"""The ledger's items: their keys, and the conversion of their attributes from and to models. Pure.

Keys: ``REQUEST#<request key>``; ``TYPE#<organization>#<SHA-256 of the natural key>`` (a name may be longer than a key)
and ``SHARED-FIELD#…`` likewise; ``TENANT#<tenant>`` for the organization that the tenant's key opens;
``ORGANIZATION#<organization>`` for the time before which Close must not be called for it. The sparse index
``unfinished`` holds the requests whose outcome is not published yet, by ``due_at``: the time after which no message can
still be working on them. It has ``SHARDS`` partition keys, because one takes only about 1,000 writes a second and then
holds up those of the table.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import AppliedWrite, Lease, Provenance, ResourceKey, ResourceRecord, Seen
from provisioner.ledger.models import RequestRecord, RequestState, TenantRecord

type Item = dict[str, Any]
type Plain = str | float | Sequence[str]

SHARDS = 8
"""Partition keys of the indexes ``unfinished`` and ``by_time``. Requests are spread by their keys, which are hashes."""


def key_of(item: Item) -> str:
    """Return the key of a request, from its item or its entry in an index."""
    request_key: str = item["pk"]["S"]
    return request_key.removeprefix("REQUEST#")


def due_at(item: Item) -> float:
    return number_of(item, "due_at")


def deferrals_of(item: Item) -> int:
    """Return how often the request was deferred."""
    return int(number_of(item, "deferrals"))


def requester_of(item: Item) -> Requester:
    """Return the sender of the request."""
    return Requester(*json.loads(text_of(item, "asked") or "[]")[:2])


def outcome_of(item: Item) -> Outcome | None:
    """Return the outcome of the request, if it has one."""
    outcome = text_of(item, "outcome")
    return Outcome.from_json(outcome).asked_by(requester_of(item)) if outcome else None


def to_record(item: Item) -> RequestRecord:
    return RequestRecord(
        id=key_of(item),
        tenant=item["tenant"]["S"],
        request_id=item["request_id"]["S"],
        state=RequestState(item["state"]["S"]),
        accepted_at=number_of(item, "accepted_at"),
        body=item["body"]["S"],
        deferrals=deferrals_of(item),
        pending_reason=text_of(item, "pending_reason"),
        sweeps=int(number_of(item, "sweeps")),
        tenant_last_missing_at=number_of(item, "tenant_last_missing_at"),
        outcome=outcome_of(item),
        requester=requester_of(item),
        history=texts_of(item, "history"),
        is_retry="retry_of" in item,
        has_begun="begun" in item,
    )


def to_tenant_record(item: Item, tenant: str) -> TenantRecord:
    return TenantRecord(tenant, text_of(item, "organization"), texts_of(item, "earlier"), not_before(item))


def to_lease(item: Item, resource: ResourceKey) -> Lease:
    """The lease that was just taken: its own intent is the last one."""
    *orphaned, _ = texts_of(item, "intents")
    return Lease(_record(item, resource, orphaned))


def to_resource_record(item: Item, resource: ResourceKey) -> ResourceRecord:
    """The record of a resource that the reader has not leased: creates of its holder may land, too."""
    return _record(item, resource, texts_of(item, "intents"))


def _record(item: Item, resource: ResourceKey, intents: Iterable[str]) -> ResourceRecord:
    return ResourceRecord(
        resource=resource,
        fencing_token=int(number_of(item, "fencing_token")),
        orphaned=tuple(sorted(_orphaned(intent) for intent in intents)),
        in_doubt=_in_doubt(text_of(item, "in_doubt")),
        writes=_writes(text_of(item, "writes")),
        close_id=text_of(item, "close_id"),
        last_observed_at=number_of(item, "last_observed_at"),
        reads_valid_from=number_of(item, "reads_valid_from"),
        observations=_observations(text_of(item, "observations")),
    )


def remembered(record: ResourceRecord) -> dict[str, Plain | None]:
    """Return what the item keeps of the record between two leases; what is empty is not stored."""
    return {
        "intents": [intent(each.since, each.request) for each in record.orphaned],
        "in_doubt": _in_doubt_json(record.in_doubt),
        "writes": _writes_json(record.writes),
        "close_id": record.close_id,
        "last_observed_at": record.last_observed_at,
        "reads_valid_from": record.reads_valid_from,
        "observations": _json(record.observations) if record.observations else None,
    }


def intent(until: float, request_key: str) -> str:
    """The intent to create under a lease: no create is sent after the lease has ended."""
    return f"{until:.6f} {request_key}"


def _orphaned(intent: str) -> InDoubt:
    until, request_key = intent.split(" ", 1)
    return InDoubt(float(until), request_key)


def _in_doubt_json(in_doubt: Mapping[str, Sequence[InDoubt]]) -> str | None:
    rows = {operation: [[*each] for each in entries] for operation, entries in in_doubt.items()}
    return _json(rows) if rows else None


def _in_doubt(text: str | None) -> dict[str, tuple[InDoubt, ...]]:
    rows = json.loads(text or "{}").items()
    return {operation: tuple(InDoubt(*each[: len(InDoubt._fields)]) for each in entries) for operation, entries in rows}


def _writes_json(writes: Mapping[str, AppliedWrite]) -> str | None:
    rows = {operation: [each.close_id, each.at, each.how, *each.requests] for operation, each in writes.items()}
    return _json(rows) if rows else None


def _writes(text: str | None) -> dict[str, AppliedWrite]:
    rows = json.loads(text or "{}").items()
    return {
        operation: AppliedWrite(close_id, at, Provenance(how), tuple(requests))
        for operation, (close_id, at, how, *requests) in rows
    }


def _observations(text: str | None) -> dict[str, Seen]:
    return {fingerprint: Seen(*each[: len(Seen._fields)]) for fingerprint, each in json.loads(text or "{}").items()}


def _json(document: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def lease_until(item: Item) -> float:
    return number_of(item, "lease_until")


def is_released(item: Item, lease: Lease) -> bool:
    """Return whether this lease is released already: the SDK repeats a write whose response was lost."""
    return number_of(item, "released") == lease.fencing_token


def resource_item_key(resource: ResourceKey) -> Item:
    name = resource.kind.upper().replace(" ", "-")
    return _key(f"{name}#{resource.organization}#{hashlib.sha256(resource.name.encode()).hexdigest()}")


def shard_of(request_key: str) -> str:
    """Return the partition key of a request in the indexes ``unfinished`` and ``by_time``."""
    return shard(int(request_key[:2], 16) % SHARDS)


def shard(number: int) -> str:
    return f"request-{number}"


def request_item_key(request_key: str) -> Item:
    return _key(f"REQUEST#{request_key}")


def asked_json(request: ProvisioningRequest, requester: Requester) -> str:
    """Return what the lists show of a request that is accepted."""
    return _json([*requester.shortened(), request.label])


def settled_as_json(outcome: Outcome) -> str:
    """Return what the lists show of an outcome."""
    settled_at = datetime.fromisoformat(outcome.settled_at).timestamp()
    return _json([settled_at, outcome.result, outcome.problem and outcome.problem.name])


def tenant_item_key(tenant: str) -> Item:
    return _key(f"TENANT#{tenant}")


def organization_item_key(organization: str) -> Item:
    return _key(f"ORGANIZATION#{organization}")


def not_before(item: Item) -> float:
    return number_of(item, "not_before")


def _key(pk: str) -> Item:
    return {"pk": {"S": pk}}


def attributes(values: Mapping[str, Plain]) -> Item:
    """Return the values as DynamoDB takes them: texts, numbers, and lists of texts."""
    return {name: _attribute(value) for name, value in values.items()}


def _attribute(value: Plain) -> Item:
    match value:
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case float():
            return {"N": f"{value:.6f}".rstrip("0").rstrip(".")}
        case _:
            return {"L": [{"S": each} for each in value]}


def text_of(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def texts_of(item: Item, name: str) -> tuple[str, ...]:
    return tuple(each["S"] for each in item[name]["L"]) if name in item else ()


def number_of(item: Item, name: str) -> float:
    return float(item[name]["N"]) if name in item else 0
