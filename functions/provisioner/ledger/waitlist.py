"""The requests whose tenant has no credential yet: one item for each tenant.

``WAITING#<tenant>`` holds a set of request keys, to resume them as soon as the credential arrives. It is bounded: a
request that does not fit is tried again at the end of its wait, as every request is. The item also counts the additions
to it: a request that is resumed, and finds its credential still missing, is added again and must not be removed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

MAX_WAITERS = 500
"""The most requests resumed for one tenant. Each costs two calls, within one run of the events function."""


class Waiters(NamedTuple):
    """The keys of requests that wait for a tenant, after so many additions. Some may be settled by now."""

    request_keys: list[str]
    additions: int


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
            ConditionExpression=(
                "attribute_not_exists(requests) OR size(requests) < :most OR contains(requests, :key)"
            ),
            UpdateExpression="SET expires_at = :expires_at ADD requests :request, additions :one",
            ExpressionAttributeValues={
                ":request": {"SS": [request_key]},
                ":key": {"S": request_key},
                ":one": {"N": "1"},
                ":most": {"N": str(MAX_WAITERS)},
                ":expires_at": {"N": str(int(self.clock() + self.retention_days * 86_400))},
            },
        )

    def read(self, tenant: str) -> Waiters:
        item = self.dynamodb.get_item(TableName=self.table, Key=_item_key(tenant), ConsistentRead=True).get("Item", {})
        keys = item.get("requests", {"SS": []})["SS"]
        return Waiters(sorted(keys), int(item.get("additions", {"N": "0"})["N"]))

    def remove(self, tenant: str, waiters: Waiters) -> None:
        """Remove these requests, unless any was added since they were read: then all stay, to be resumed once more."""
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key=_item_key(tenant),
                ConditionExpression=(
                    "attribute_exists(pk) AND (attribute_not_exists(additions) OR additions = :additions)"
                ),
                UpdateExpression="DELETE requests :requests",
                ExpressionAttributeValues={
                    ":requests": {"SS": waiters.request_keys},
                    ":additions": {"N": str(waiters.additions)},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def _item_key(tenant: str) -> dict[str, Any]:
    return {"pk": {"S": f"WAITING#{tenant}"}}
