"""The requests to DynamoDB that change the ledger's items, as pure functions: each condition is tested as a value.

models.py and lease.py draw how items change. A failed condition returns the item that it conflicts with. Requests
expire, and so does what is left of a forgotten tenant.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from provisioner.contract.outcome import Outcome
from provisioner.contract.request import UNKNOWN_REQUESTER, ProvisioningRequest, Requester
from provisioner.ledger import bindings, history, items, unfinished
from provisioner.ledger.lease import Lease, ResourceKey, ResourceRecord
from provisioner.ledger.models import RequestRecord, RequestState, TenantRecord

# The message of an unsettled request returns when its delay or its visibility timeout (360 s) ends. A request that is
# still not back a minute later has lost its message and must be requeued by the sweeper.
OVERDUE_SECONDS = 420
MAX_REASON = 300  # stored characters of the reason why a request is pending
MAX_SWEEP_DOUBLINGS = 5  # of the time between two sweeps of a request, up to four hours


class AcceptTimes(NamedTuple):
    """The times at which a request is accepted, is due, and expires (Unix seconds)."""

    now: float
    due_at: float
    expires_at: float


def accept_input(
    table: str, request: ProvisioningRequest, token: str, times: AcceptTimes, requester: Requester = UNKNOWN_REQUESTER
) -> items.Item:
    """Put the request unless it exists. A failure returns the existing item."""
    key, shard = request.id, items.shard_of(request.id)
    return {
        "TableName": table,
        "Item": items.request_item_key(key)
        | items.attributes(
            {
                "tenant": request.tenant,
                "request_id": request.request_id,
                "fingerprint": request.fingerprint,
                "body": request.to_json(),
                "state": RequestState.ACCEPTED,
                "accept_token": token,
                "accepted_at": times.now,
                "list_shard": shard,
                "asked": items.asked_json(request, requester),
                "unfinished": shard,
                "due_at": times.due_at,
                "expires_at": int(times.expires_at),
            }
        ),
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


class LeaseTimes(NamedTuple):
    """The times at which a lease begins and ends (Unix seconds)."""

    now: float
    until: float


def lease_input(table: str, resource: ResourceKey, request_key: str, token: str, times: LeaseTimes) -> items.Item:
    """Take the lease if it is free or expired, and add the intent. The intent of an expired lease stays."""
    return {
        "TableName": table,
        "Key": items.resource_item_key(resource),
        "ConditionExpression": "attribute_not_exists(lease_until) OR lease_until < :now",
        "UpdateExpression": (
            "SET lease_until = :until, lease_token = :token, "
            "intents = list_append(if_not_exists(intents, :none), :intent), "
            "organization = :organization, natural_key = :natural_key ADD fencing_token :one"
        ),
        "ExpressionAttributeValues": items.attributes(
            {
                ":now": times.now,
                ":until": times.until,
                ":one": 1,
                ":none": (),
                ":intent": (items.intent(times.until, request_key),),
                ":token": token,
                ":organization": resource.organization,
                ":natural_key": resource.name,
            }
        ),
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def release_lease_update(lease: Lease) -> items.Item:
    """Replace what was remembered of the resource, if the lease is still this one."""
    remembered = items.remembered(lease.record)
    stored = {name: value for name, value in remembered.items() if value}
    removed = ["lease_until", "lease_token", *(name for name in remembered if name not in stored)]
    assignments = ", ".join(["released = :fencing_token", *(f"{name} = :{name}" for name in stored)])
    return {
        "Key": items.resource_item_key(lease.resource),
        "ConditionExpression": "fencing_token = :fencing_token AND attribute_exists(lease_until)",
        "UpdateExpression": f"SET {assignments} REMOVE {', '.join(removed)}",
        "ExpressionAttributeValues": items.attributes(
            {":fencing_token": lease.fencing_token} | {f":{name}": value for name, value in stored.items()}
        ),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def settle_input(
    table: str, record: RequestRecord, outcome: Outcome, release: Sequence[Lease], now: float
) -> items.Item:
    """Store the outcome, and release every lease with its resource's new record, in one transaction."""
    more, entries = history.addition(record.run, record.history, record.body, history.Ending(now, "settled"))
    due, due_at = unfinished.due_when_settled(record, now)
    values = {
        ":settled": RequestState.SETTLED,
        ":outcome": outcome.to_json(),
        ":as": items.settled_as_json(outcome),
        **due_at,
        **entries,
    }
    update = f"SET #state = :settled, outcome = :outcome, settled_as = :as{due}{more}"
    request = if_still_accepted(table, record, update, values)
    releases = [{"Update": {"TableName": table, **release_lease_update(lease)}} for lease in release]
    return {"TransactItems": [{"Update": request}, *releases]}


