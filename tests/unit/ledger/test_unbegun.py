"""The mark of a request that begins to write: no run creates for a request that the ledger does not hold."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.contract.errors import RetryLater
from provisioner.contract.outcome import Outcome, Result
from provisioner.ledger import items
from provisioner.ledger.models import RequestRecord, RequestState
from provisioner.ledger.store import Ledger
from tests.fakes import Clock, a_request

REQUEST = a_request("1")
RECORD = RequestRecord(REQUEST.id, REQUEST.tenant, "1", RequestState.ACCEPTED, 0, REQUEST.to_json())
OUTCOME = Outcome(tenant="acme", request_id="1", result=Result.UNCHANGED, attempts=1, settled_at="2027-01-15T08:00:00Z")


class Refusing:
    """A DynamoDB whose conditions fail, and which returns the item that they conflict with, if there is one."""

    def __init__(self, item: items.Item | None) -> None:
        self.item = item

    def update_item(self, **_: Any) -> Any:
        found = {"Item": self.item} if self.item else {}
        raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}, **found}, "UpdateItem")


def ledger(item: items.Item | None) -> Ledger:
    return Ledger(Refusing(item), "t", 90, 90, Clock())


def test_a_forgotten_request_does_not_begin_to_write() -> None:
    with pytest.raises(RetryLater, match="was forgotten"):
        ledger(None).begin(RECORD)


def test_a_settled_request_returns_its_outcome_instead() -> None:
    assert ledger(items.attributes({"outcome": OUTCOME.to_json()})).begin(RECORD) == OUTCOME


def test_a_forgotten_request_is_not_settled_from_memory() -> None:
    assert ledger(None).settle_unbegun(RECORD, OUTCOME) is None
