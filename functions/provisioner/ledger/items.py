"""Build the requests to DynamoDB that read and write the ledger's items. Pure. models.py draws how items change.

Each condition can be tested as a value. A failed condition returns the item that it conflicts with.

Keys: ``REQUEST#<request key>``; ``TYPE#<tenant>#<SHA-256 of the natural key>`` (a name may be longer than a key) and
``SHARED-FIELD#…`` likewise; ``TENANT#<tenant>`` for the time before which Close must not be called for a tenant.
Only requests expire. The sparse index ``unfinished`` holds requests with an unpublished outcome, by ``due_at``: the
time after which the message of a request must be lost.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.models import (
    AppliedWrite,
    InDoubt,
    Lease,
    Provenance,
    RequestRecord,
    RequestState,
    ResourceKey,
    ResourceRecord,
)

type Item = dict[str, Any]

# The message of an unsettled request returns when its delay or its visibility timeout (360 s) ends. A request that is
# still not back a minute later has lost its message and must be requeued by the sweeper.
OVERDUE_SECONDS = 420
UNANNOUNCED_SECONDS = 120
MAX_REASON = 300  # stored characters of the reason why a request is pending
MAX_SWEEP_DOUBLINGS = 5  # of the time between two sweeps of a request, up to four hours


class AcceptTimes(NamedTuple):
    """The times at which a request is accepted, is due, and expires (Unix seconds)."""

    now: float
    due_at: float
    expires_at: float


def accept_input(table: str, request: ProvisioningRequest, token: str, times: AcceptTimes) -> Item:
    """Put the request unless it exists. A failure returns the existing item."""
    return {
        "TableName": table,
        "Item": {
            **request_item_key(request.id),
            "tenant": _s(request.tenant),
            "request_id": _s(request.request_id),
            "fingerprint": _s(request.fingerprint),
            "body": _s(request.to_json()),
            "state": _s(RequestState.ACCEPTED),
            "accept_token": _s(token),
            "accepted_at": _n(times.now),
            "unfinished": _s("request"),
            "due_at": _n(times.due_at),
            "expires_at": _n(int(times.expires_at)),
        },
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


class LeaseTimes(NamedTuple):
    """The times at which a lease begins and ends (Unix seconds)."""

    now: float
    until: float


def lease_input(table: str, resource: ResourceKey, request_key: str, token: str, times: LeaseTimes) -> Item:
    """Take the lease if it is free or expired, and add an intent. An expired lease leaves its intent and end time."""
    return {
        "TableName": table,
        "Key": resource_item_key(resource),
        "ConditionExpression": "attribute_not_exists(lease_until) OR lease_until < :now",
        "UpdateExpression": (
            "SET orphaned_until = if_not_exists(lease_until, :zero), lease_until = :until, lease_token = :token, "
            "intents = list_append(if_not_exists(intents, :none), :intent), "
            "tenant = :tenant, natural_key = :natural_key ADD fencing_token :one"
        ),
        "ExpressionAttributeValues": {
            ":now": _n(times.now),
            ":until": _n(times.until),
            ":zero": _n(0),
            ":one": _n(1),
            ":none": {"L": []},
            ":intent": _strings([request_key]),
            ":token": _s(token),
            ":tenant": _s(resource.tenant),
            ":natural_key": _s(resource.name),
        },
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def release_lease_update(lease: Lease) -> Item:
    """Replace the record of the resource and free its lease, if the lease is still this one."""
    record, orphaned = lease.record, lease.record.orphaned
    remembered = {
        "intents": orphaned and _strings(orphaned.requests),
        "in_doubt_since": orphaned and _n(orphaned.since),
        "in_doubt": record.in_doubt and _s(_in_doubt_json(record.in_doubt)),
        "writes": record.writes and _s(_writes_json(record.writes)),
        "close_id": record.close_id and _s(record.close_id),
        "last_observed_at": record.last_observed_at and _n(record.last_observed_at),
        "reads_valid_from": record.reads_valid_from and _n(record.reads_valid_from),
    }
    stored = {name: value for name, value in remembered.items() if value}
    removed = ["lease_until", "lease_token", "orphaned_until", *(name for name in remembered if name not in stored)]
    assignments = ", ".join(["released = :fencing_token", *(f"{name} = :{name}" for name in stored)])
    return {
        "Key": resource_item_key(lease.resource),
        "ConditionExpression": "fencing_token = :fencing_token AND attribute_exists(lease_until)",
        "UpdateExpression": f"SET {assignments} REMOVE {', '.join(removed)}",
        "ExpressionAttributeValues": {
            ":fencing_token": _n(lease.fencing_token),
            **{f":{name}": value for name, value in stored.items()},
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def settle_input(table: str, record: RequestRecord, outcome: Outcome, release: Sequence[Lease], now: float) -> Item:
    """Store the outcome, and release every lease with its resource's new record, in one transaction."""
    request = {
        "TableName": table,
        "Key": request_item_key(record.id),
        "ConditionExpression": "#state = :accepted",
        "UpdateExpression": "SET #state = :settled, outcome = :outcome, due_at = :due_at",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {
            ":accepted": _s(RequestState.ACCEPTED),
            ":settled": _s(RequestState.SETTLED),
            ":outcome": _s(outcome.to_json()),
            ":due_at": _n(now + UNANNOUNCED_SECONDS),
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    releases = [{"Update": {"TableName": table, **release_lease_update(lease)}} for lease in release]
    return {"TransactItems": [{"Update": request}, *releases]}


def not_leased_since(table: str, record: ResourceRecord) -> Item:
    """Check, inside a transaction, that the lease was not taken after this record was read."""
    same = {
        "ConditionExpression": "fencing_token = :fencing_token",
        "ExpressionAttributeValues": {":fencing_token": _n(record.fencing_token)},
    }
    never = {"ConditionExpression": "attribute_not_exists(fencing_token)"}
    condition = same if record.fencing_token else never
    return {"ConditionCheck": {"TableName": table, "Key": resource_item_key(record.resource), **condition}}


def deferral_input(
    table: str, record: RequestRecord, due_at: float, reason: str, tenant_last_missing_at: float = 0
) -> Item:
    values = {":due_at": _n(due_at), ":one": _n(1), ":reason": _s(reason[:MAX_REASON])}
    update = "SET due_at = :due_at, pending_reason = :reason ADD deferrals :one"
    if tenant_last_missing_at:
        update = update.replace(" ADD", ", tenant_last_missing_at = :missing_at ADD")
        values |= {":missing_at": _n(tenant_last_missing_at)}
    return _if_unfinished(table, record.id, update, values) | {"ReturnValues": "UPDATED_NEW"}


def deferrals_of(item: Item) -> int:
    """Return how often the request was deferred."""
    return int(_number(item, "deferrals"))


def postpone_input(table: str, request_key: str, due_at: float) -> Item:
    return _if_unfinished(
        table, request_key, "SET due_at = :due_at ADD sweeps :one", {":due_at": _n(due_at), ":one": _n(1)}
    )


def _if_unfinished(table: str, request_key: str, update: str, values: Item) -> Item:
    return {
        "TableName": table,
        "Key": request_item_key(request_key),
        "ConditionExpression": "attribute_exists(unfinished)",
        "UpdateExpression": update,
        "ExpressionAttributeValues": values,
    }


def mark_published_input(table: str, record: RequestRecord) -> Item:
    return {
        "TableName": table,
        "Key": request_item_key(record.id),
        "ConditionExpression": "attribute_exists(pk)",
        "UpdateExpression": "SET #state = :announced REMOVE unfinished, due_at",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":announced": _s(RequestState.ANNOUNCED)},
    }


def pause_input(table: str, tenant: str, until: float) -> Item:
    return {
        "TableName": table,
        "Key": tenant_item_key(tenant),
        "ConditionExpression": "attribute_not_exists(not_before) OR not_before < :until",
        "UpdateExpression": "SET not_before = :until",
        "ExpressionAttributeValues": {":until": _n(until)},
    }


def overdue_input(table: str, now: float, limit: int) -> Item:
    return {
        "TableName": table,
        "IndexName": "unfinished",
        "KeyConditionExpression": "unfinished = :request AND due_at < :now",
        "ExpressionAttributeValues": {":request": _s("request"), ":now": _n(now)},
        "Limit": limit,
    }


def to_record(item: Item) -> RequestRecord:
    outcome = text_of(item, "outcome")
    return RequestRecord(
        id=item["pk"]["S"].removeprefix("REQUEST#"),
        tenant=item["tenant"]["S"],
        request_id=item["request_id"]["S"],
        state=RequestState(item["state"]["S"]),
        accepted_at=_number(item, "accepted_at"),
        deferrals=deferrals_of(item),
        pending_reason=text_of(item, "pending_reason"),
        sweeps=int(_number(item, "sweeps")),
        tenant_last_missing_at=_number(item, "tenant_last_missing_at"),
        outcome=Outcome.from_json(outcome) if outcome else None,
    )


def to_lease(item: Item, resource: ResourceKey) -> Lease:
    """Return the lease that was just taken. A previous holder that died sent no create after its lease ended."""
    *orphaned, _ = texts_of(item, "intents")
    since = _number(item, "orphaned_until") or _number(item, "in_doubt_since")
    return Lease(_record(item, resource, orphaned, since))


def to_resource_record(item: Item, resource: ResourceKey) -> ResourceRecord:
    """Return the record for a reader without the lease: creates of the present holder may land, too."""
    since = max(_number(item, "lease_until"), _number(item, "in_doubt_since"))
    return _record(item, resource, texts_of(item, "intents"), since)


def _record(item: Item, resource: ResourceKey, orphaned: Sequence[str], since: float) -> ResourceRecord:
    return ResourceRecord(
        resource=resource,
        fencing_token=int(_number(item, "fencing_token")),
        orphaned=InDoubt(since, tuple(orphaned)) if orphaned else None,
        in_doubt=_in_doubt(text_of(item, "in_doubt")),
        writes=_writes(text_of(item, "writes")),
        close_id=text_of(item, "close_id"),
        last_observed_at=_number(item, "last_observed_at"),
        reads_valid_from=_number(item, "reads_valid_from"),
    )


def _in_doubt_json(in_doubt: Mapping[str, InDoubt]) -> str:
    return _json({operation: [each.since, each.lost, *each.requests] for operation, each in in_doubt.items()})


def _in_doubt(text: str | None) -> dict[str, InDoubt]:
    rows = json.loads(text or "{}").items()
    return {operation: InDoubt(since, tuple(requests), lost) for operation, (since, lost, *requests) in rows}


def _writes_json(writes: Mapping[str, AppliedWrite]) -> str:
    return _json({operation: [each.close_id, each.at, each.how, *each.requests] for operation, each in writes.items()})


def _writes(text: str | None) -> dict[str, AppliedWrite]:
    rows = json.loads(text or "{}").items()
    return {
        operation: AppliedWrite(close_id, at, Provenance(how), tuple(requests))
        for operation, (close_id, at, how, *requests) in rows
    }


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def lease_until(item: Item) -> float:
    return _number(item, "lease_until")


def is_released(item: Item, lease: Lease) -> bool:
    """Return whether this lease is released already: the SDK repeats a write whose response was lost."""
    return _number(item, "released") == lease.fencing_token


def resource_item_key(resource: ResourceKey) -> Item:
    name = resource.kind.upper().replace(" ", "-")
    return _key(f"{name}#{resource.tenant}#{hashlib.sha256(resource.name.encode()).hexdigest()}")


def request_item_key(request_key: str) -> Item:
    return _key(f"REQUEST#{request_key}")


def tenant_item_key(tenant: str) -> Item:
    return _key(f"TENANT#{tenant}")


def not_before(item: Item) -> float:
    return _number(item, "not_before")


def _key(pk: str) -> Item:
    return {"pk": _s(pk)}


def _s(text: str) -> Item:
    return {"S": text}


def _strings(texts: Iterable[str]) -> Item:
    return {"L": [_s(text) for text in texts]}


def _n(number: float) -> Item:
    return {"N": f"{number:.6f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)}


def text_of(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def texts_of(item: Item, name: str) -> tuple[str, ...]:
    return tuple(each["S"] for each in item[name]["L"]) if name in item else ()


def _number(item: Item, name: str) -> float:
    return float(item[name]["N"]) if name in item else 0
