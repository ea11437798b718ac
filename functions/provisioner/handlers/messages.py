"""The records of an SQS event, and the order to read them in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from provisioner.contract.errors import Rejected
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.handlers.request_log import request_keys
from provisioner.ledger.models import RequestRecord
from provisioner.messaging.queue import DEFERRALS_ATTRIBUTE

LARGE = 10_000  # characters of a body; most are far below


@dataclass(frozen=True, slots=True)
class Message:
    """One SQS record and the request in it."""

    record: Mapping[str, Any]
    request: ProvisioningRequest

    @property
    def id(self) -> str:
        return str(self.record["messageId"])

    @property
    def receive_count(self) -> int:
        return receive_count(self.record)

    @property
    def deferrals(self) -> int | None:
        """Return the request's count of deferrals when this was sent, or None if another producer sent it."""
        text = self.record.get("messageAttributes", {}).get(DEFERRALS_ATTRIBUTE, {}).get("stringValue") or ""
        return int(text) if text.isdecimal() and len(text) < 10 else None  # a producer may write anything

    @property
    def may_follow(self) -> bool:
        """Whether a message with the same desired state may be worked on first: no worker of ours sent or lost it."""
        return self.receive_count == 1 and self.deferrals is None

    @property
    def log_keys(self) -> dict[str, Any]:
        """The keys of a log line that identify the message and its request."""
        return {**request_keys(self.request), **log_keys(self.record)}


@dataclass(frozen=True, slots=True)
class AcceptedMessage(Message):
    """A message whose request is in the ledger. ``request``: the one that was accepted, not the one in the message."""

    accepted: RequestRecord

    @property
    def is_superseded(self) -> bool:
        """Whether a newer message continues the request. Otherwise each deferral would add a message.

        A message received again is never superseded: its first receiver may have died after recording the deferral, but
        before sending the newer message.
        """
        return (
            self.receive_count == 1
            and self.deferrals is not None
            and self.deferrals < self.accepted.deferrals
            and not self.accepted.outcome
        )


class InvalidMessage(NamedTuple):
    """One SQS record that does not hold a valid request, the reason, and the names to announce it under."""

    record: Mapping[str, Any]
    rejection: Rejected
    tenant: str
    request_id: str


def in_order_of_risk(records: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the indexes of the records: those received most often, and large ones, come last.

    A message that killed a worker was received before, and so were only those that were in a batch with it.
    """

    def risk(index: int) -> tuple[int, bool]:
        return receive_count(records[index]), len(records[index]["body"]) > LARGE

    return sorted(range(len(records)), key=risk)


def requester_of(record: Mapping[str, Any]) -> Requester:
    """Return the sender of the message. SQS names the IAM user or role by its id, not by its ARN."""
    return Requester("queue", record["attributes"].get("SenderId"))


def receive_count(record: Mapping[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def log_keys(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"message_id": str(record["messageId"]), "receive_count": receive_count(record)}
