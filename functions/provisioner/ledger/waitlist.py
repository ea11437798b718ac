"""Who waits for a tenant: keys of the requests whose tenant has no credential yet, in one item for each tenant.

``WAITING#<tenant>`` holds a set of request keys. It only hastens what happens anyway: each of these requests comes back
by itself when its wait is over. So the set is bounded: who finds it full is not woken.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

MAX_WAITERS = 500
"""Requests of a tenant that are woken. Each costs two calls, all of which the event door has to make in its time."""


@dataclass(frozen=True, slots=True)
class TenantWaitlist:
    """``clock`` gives Unix seconds.

    Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB cannot be asked.
    """

    dynamodb: Any
    table: str
    retention_days: int
    clock: Callable[[], float]

    def add(self, tenant: str, request_key: str) -> None:
        """Raises ``ClientError``, too, when there are as many already."""
        self.dynamodb.update_item(
            TableName=self.table,
            Key=_item_key(tenant),
            ConditionExpression="attribute_not_exists(requests) OR size(requests) < :most",
            UpdateExpression="SET expires_at = :expires_at ADD requests :request",
            ExpressionAttributeValues={
                ":request": {"SS": [request_key]},
                ":most": {"N": str(MAX_WAITERS)},
                ":expires_at": {"N": str(int(self.clock() + self.retention_days * 86_400))},
            },
        )

    def of(self, tenant: str) -> list[str]:
        """Keys of the requests that wait for the tenant, or did."""
        found = self.dynamodb.get_item(TableName=self.table, Key=_item_key(tenant), ConsistentRead=True)
        return sorted(found.get("Item", {}).get("requests", {"SS": []})["SS"])

    def remove(self, tenant: str, request_keys: Collection[str]) -> None:
        """They wait no longer. Whoever was added meanwhile stays."""
        self.dynamodb.update_item(
            TableName=self.table,
            Key=_item_key(tenant),
            UpdateExpression="DELETE requests :requests",
            ExpressionAttributeValues={":requests": {"SS": sorted(request_keys)}},
        )


def _item_key(tenant: str) -> dict[str, Any]:
    return {"pk": {"S": f"WAITING#{tenant}"}}
