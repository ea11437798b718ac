"""The events of senders that became requests: a redelivery gets its request's answer, however it is mapped by then.

Their key is ``EVENT#<key of the event>``. The item holds the key of the request and a fingerprint of the event's data.
It is written together with the request, so no event is known whose request is not.
"""

import uuid
from typing import NamedTuple

from botocore.exceptions import ClientError

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.ledger import expressions, items
from provisioner.ledger.acceptance import fresh_record, known_record
from provisioner.ledger.conflicts import transaction_conflicts, write
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.store import Ledger


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

        Raise ``Rejected`` for other data under the event's id, if they map to other content, too.
        """
        table, times = self.ledger.table, self.ledger.accept_times(expected_after)
        put = expressions.accept_input(table, request, uuid.uuid4().hex, times, requester)
        received = {
            "TableName": table,
            "Item": self._key
            | items.attributes(
                {
                    "fingerprint": self.event.fingerprint,
                    "request": request.id,
                    "expires_at": int(times.expires_at),
                }
            ),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            write(self.ledger.dynamodb.transact_write_items, {"TransactItems": [{"Put": put}, {"Put": received}]})
        except ClientError as error:
            stored, known = transaction_conflicts(error)
        else:
            return fresh_record(put)
        if answer := self._answer(known or {}):
            return answer
        if stored:  # accepted by other means; or its sender changed data that the mapping does not read
            return known_record(stored, request, put)
        detail = "The source sent this event before, with other data. Send a changed event under a new id."
        raise Rejected(ProblemType.REQUEST_CONFLICT, detail)

    @property
    def _key(self) -> items.Item:
        return items.attributes({"pk": f"EVENT#{self.event.key}"})

    def _answer(self, item: items.Item) -> RequestRecord | None:
        if items.text_of(item, "fingerprint") != self.event.fingerprint:
            return None
        found = self.ledger.get(items.request_item_key(item["request"]["S"]))
        return items.to_record(found) if found else None
