"""Conflicts that DynamoDB reports: with a condition, or with a transaction that is running."""

import random
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from provisioner.contract.errors import RetryLater
from provisioner.ledger import items

BUSY_SECONDS = 2.0  # until the next try, when the ledger is still busy after these
# DynamoDB rejects a write to an item that is inside a running transaction, and the SDK does not retry that.
CONFLICT_TRIES = 4
CONFLICT_SECONDS = (0.02, 0.1)
CONFLICTS = {"TransactionConflictException", "TransactionConflict", "ThrottlingError", "TransactionInProgressException"}


def write(call: Callable[..., Any], request: items.Item) -> Any:
    """Send a write, and repeat it if a running transaction conflicts. Every write here is safe to repeat."""
    for _ in range(CONFLICT_TRIES - 1):
        try:
            return call(**request)
        except ClientError as error:
            if not _is_conflict(error):
                raise
            time.sleep(random.uniform(*CONFLICT_SECONDS))  # noqa: S311
    return call(**request)


def _is_conflict(error: ClientError) -> bool:
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])} - {"None"}
    codes = reasons or {error.response["Error"]["Code"]}
    return codes <= CONFLICTS


def conflicting_item(error: ClientError) -> items.Item:
    """Return the item that the condition conflicts with, {} if it does not exist. Raises any other error."""
    code = error.response["Error"]["Code"]
    if code in CONFLICTS:
        raise RetryLater("another request is writing to the ledger", BUSY_SECONDS) from None
    if code != "ConditionalCheckFailedException":
        raise error
    item: items.Item = error.response.get("Item", {})
    return item


def transaction_conflicts(error: ClientError) -> list[items.Item | None]:
    """Return, for each write of a transaction, the item that its condition conflicts with; None where it held."""
    reasons = error.response.get("CancellationReasons", [])
    if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
        raise error
    return [reason.get("Item", {}) if reason.get("Code") == "ConditionalCheckFailed" else None for reason in reasons]