def if_still_accepted(
    table: str, record: RequestRecord, update: str, values: Mapping[str, items.Plain] = MappingProxyType({})
) -> items.Item:
    """Update a request that is not settled, and still is the one that the run read: a forgotten request may be accepted
    again.
    """
    accepted: dict[str, items.Plain] = {":accepted": RequestState.ACCEPTED, ":accepted_at": record.accepted_at}
    return {
        "TableName": table,
        "Key": items.request_item_key(record.id),
        "ConditionExpression": "#state = :accepted AND accepted_at = :accepted_at",
        "UpdateExpression": update,
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": items.attributes({**accepted, **values}),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def unchanged_check(table: str, record: ResourceRecord | TenantRecord) -> items.Item:
    """Check, inside a transaction, that since this record was read the resource's lease was not taken, or that the
    tenant was not bound to another organization.
    """
    if isinstance(record, TenantRecord):
        condition, values = bindings.still_bound(record)
        key = items.tenant_item_key(record.tenant)
    else:
        condition, values = _not_leased_since(record)
        key = items.resource_item_key(record.resource)
    check = {"TableName": table, "Key": key, "ConditionExpression": condition}
    return {"ConditionCheck": check | ({"ExpressionAttributeValues": items.attributes(values)} if values else {})}


def _not_leased_since(record: ResourceRecord) -> tuple[str, dict[str, items.Plain]]:
    if not record.fencing_token:
        return "attribute_not_exists(fencing_token)", {}
    return "fencing_token = :fencing_token", {":fencing_token": record.fencing_token}


class DeferralTimes(NamedTuple):
    """The times at which a request is deferred, is to be tried again, and is overdue (Unix seconds)."""

    now: float
    next_at: float
    due_at: float


def deferral_input(
    table: str, record: RequestRecord, times: DeferralTimes, reason: str, tenant_last_missing_at: float = 0
) -> items.Item:
    values: dict[str, items.Plain] = {
        ":due_at": times.due_at,
        ":next_at": times.next_at,
        ":one": 1,
        ":reason": reason[:MAX_REASON],
    }
    ending = history.Ending(times.now, "deferred", reason, times.next_at - times.now)
    more, entries = history.addition(record.run, record.history, record.body, ending)
    update = f"SET due_at = :due_at, next_at = :next_at, pending_reason = :reason{more} ADD deferrals :one"
    values |= entries
    if tenant_last_missing_at:
        update = update.replace(" ADD", ", tenant_last_missing_at = :missing_at ADD")
        values |= {":missing_at": tenant_last_missing_at}
    deferral = _if_unfinished(table, record.id, update, {**values, ":accepted_at": record.accepted_at})
    condition = f"{deferral['ConditionExpression']} AND accepted_at = :accepted_at"
    return deferral | {"ConditionExpression": condition, "ReturnValues": "UPDATED_NEW"}


def postpone_input(table: str, request_key: str, due_at: float) -> items.Item:
    return _if_unfinished(table, request_key, "SET due_at = :due_at ADD sweeps :one", {":due_at": due_at, ":one": 1})


def _if_unfinished(table: str, request_key: str, update: str, values: Mapping[str, items.Plain]) -> items.Item:
    return {
        "TableName": table,
        "Key": items.request_item_key(request_key),
        "ConditionExpression": "attribute_exists(unfinished)",
        "UpdateExpression": update,
        "ExpressionAttributeValues": items.attributes(values),
    }


def mark_published_input(table: str, record: RequestRecord) -> items.Item:
    """Mark the outcome as published, if it is still that of the request that the run read."""
    return {
        "TableName": table,
        "Key": items.request_item_key(record.id),
        "ConditionExpression": "attribute_exists(outcome) AND accepted_at = :accepted_at",
        "UpdateExpression": "SET #state = :announced REMOVE unfinished, due_at",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": items.attributes(
            {":announced": RequestState.ANNOUNCED, ":accepted_at": record.accepted_at}
        ),
    }


def pause_input(table: str, key: items.Item, until: float) -> items.Item:
    """``key``: of an organization, or of a tenant whose organization is not known yet."""
    return {
        "TableName": table,
        "Key": key,
        "ConditionExpression": "attribute_not_exists(not_before) OR not_before < :until",
        "UpdateExpression": "SET not_before = :until",
        "ExpressionAttributeValues": items.attributes({":until": until}),
    }
