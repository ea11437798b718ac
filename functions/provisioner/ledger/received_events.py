"""The events of senders that became requests: a redelivery gets its request's answer, however it is mapped by then.

Their key is ``EVENT#<key of the event>``. The item holds the key of the request and a fingerprint of the event's data.
It is written together with the request, so no event is known before its request is. The request may be gone before its
event: a tenant is forgotten without its events, and DynamoDB expires each item by itself.
"""

import uuid
from typing import NamedTuple

from botocore.exceptions import ClientError

from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.ledger import expressions, items
from provisioner.ledger.acceptance import fresh_record, known_record
from provisioner.ledger.conflicts import BUSY_SECONDS, transaction_conflicts, write
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.store import Ledger

ACCEPT_TRIES = 3
"""Writes of one event: the second replaces an event whose request is gone; the third, one that changed meanwhile."""


class ReceivedEvent(NamedTuple):
    """A sender's event. ``key``: of its source and its id. ``fingerprint``: of its data, whatever the mapping is."""

    key: str
    fingerprint: str


class EventLedger(NamedTuple):
    """The ledger, for the request of one event. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError``."""

    ledger: Ledger
    event: ReceivedEvent

    def answer(self) -> RequestRecord | None:
        """Return the request of the event, if it was received before, with the same data."""
        return self._answer(self.ledger.get(self._key))

    def find(self, request_key: str) -> RequestRecord | None:
        return self.ledger.find(request_key)

    def accept(self, request: ProvisioningRequest, expected_after: float, requester: Requester) -> RequestRecord:
        """Record the request and its event, or find the request of the event.

        Raise ``Rejected`` for other data under the event's id, if they map to other content, too. An event whose
        request was forgotten, or expired first, is a new one.
        """
        times = self.ledger.accept_times(expected_after)
        put = expressions.accept_input(self.ledger.table, request, uuid.uuid4().hex, times, requester)
        replaced: items.Item = {}
        for _ in range(ACCEPT_TRIES):
            try:
                self._write(put, self._received(put, replaced))
            except ClientError as error:
                stored, known = transaction_conflicts(error)
            else:
                return fresh_record(put)
            if answer := self._answer(known or {}):
                return answer
            if stored:  # accepted by other means; or its sender changed data that the mapping does not read
                return known_record(stored, request, put)
            if known and not self._is_same(known):
                detail = "The source sent this event before, with other data. Send a changed event under a new id."
                raise Rejected(ProblemType.REQUEST_CONFLICT, detail)
            replaced = known or {}
        raise RetryLater("another request is writing to the ledger", BUSY_SECONDS)

    def _write(self, *puts: items.Item) -> None:
        write(self.ledger.dynamodb.transact_write_items, {"TransactItems": [{"Put": each} for each in puts]})

    def _received(self, put: items.Item, replaced: items.Item) -> items.Item:
        """Put the event unless it exists, or is still the one to be replaced. A failure returns the existing item.

        Each acceptance has a token of its own: of two deliveries at once, only one replaces the event.
        """
        accepted = put["Item"]
        received = {name: accepted[name] for name in ("accept_token", "expires_at")}
        received |= items.attributes({"fingerprint": self.event.fingerprint, "request": items.key_of(accepted)})
        return {
            "TableName": put["TableName"],
            "Item": self._key | received,
            **(_unless_replaced(replaced) if replaced else {"ConditionExpression": "attribute_not_exists(pk)"}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    @property
    def _key(self) -> items.Item:
        return items.attributes({"pk": f"EVENT#{self.event.key}"})

    def _is_same(self, item: items.Item) -> bool:
        return items.text_of(item, "fingerprint") == self.event.fingerprint

    def _answer(self, item: items.Item) -> RequestRecord | None:
        if not self._is_same(item):
            return None
        found = self.ledger.get(items.request_item_key(item["request"]["S"]))
        return items.to_record(found) if found else None


def _unless_replaced(known: items.Item) -> items.Item:
    """Return the condition that the event is still this one, or gone. Events of earlier versions have no token."""
    token = items.text_of(known, "accept_token") or ""
    return {
        "ConditionExpression": "attribute_not_exists(accept_token) OR accept_token = :known",
        "ExpressionAttributeValues": items.attributes({":known": token}),
    }
