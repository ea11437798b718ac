"""The requests whose tenant has no credential yet: one item for each tenant.

``WAITING#<tenant>`` holds a set of request keys, to resume them as soon as the credential arrives. It is bounded: a
request that does not fit is tried again at the end of its wait, as every request is.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

MAX_WAITERS = 500
"""The most requests resumed for one tenant. Each costs two calls, within one run of the events function."""


@dataclass(frozen=True, slots=True)
class TenantWaitlist:
    """The waitlist. ``clock`` returns Unix seconds.

    Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails.
    """

    dynamodb: Any
    table: str
    retention_days: int
    clock: Callable[[], float]

    def add(self, tenant: str, request_key: str) -> None:
        """Add the request. Raises ``ClientError`` also when the waitlist is full."""
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
        """Return the keys of requests that wait for the tenant; some may be settled by now."""
        found = self.dynamodb.get_item(TableName=self.table, Key=_item_key(tenant), ConsistentRead=True)
        return sorted(found.get("Item", {}).get("requests", {"SS": []})["SS"])

    def remove(self, tenant: str, request_keys: Collection[str]) -> None:
        """Remove these requests, and keep any that were added meanwhile."""
        self.dynamodb.update_item(
            TableName=self.table,
            Key=_item_key(tenant),
            UpdateExpression="DELETE requests :requests",
            ExpressionAttributeValues={":requests": {"SS": sorted(request_keys)}},
        )


def _item_key(tenant: str) -> dict[str, Any]:
    return {"pk": {"S": f"WAITING#{tenant}"}}
