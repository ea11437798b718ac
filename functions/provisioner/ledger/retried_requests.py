"""Retries: a new request in place of a settled one, linked with it in both directions in one write.

The new request's item has ``retry_of``, the settled one's ``retried_as``: the keys of each other. The outcome of the
settled one never changes.
"""

import uuid
from typing import NamedTuple

from botocore.exceptions import ClientError

from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.ledger import expressions, items
from provisioner.ledger.acceptance import fresh_record
from provisioner.ledger.conflicts import transaction_conflicts, write
from provisioner.ledger.models import RequestRecord, RequestState
from provisioner.ledger.store import Ledger


class IdTaken(Exception):
    """Another request has the id of the new one already."""


class AlreadyRetried(Exception):
    """The settled request was retried meanwhile, or is not settled."""


class RetryLedger(NamedTuple):
    """The ledger, for one retry of the ``original`` request. ``retried_as``: its known latest retry, if any.

    Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails.
    """

    ledger: Ledger
    original: RequestRecord
    retried_as: str | None

    def find(self, request_key: str) -> RequestRecord | None:
        return self.ledger.find(request_key)

    def accept(self, request: ProvisioningRequest, expected_after: float, requester: Requester) -> RequestRecord:
        """Record the new request and both links. Raises ``IdTaken`` or ``AlreadyRetried``."""
        times = self.ledger.accept_times(expected_after)
        put = expressions.accept_input(self.ledger.table, request, uuid.uuid4().hex, times, requester)
        put["Item"] |= items.attributes({"retry_of": self.original.id})
        try:
            write(
                self.ledger.dynamodb.transact_write_items,
                {"TransactItems": [{"Put": put}, {"Update": self._link(request)}]},
            )
        except ClientError as error:
            taken, _ = transaction_conflicts(error)
        else:
            return fresh_record(put)
        # The SDK repeats a write whose response was lost. Then both conflicting items are as this write left them.
        if taken and items.text_of(taken, "accept_token") == put["Item"]["accept_token"]["S"]:
            return fresh_record(put)
        raise IdTaken if taken else AlreadyRetried

    def _link(self, request: ProvisioningRequest) -> items.Item:
        known = {":known": self.retried_as} if self.retried_as else {}
        is_known = "retried_as = :known" if known else "attribute_not_exists(retried_as)"
        return {
            "TableName": self.ledger.table,
            "Key": items.request_item_key(self.original.id),
            "ConditionExpression": f"attribute_exists(pk) AND #state <> :accepted AND {is_known}",
            "UpdateExpression": "SET retried_as = :new",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": items.attributes(
                {":accepted": RequestState.ACCEPTED, ":new": request.id, **known}
            ),
        }


def retried_as(ledger: Ledger, request_key: str) -> str | None:
    """Return the key of the request's latest retry, if it has one."""
    return items.text_of(ledger.get(items.request_item_key(request_key)), "retried_as")
