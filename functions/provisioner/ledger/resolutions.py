"""A person's word about an unresolved request, kept beside its outcome, which never changes."""

import json

from provisioner.ledger import items
from provisioner.ledger.conflicts import write
from provisioner.ledger.store import Ledger


def remember_resolution(ledger: Ledger, request_key: str, *, there: bool) -> None:
    """Add the word and the present time to the request's item. Raises ``ClientError`` also if it has expired."""
    write(
        ledger.dynamodb.update_item,
        {
            "TableName": ledger.table,
            "Key": items.request_item_key(request_key),
            "ConditionExpression": "attribute_exists(pk)",
            "UpdateExpression": "SET resolution = :resolution",
            "ExpressionAttributeValues": items.attributes({":resolution": json.dumps([ledger.clock(), there])}),
        },
    )
