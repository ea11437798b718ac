"""The index of the requests whose outcome is not announced, by the time at which the sweeper requeues them. Pure."""

from provisioner.ledger import items
from provisioner.ledger.models import RequestRecord

UNANNOUNCED_SECONDS = 120


def due_when_settled(record: RequestRecord, now: float) -> tuple[str, dict[str, items.Plain]]:
    """Return the assignment of the time at which a settled request is overdue, and its value.

    One that was neither deferred nor swept is due soon after its acceptance anyway. To move an entry of the index costs
    two writes.
    """
    if not record.deferrals and not record.sweeps:
        return "", {}
    return ", due_at = :due_at", {":due_at": now + UNANNOUNCED_SECONDS}


def overdue_input(table: str, shard: int, now: float, limit: int) -> items.Item:
    return {
        "TableName": table,
        "IndexName": "unfinished",
        "KeyConditionExpression": "unfinished = :shard AND due_at < :now",
        "ExpressionAttributeValues": items.attributes({":shard": items.shard(shard), ":now": now}),
        "Limit": limit,
    }
