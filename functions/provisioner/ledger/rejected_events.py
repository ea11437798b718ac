"""Senders' events that could not be understood: remembered in the ledger, so that each is announced once and not for
every redelivery.

Their key is ``BROKEN#<the key that they are announced under>``. They hold what was wrong, not what was sent: that may
be anything, and its sender has it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RejectedEvents:
    """``clock`` gives Unix seconds.

    Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB cannot be asked.
    """

    dynamodb: Any
    table: str
    retention_days: int
    clock: Callable[[], float]

    def is_known(self, key: str) -> bool:
        """Whether the event was announced already."""
        found = self.dynamodb.get_item(TableName=self.table, Key=_item_key(key), ConsistentRead=True)
        return "Item" in found

    def remember(self, key: str, source: str, event_id: str, reason: str) -> None:
        """The event was announced."""
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
    return {"pk": {"S": f"BROKEN#{key}"}}
