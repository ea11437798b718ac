"""Rejected events of senders, recorded in the ledger so that each is published once, not at every redelivery.

Their key is ``REJECTED#<key of the published event>``. The item holds the reason, not the event itself, which may
contain anything and stays with its sender.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RejectedEvents:
    """The store of rejected events. ``clock`` returns Unix seconds.

    Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails.
    """

    dynamodb: Any
    table: str
    retention_days: int
    clock: Callable[[], float]

    def is_known(self, key: str) -> bool:
        """Return whether the event was published already."""
        found = self.dynamodb.get_item(TableName=self.table, Key=_item_key(key), ConsistentRead=True)
        return "Item" in found

    def remember(self, key: str, source: str, event_id: str, reason: str) -> None:
        """Record that the event was published."""
        now = self.clock()
        item = {
            **_item_key(key),
            "source": {"S": source},
            "event_id": {"S": event_id},
            "reason": {"S": reason},
            "announced_at": {"N": f"{now:.6f}"},
            "expires_at": {"N": str(int(now + self.retention_days * 86_400))},
        }
        self.dynamodb.put_item(TableName=self.table, Item=item)


def _item_key(key: str) -> dict[str, Any]:
    return {"pk": {"S": f"REJECTED#{key}"}}
