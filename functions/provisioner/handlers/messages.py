"""The records of an SQS event, the order to read them in, and their results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from provisioner.contract.errors import Problem, Rejected
from provisioner.contract.outcome import Outcome, Result, moment
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.handlers.request_log import request_keys
from provisioner.ledger.models import RequestRecord, RequestState
from provisioner.messaging.envelopes import sender_of
from provisioner.messaging.queue import DEFERRALS_ATTRIBUTE
from provisioner.reconcile.crowd import Crowd
from provisioner.reconcile.provisioner import Job

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

    @classmethod
    def of(cls, record: Mapping[str, Any], rejection: Rejected) -> Self:
        """Return the message without the traceback of its rejection, whose frames hold the parsed body."""
        return cls(record, rejection.with_traceback(None), *sender_of(record["body"], record["messageId"]))

    @property
    def outcome(self) -> Outcome:
        return outcome_of_message(self.record, (self.tenant, self.request_id), self.rejection.problem, Result.FAILED)


class MessageResult(NamedTuple):
    """The result of one message: the metric it counts in, and whether SQS delivers it again.

    ``took``: the seconds from the request's acceptance to its outcome, if it settled. ``answers``: the metrics of the
    calls to Close.
    """

    message_id: str
    metric: str
    retry: bool = False
    took: float | None = None
    answers: Sequence[str] = ()


class SettledMessage(NamedTuple):
    """A message whose request is settled. ``answers``: the metrics of the calls to Close."""

    message: AcceptedMessage
    job: Job
    outcome: Outcome
    answers: Sequence[str]

    @property
    def id(self) -> str:
        """The request's, which is the id of its event."""
        return self.message.accepted.id

    @property
    def is_announced(self) -> bool:
        """Whether its outcome was published before it was received."""
        return self.message.accepted.state is RequestState.ANNOUNCED

    @property
    def announcement(self) -> Outcome:
        return self.outcome.asked_by(self.message.accepted.requester)


@dataclass(slots=True)
class TenantMessages:
    """The work on one tenant's messages of a batch. ``held``: those whose outcomes are yet to be published."""

    crowd: Crowd
    time_left: Callable[[], float]
    held: list[SettledMessage] = field(default_factory=list)
    done: list[MessageResult] = field(default_factory=list)

    def holds(self, request: ProvisioningRequest) -> bool:
        """Return whether an outcome of this very request is held."""
        return any(each.id == request.id for each in self.held)


def in_order_of_risk(records: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the indexes of the records: those received most often, and large ones, come last.

    A message that killed a worker was received before, and so were only those that were in a batch with it.
    """

    def risk(index: int) -> tuple[int, bool]:
        return receive_count(records[index]), len(records[index]["body"]) > LARGE

    return sorted(range(len(records)), key=risk)


def tenant_of(message: Message) -> str:
    return message.request.tenant


def requester_of(record: Mapping[str, Any]) -> Requester:
    """Return the sender of the message. SQS names the IAM user or role by its id, not by its ARN."""
    return Requester("queue", record["attributes"].get("SenderId"))


def outcome_of_message(record: Mapping[str, Any], sender: tuple[str, str], problem: Problem, result: Result) -> Outcome:
    """Return the outcome of a message that was never accepted.

    The ledger does not hold it, so nothing in it changes from one receive to the next: a repeated event is the same.
    """
    tenant, request_id = sender
    return Outcome(
        tenant=tenant,
        request_id=request_id,
        result=result,
        problem=problem,
        attempts=1,
        settled_at=moment(int(record["attributes"]["SentTimestamp"]) / 1000),
    ).asked_by(requester_of(record))


def receive_count(record: Mapping[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def log_keys(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"message_id": str(record["messageId"]), "receive_count": receive_count(record)}
