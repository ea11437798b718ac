"""The queue: reconcile the requests of the provisioning queue.

A deferral is chosen: a delayed copy goes on the queue, the original is acknowledged, and no receive is spent. An
unexpected failure leaves the message on the queue, hidden for a growing time. At its last permitted receive,
`unresolved` is published, and SQS moves the message to the dead-letter queue.
"""

from provisioner.handlers.cold_start import once

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
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

MESSAGE_SECONDS = 8  # no message is started with less time left


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work on a batch of SQS records, and return those to deliver again (ReportBatchItemFailures)."""
    return _service().work(event["Records"], lambda: context.get_remaining_time_in_millis() / 1000)


@once
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
        """Return the request's count of deferrals when this was sent, or None if another producer sent it."""
        text = self.record.get("messageAttributes", {}).get(DEFERRALS_ATTRIBUTE, {}).get("stringValue") or ""
        return int(text) if text.isdecimal() and len(text) < 10 else None  # a producer may write anything

    def is_superseded(self, accepted: RequestRecord) -> bool:
        """Return whether a newer message continues the request. Otherwise each deferral would add a message.

        A message received again is never superseded: its first receiver may have died after recording the deferral, but
        before sending the newer message.
        """
        return (
            self.receive_count == 1
            and self.deferrals is not None
            and self.deferrals < accepted.deferrals
            and not accepted.outcome
        )


@dataclass(frozen=True, slots=True)
class InvalidMessage:
    """One SQS record that does not hold a valid request, and the reason."""

    record: Mapping[str, Any]
    rejection: Rejected


@dataclass(frozen=True, slots=True)
class MessageResult:
    """The result of one message: the metric it counts in, and whether SQS delivers it again."""

    message_id: str
    metric: str
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """The handler without Lambda."""

    service: Service

    def work(self, records: Sequence[Mapping[str, Any]], time_left: Callable[[], float]) -> dict[str, Any]:
        """Work on tenants in parallel, and on the messages of one tenant in turn, with one read of Close's list."""
        read = [self._read(record) for record in records]
        messages = sorted((each for each in read if isinstance(each, Message)), key=_tenant)
        work: list[Callable[[], list[MessageResult]]] = [
            *(partial(self._dead_letter, each) for each in read if isinstance(each, InvalidMessage)),
            *(partial(self._work_for_tenant, list(group), time_left) for _, group in groupby(messages, key=_tenant)),
        ]
        with ThreadPoolExecutor(MAX_CONCURRENT_TENANTS) as pool:
            done = [each for future in [pool.submit(task) for task in work] for each in future.result()]
        count(each.metric for each in done)
        return {"batchItemFailures": [{"itemIdentifier": each.message_id} for each in done if each.retry]}

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
        except Rejected as rejection:  # its id belongs to a request with other content, which is unaffected
            return self._dead_letter(InvalidMessage(message.record, rejection))
        except Exception:  # of any kind: the message stays on the queue
            logger.exception("failed; the message stays on the queue", extra=_log_keys(message))
            return [self._retry(message, accepted)]

    def _finish(self, message: Message, accepted: RequestRecord, organization: Organization) -> MessageResult:
        result = self.service.provisioner.reconcile(Job(accepted, message.request, organization))
        if isinstance(result, Deferred):
            return self._wait(message, result)
        if accepted.outcome is None:
            logger.info("settled", extra={**_log_keys(message), "result": result.result, "attempts": result.attempts})
            return MessageResult(message.id, result.result.capitalize())
        logger.info("already settled", extra={**_log_keys(message), "result": result.result})
        if result.result is Result.UNRESOLVED:
            return self._reconcile_unresolved(message, accepted, organization)
        return MessageResult(message.id, "Replayed")

    def _wait(self, message: Message, wait: Deferred) -> MessageResult:
        logger.info("deferred", extra={**_log_keys(message), "seconds": wait.seconds, "reason": wait.reason})
        if not wait.exceeds_queue_delay:
            request = message.request
            self.service.queue.send(request.to_json(), request.tenant, wait.deferrals, wait.seconds)
        return MessageResult(message.id, "Deferred")

    def _reconcile_unresolved(
        self, message: Message, accepted: RequestRecord, organization: Organization
    ) -> MessageResult:
        """Observe the types of a redriven dead-letter message. The queue's receives bound the attempts."""
        wait = self.service.provisioner.reconcile_unresolved(Job(accepted, message.request, organization))
        logger.info("reconciled after unresolved", extra={**_log_keys(message), "reason": wait and wait.reason})
        if wait is None:
            return MessageResult(message.id, "Reconciled")
        self.service.queue.back_off(message.record["receiptHandle"], message.receive_count, wait.seconds)
        return MessageResult(message.id, "Deferred", retry=True)

    def _retry(self, message: Message, accepted: RequestRecord | None) -> MessageResult:
        """Hide the message for a while, or publish `unresolved` at its last receive."""
        try:
            if message.receive_count < self.service.settings.max_receives:
                self.service.queue.back_off(message.record["receiptHandle"], message.receive_count)
            else:
                self._give_up(message, accepted)
        except Exception:  # then the visibility timeout of the queue is the pause
            logger.exception("could not prepare the retry", extra=_log_keys(message))
        return MessageResult(message.id, "Retried", retry=True)

    def _give_up(self, message: Message, accepted: RequestRecord | None) -> None:
        reason = f"The service failed {message.receive_count} times in a row. The message is in the dead-letter queue."
        if accepted:
            self.service.provisioner.give_up(accepted, message.request, reason)
        else:  # the ledger failed, so the message is published under an id of its own, not as its request
            self._publish_for_message(message.record, make_problem(ProblemType.UNRESOLVED, reason), Result.UNRESOLVED)

    def _dead_letter(self, message: InvalidMessage) -> list[MessageResult]:
        """Publish an invalid message as failed, under an id of its own, and send it to the dead-letter queue."""
        record, rejection = message.record, message.rejection
        message_id = record["messageId"]
        try:
            self._publish_for_message(record, rejection.problem, Result.FAILED)
            self.service.queue.dead_letter(record["body"], str(rejection), message_id)
        except Exception:  # both steps are repeated
            logger.exception("could not dead-letter a message", extra={"message_id": message_id})
            return [MessageResult(message_id, "Retried", retry=True)]
        logger.warning(
            "dead-lettered",
            extra={"message_id": message_id, "problem": rejection.problem.type, "reason": str(rejection)},
        )
        return [MessageResult(message_id, "DeadLettered")]

    def _publish_for_message(self, record: Mapping[str, Any], problem: Problem, result: Result) -> None:
        try:
            document = json.loads(record["body"])
        except (ValueError, RecursionError):
            document = None
        named = document if isinstance(document, dict) else {}
        outcome = Outcome(
            tenant=valid_identifier_or(named.get("tenant", "default"), "unknown"),
            request_id=valid_identifier_or(named.get("request_id"), record["messageId"]),
            result=result,
            problem=problem,
            attempts=int(record["attributes"]["ApproximateReceiveCount"]),
            settled_at=datetime.fromtimestamp(self.service.provisioner.clock(), UTC).isoformat(),
        )
        self.service.topic.publish(message_key(record["messageId"]), outcome)


def _tenant(message: Message) -> str:
    return message.request.tenant


def _log_keys(message: Message) -> dict[str, Any]:
    request = message.request
    return {
        "tenant": request.tenant,
        "request_id": request.request_id,
        "id": request.id,
        "message_id": message.id,
        "receive_count": message.receive_count,
    }
