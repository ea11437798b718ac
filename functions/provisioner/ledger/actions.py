"""The operators' actions: who did what to which target, why, and how it ended.

Their key is ``ACTION#<id>``, and the index ``by_time`` lists them. The item is written before the action, so
that no action goes unrecorded; its result is added afterwards.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.ledger import items

RETENTION_DAYS = 400
SECONDS_OF_A_DAY = 86_400
MAX_TEXT = 500  # stored characters of a reason, and of a result
LIST = "actions"
"""Their key in the index ``by_time``, where requests have numbers. People act seldom: one key takes all of it."""
UNKNOWN = "unknown: the function ended before it could tell"


class Action(NamedTuple):
    """One action. ``at``: Unix seconds. ``principal``: the IAM principal that asked for it, as the gateway says."""

    id: str
    at: float
    principal: str
    action: str
    target: str
    reason: str | None = None
    result: str = UNKNOWN


class Actions(NamedTuple):
    """The actions. ``clock`` returns Unix seconds.

    Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails.
    """

    dynamodb: Any
    table: str
    clock: Callable[[], float]

    def begin(self, principal: str, action: str, target: str, reason: str | None) -> Action:
        """Record an action that is about to happen."""
        now = self.clock()
        begun = Action(uuid.uuid4().hex, now, principal, action, target, reason and reason[:MAX_TEXT])
        item = _key(begun.id) | items.attributes(
            {
                "list_shard": LIST,
                "accepted_at": now,
                "asked": json.dumps([principal, action, target, begun.reason], ensure_ascii=False),
                "expires_at": int(now + RETENTION_DAYS * SECONDS_OF_A_DAY),
            }
        )
        self.dynamodb.put_item(TableName=self.table, Item=item)
        return begun

    def end(self, begun: Action, result: str) -> None:
        """Record how it ended. A failure raises nothing: the action has happened, and its result stays unknown."""
        with suppress(BotoCoreError, ClientError):
            self.dynamodb.update_item(
                TableName=self.table,
                Key=_key(begun.id),
                UpdateExpression="SET settled_as = :result",
                ExpressionAttributeValues=items.attributes(
                    {":result": json.dumps(result[:MAX_TEXT], ensure_ascii=False)}
                ),
            )

    def newest(self, since: float, until: float, page: int) -> Iterator[Action]:
        """Yield the actions of that time (Unix seconds, both ends included), the newest first.

        ``page``: how many are read at once.
        """
        query = {
            "TableName": self.table,
            "IndexName": "by_time",
            "KeyConditionExpression": "list_shard = :list AND accepted_at BETWEEN :since AND :until",
            "ExpressionAttributeValues": items.attributes({":list": LIST, ":since": since, ":until": until}),
            "ScanIndexForward": False,
            "Limit": page,
        }
        while True:
            response = self.dynamodb.query(**query)
            yield from sorted(map(_action, response["Items"]), key=lambda each: (each.at, each.id), reverse=True)
            if "LastEvaluatedKey" not in response:
                return
            query["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def _key(action_id: str) -> items.Item:
    return items.attributes({"pk": f"ACTION#{action_id}"})


def _action(item: items.Item) -> Action:
    principal, action, target, reason = json.loads(item["asked"]["S"])[:4]
    result = json.loads(items.text_of(item, "settled_as") or json.dumps(UNKNOWN))
    at = float(item["accepted_at"]["N"])
    return Action(item["pk"]["S"].removeprefix("ACTION#"), at, principal, action, target, reason, result)
