"""The queue door: carries out what is on the provisioning queue.

Waiting and failing are two things. A wait that we chose puts a delayed copy on the queue and acknowledges the original:
it burns no receive. A failure that we did not expect leaves the message where it is, hidden for a growing time; its
last permitted receive announces `unresolved`, and the message goes to the dead letters.
"""

import gc

gc.disable()  # while importing: nothing is garbage yet, and looking for it costs a fifth of a cold start

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from itertools import groupby
from typing import Any

from provisioner.aws import MAX_CONCURRENT_TENANTS
from provisioner.close.list_cache import Organization
from provisioner.contract.errors import Problem, ProblemType, Rejected, make_problem
from provisioner.contract.outcome import Outcome, Result, message_key
from provisioner.contract.parsing import parse_request
from provisioner.contract.request import ProvisioningRequest, valid_identifier_or
from provisioner.ledger.models import RequestRecord
from provisioner.messaging.queue import DEFERRALS_ATTRIBUTE
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from provisioner.service import Service
from provisioner.settings import Settings
from provisioner.telemetry import count, logger

MESSAGE_SECONDS = 8  # a message is not begun with less time left


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Works on a batch of SQS records; answers with those to be delivered again (ReportBatchItemFailures)."""
    return _service().work(event["Records"], lambda: context.get_remaining_time_in_millis() / 1000)


@cache
def _service() -> "Worker":
    return Worker(Service.from_settings(Settings.from_env()))


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
        return int(self.record["attributes"]["ApproximateReceiveCount"])

    @property
    def deferrals(self) -> int | None:
        """How often its request had waited when this was sent; None when that was not by this service."""
        told = self.record.get("messageAttributes", {}).get(DEFERRALS_ATTRIBUTE, {}).get("stringValue") or ""
        return int(told) if told.isdecimal() and len(told) < 10 else None  # a producer may say anything there

    def is_superseded(self, accepted: RequestRecord) -> bool:
        """Whether another message carries the request on: without this, each would send itself on at every wait.

        A message that comes again is not: whoever received it first may have died between counting and sending.
        """
        return (
            self.receive_count == 1
            and self.deferrals is not None
            and self.deferrals < accepted.deferrals
            and not accepted.outcome
        )


@dataclass(frozen=True, slots=True)
class InvalidMessage:
    """One SQS record that is no request, and why."""

    record: Mapping[str, Any]
    rejection: Rejected


@dataclass(frozen=True, slots=True)
class MessageResult:
    """What became of one message: its name in the metrics, and whether it is to be delivered again."""

    message_id: str
    metric: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """The door, apart from Lambda."""

    service: Service

    def work(self, records: Sequence[Mapping[str, Any]], time_left: Callable[[], float]) -> dict[str, Any]:
        """Tenants side by side; the messages of one tenant one after the other, with one look at Close's list."""
        read = [self._read(record) for record in records]
        messages = sorted((each for each in read if isinstance(each, Message)), key=_tenant)
        work: list[Callable[[], list[MessageResult]]] = [
            *(partial(self._bury, each) for each in read if isinstance(each, InvalidMessage)),
            *(partial(self._work_for_tenant, list(group), time_left) for _, group in groupby(messages, key=_tenant)),
        ]
        with ThreadPoolExecutor(MAX_CONCURRENT_TENANTS) as pool:
            done = [each for future in [pool.submit(task) for task in work] for each in future.result()]
        count(each.metric for each in done)
        return {"batchItemFailures": [{"itemIdentifier": each.message_id} for each in done if each.again]}

    def _read(self, record: Mapping[str, Any]) -> Message | InvalidMessage:
        try:
            return Message(
                record, parse_request(record["body"], fallback_id=record["messageId"], allow_expanded_blueprint=True)
            )
        except Rejected as rejection:
            return InvalidMessage(record, rejection)

    def _work_for_tenant(self, messages: Sequence[Message], time_left: Callable[[], float]) -> list[MessageResult]:
        organization = self.service.organization(_tenant(messages[0]), time_left)
        return [each for message in messages for each in self._work(message, organization, time_left)]

    def _work(
        self, message: Message, organization: Organization, time_left: Callable[[], float]
    ) -> list[MessageResult]:
        accepted = None
        try:
            if time_left() < MESSAGE_SECONDS:
                return [self._wait(message, Deferred(0, "too little time is left in this run", message.deferrals or 0))]
            accepted = self.service.ledger.accept(message.request)
            if message.is_superseded(accepted):
                return [MessageResult(message.id, "Superseded")]
            return [self._finish(message, accepted, organization)]
        except Rejected as rejection:  # its id was used for other content; that other request stays what it is
            return self._bury(InvalidMessage(message.record, rejection))
        except Exception:  # whatever it is, the message stays on the queue
            logger.exception("failed; the message stays on the queue", extra=_seen(message))
            return [self._retry(message, accepted)]

    def _finish(self, message: Message, accepted: RequestRecord, organization: Organization) -> MessageResult:
        result = self.service.provisioner.reconcile(Job(accepted, message.request, organization))
        if isinstance(result, Deferred):
            return self._wait(message, result)
        if accepted.outcome is None:
            logger.info("settled", extra={**_seen(message), "result": result.result, "attempts": result.attempts})
            return MessageResult(message.id, result.result.capitalize())
        logger.info("was settled before", extra={**_seen(message), "result": result.result})
        if result.result is Result.UNRESOLVED:
            return self._follow_up(message, accepted, organization)
        return MessageResult(message.id, "Replayed")

    def _wait(self, message: Message, wait: Deferred) -> MessageResult:
        logger.info("waits", extra={**_seen(message), "seconds": wait.seconds, "reason": wait.reason})
        if not wait.exceeds_queue_delay:
            request = message.request
            self.service.queue.send(request.to_json(), request.tenant, wait.deferrals, wait.seconds)
        return MessageResult(message.id, "Deferred")

    def _follow_up(self, message: Message, accepted: RequestRecord, organization: Organization) -> MessageResult:
        """A dead letter was redriven: what became of its type may be known by now. Its receives bound the waiting."""
        wait = self.service.provisioner.reconcile_unresolved(Job(accepted, message.request, organization))
        logger.info("followed up", extra={**_seen(message), "reason": wait and wait.reason})
        if wait is None:
            return MessageResult(message.id, "Reconciled")
        self.service.queue.back_off(message.record["receiptHandle"], message.receive_count, wait.seconds)
        return MessageResult(message.id, "Deferred", again=True)

    def _retry(self, message: Message, accepted: RequestRecord | None) -> MessageResult:
        """Leave the message on the queue for a while, or announce that this was its last receive."""
        try:
            if message.receive_count < self.service.settings.max_receives:
                self.service.queue.back_off(message.record["receiptHandle"], message.receive_count)
            else:
                self._give_up(message, accepted)
        except Exception:  # then the queue's own visibility timeout is the pause
            logger.exception("could not prepare the retry", extra=_seen(message))
        return MessageResult(message.id, "Retried", again=True)

    def _give_up(self, message: Message, accepted: RequestRecord | None) -> None:
        reason = f"The service failed {message.receive_count} times in a row; the message is with the dead letters."
        if accepted:
            self.service.provisioner.give_up(accepted, message.request, reason)
        else:  # the ledger cannot be asked: what is announced of the message says nothing of its request
            self._announce_message(message.record, make_problem(ProblemType.UNRESOLVED, reason), Result.UNRESOLVED)

    def _bury(self, message: InvalidMessage) -> list[MessageResult]:
        """What can never be carried out is announced as failed, under an id of its own, and kept as a dead letter."""
        record, rejection = message.record, message.rejection
        message_id = record["messageId"]
        try:
            self._announce_message(record, rejection.problem, Result.FAILED)
            self.service.queue.bury(record["body"], str(rejection), message_id)
        except Exception:  # both are repeated together
            logger.exception("could not bury a message", extra={"message_id": message_id})
            return [MessageResult(message_id, "Retried", again=True)]
        logger.warning(
            "buried", extra={"message_id": message_id, "problem": rejection.problem.type, "reason": str(rejection)}
        )
        return [MessageResult(message_id, "DeadLettered")]

    def _announce_message(self, record: Mapping[str, Any], fault: Problem, result: Result) -> None:
        try:
            document = json.loads(record["body"])
        except (ValueError, RecursionError):
            document = None
        named = document if isinstance(document, dict) else {}
        outcome = Outcome(
            tenant=valid_identifier_or(named.get("tenant", "default"), "unknown"),
            request_id=valid_identifier_or(named.get("request_id"), record["messageId"]),
            result=result,
            problem=fault,
            attempts=int(record["attributes"]["ApproximateReceiveCount"]),
            settled_at=datetime.fromtimestamp(self.service.provisioner.clock(), UTC).isoformat(),
        )
        self.service.topic.publish(message_key(record["messageId"]), outcome)


def _tenant(message: Message) -> str:
    return message.request.tenant


def _seen(message: Message) -> dict[str, Any]:
    request = message.request
    return {
        "tenant": request.tenant,
        "request_id": request.request_id,
        "id": request.id,
        "message_id": message.id,
        "receives": message.receive_count,
    }


gc.freeze()
gc.enable()
