"""The queue: reconcile the requests of the provisioning queue.

A deferral is chosen: a delayed copy goes on the queue, the original is acknowledged, and no receive is spent. An
unexpected failure leaves the message on the queue, hidden for a growing time. At its last permitted receive,
`unresolved` is published, and SQS moves the message to the dead-letter queue.
"""

from provisioner.handlers.cold_start import once

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from provisioner.aws import MAX_CONCURRENT_TENANTS
from provisioner.contract.errors import ProblemType, Rejected, make_problem
from provisioner.contract.outcome import Outcome, Result, message_key
from provisioner.contract.validation import BlueprintRejected
from provisioner.handlers.messages import (
    AcceptedMessage,
    InvalidMessage,
    Message,
    MessageResult,
    SettledMessage,
    TenantMessages,
    in_order_of_risk,
    log_keys,
    outcome_of_message,
    receive_count,
    requester_of,
    tenant_of,
)
from provisioner.handlers.request_log import close_answers, invocation_of, log_settled
from provisioner.ledger.acceptance import SettledAtOnce
from provisioner.ledger.history import Run
from provisioner.messaging.envelopes import request_in, sender_of
from provisioner.reconcile.crowd import Crowd
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from provisioner.service import Service
from provisioner.settings import Settings
from provisioner.telemetry import count, logger, measure

MESSAGE_SECONDS = 8  # no message is started with less time left


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work on a batch of SQS records, and return those to deliver again (ReportBatchItemFailures)."""
    return _service().work(event["Records"], lambda: context.get_remaining_time_in_millis() / 1000)


@once
def _service() -> "Worker":
    return Worker(Service.from_settings(Settings.from_env()))


@dataclass(frozen=True, slots=True)
class Worker:
    """The handler without Lambda."""

    service: Service

    def work(self, records: Sequence[Mapping[str, Any]], time_left: Callable[[], float]) -> dict[str, Any]:
        """Accept every message, then work on tenants in parallel, and on the messages of one tenant in turn.

        Each message is in the ledger before the next is parsed: if one of them kills the worker, the sweeper continues
        the others. Those that may have killed a worker before come last.
        """
        known: set[str] = set()
        received = {index: self._receive(records[index], known, time_left) for index in in_order_of_risk(records)}
        read = [received[index] for index in range(len(records))]
        messages = sorted((each for each in read if isinstance(each, Message)), key=tenant_of)
        work: list[Callable[[], list[MessageResult]]] = [
            *(partial(self._dead_letter, each) for each in read if isinstance(each, InvalidMessage)),
            *(partial(self._work_for_tenant, list(group), time_left) for _, group in groupby(messages, key=tenant_of)),
        ]
        with ThreadPoolExecutor(MAX_CONCURRENT_TENANTS) as pool:
            done = [each for future in [pool.submit(task) for task in work] for each in future.result()]
        done += [each for each in read if isinstance(each, MessageResult)]
        measure("TimeToOutcome", (each.took for each in done if each.took is not None))
        count([*(each.metric for each in done), *(answer for each in done for answer in each.answers)])
        return {"batchItemFailures": [{"itemIdentifier": each.message_id} for each in done if each.retry]}

    def _receive(
        self, record: Mapping[str, Any], known: set[str], time_left: Callable[[], float]
    ) -> Message | InvalidMessage | MessageResult:
        """Parse the message, and accept its request unless another message of the batch has it, or desires the same.

        ``known``: the keys and the desired states of those before. One that desires the same is accepted once the first
        of them is settled, perhaps in one write with its outcome. Until then the queue keeps it: it was never received
        before, so it killed no worker.
        """
        try:
            message = self._parse(record)
            names = {message.request.id, *([message.request.desired_fingerprint] if message.may_follow else [])}
            if names & known or time_left() < MESSAGE_SECONDS:
                return message
            known |= {message.request.id, message.request.desired_fingerprint}
            return self._accept(message)
        except Rejected as rejection:
            return InvalidMessage.of(record, rejection)
        except Exception:  # of any kind: the message stays on the queue
            logger.exception("failed; the message stays on the queue", extra=log_keys(record))
            return self._retry(record)

    def _parse(self, record: Mapping[str, Any]) -> Message:
        try:
            return Message(record, request_in(record["body"], record["messageId"]))
        except BlueprintRejected as rejection:
            self.service.outbox.accepted_before(rejection)
            return Message(record, rejection.request)

    def _accept(self, message: Message, answer: Outcome | None = None) -> AcceptedMessage:
        run = Run(self.service.provisioner.clock(), 1, invocation_of("queue"), ())
        accepted = self.service.ledger.accept(
            message.request,
            requester=requester_of(message.record),
            settled=SettledAtOnce(answer, run) if answer else None,
        )
        return AcceptedMessage(message.record, accepted.accepted_request(message.request), accepted)

    def _work_for_tenant(self, messages: Sequence[Message], time_left: Callable[[], float]) -> list[MessageResult]:
        crowd = Crowd(self.service.provisioner, self.service.organization(messages[0].request.tenant, time_left))
        tenant = TenantMessages(crowd, time_left)
        for message in messages:
            tenant.done += self._work(message, tenant)
        self._announce_held(tenant)
        return tenant.done

    def _work(self, message: Message, tenant: TenantMessages) -> list[MessageResult]:
        try:
            is_late = tenant.time_left() < MESSAGE_SECONDS
            if not isinstance(message, AcceptedMessage):  # the message before it may have settled the request
                if tenant.holds(message.request):
                    self._announce_held(tenant)
                may_follow = message.may_follow and not is_late
                message = self._accept(message, tenant.crowd.answer(message.request) if may_follow else None)
            return self._finish(message, tenant, is_late)
        except Rejected as rejection:  # its id belongs to a request with other content, which is unaffected
            return self._dead_letter(InvalidMessage.of(message.record, rejection))
        except Exception:  # of any kind: the message stays on the queue
            logger.exception("failed; the message stays on the queue", extra=message.log_keys)
            return [self._retry(message.record, message)]

    def _finish(self, message: AcceptedMessage, tenant: TenantMessages, is_late: bool) -> list[MessageResult]:
        """Settle the request. Its outcome is held, to be published with those after it, while these come at once.

        A late message is sent again. Its request is accepted by then, so the worker does not count as its sender.
        """
        if message.is_superseded:
            return [MessageResult(message.id, "Superseded")]
        if is_late:
            return [self._wait(message, Deferred(0, "too little time is left in this run", message.accepted.deferrals))]
        if not tenant.crowd.settles_soon(message.accepted, message.request):
            self._announce_held(tenant)
        job = tenant.crowd.job(message.accepted, message.request, invocation_of("queue", message.receive_count))
        result = self.service.provisioner.settle(job)
        if isinstance(result, Deferred):
            tenant.crowd.remember_wait(message.request)
            return [self._wait(message, result)._replace(answers=close_answers(tenant.crowd.organization.calls))]
        tenant.crowd.remember_outcome(message.request, result)
        calls = () if message.accepted.outcome else tenant.crowd.organization.calls  # else, of a run before
        tenant.held.append(SettledMessage(message, job, result, close_answers(calls)))
        return []

    def _announce_held(self, tenant: TenantMessages) -> None:
        """Publish the outcomes that are held. A message whose outcome could not be published stays on the queue."""
        held, tenant.held = tenant.held, []
        failed = self.service.topic.publish_all({each.id: each.announcement for each in held if not each.is_announced})
        for each in held:
            try:
                tenant.done.append(self._announced(each, failed.get(each.id)))
            except Exception:  # of any kind
                logger.exception("failed; the message stays on the queue", extra=each.message.log_keys)
                tenant.done.append(self._retry(each.message.record, each.message))

    def _announced(self, settled: SettledMessage, error: Exception | None) -> MessageResult:
        message, result = settled.message, settled.outcome.result
        if error:
            raise error
        if not settled.is_announced:
            self.service.ledger.mark_published(message.accepted)
        if message.accepted.outcome is None or message.accepted.fresh:
            log_settled(settled.outcome, message.log_keys)
            took = self.service.provisioner.clock() - message.accepted.accepted_at
            return MessageResult(message.id, result.capitalize(), took=took, answers=settled.answers)
        logger.info("already settled", extra={**message.log_keys, "result": result})
        if result is Result.UNRESOLVED:
            return self._reconcile_unresolved(message, settled.job)
        return MessageResult(message.id, "Replayed")

    def _wait(self, message: Message, wait: Deferred) -> MessageResult:
        logger.info("deferred", extra={**message.log_keys, "seconds": wait.seconds, "reason": wait.reason})
        if not wait.exceeds_queue_delay:
            self.service.queue.send(message.request.to_json(), message.request.tenant, wait.deferrals, wait.seconds)
        return MessageResult(message.id, "Deferred")

    def _reconcile_unresolved(self, message: Message, job: Job) -> MessageResult:
        """Observe the types of a redriven dead-letter message. The queue's receives bound the attempts."""
        wait = self.service.provisioner.reconcile_unresolved(job)
        logger.info("reconciled after unresolved", extra={**message.log_keys, "reason": wait and wait.reason})
        if wait is None:
            return MessageResult(message.id, "Reconciled")
        self.service.queue.back_off(message.record["receiptHandle"], message.receive_count, wait.seconds)
        return MessageResult(message.id, "Deferred", retry=True)

    def _retry(self, record: Mapping[str, Any], message: Message | None = None) -> MessageResult:
        """Hide the message for a while, or publish `unresolved` at its last receive."""
        try:
            if receive_count(record) < self.service.settings.max_receives:
                self.service.queue.back_off(record["receiptHandle"], receive_count(record))
            else:
                self._give_up(record, message)
        except Exception:  # then the visibility timeout of the queue is the pause
            logger.exception("could not prepare the retry", extra=log_keys(record))
        return MessageResult(record["messageId"], "Retried", retry=True)

    def _give_up(self, record: Mapping[str, Any], message: Message | None) -> None:
        reason = f"The service failed {receive_count(record)} times in a row. The message is in the dead-letter queue."
        if isinstance(message, AcceptedMessage):
            self.service.provisioner.give_up(message.accepted, message.request, reason)
        else:  # the ledger failed, so the message is published under an id of its own, not as its request
            problem = make_problem(ProblemType.UNRESOLVED, reason)
            sender = sender_of(record["body"], record["messageId"])
            outcome = outcome_of_message(record, sender, problem, Result.UNRESOLVED)
            self.service.topic.publish(message_key(record["messageId"]), outcome)

    def _dead_letter(self, message: InvalidMessage) -> list[MessageResult]:
        """Publish an invalid message as failed, under an id of its own, and send it to the dead-letter queue."""
        record, rejection = message.record, message.rejection
        message_id = record["messageId"]
        try:
            self.service.topic.publish(message_key(message_id), message.outcome)
            self.service.queue.dead_letter(record["body"], str(rejection), message_id)
        except Exception:  # both steps are repeated
            logger.exception("could not dead-letter a message", extra={"message_id": message_id})
            return [MessageResult(message_id, "Retried", retry=True)]
        logger.warning(
            "dead-lettered",
            extra={"message_id": message_id, "problem": rejection.problem.type, "reason": str(rejection)},
        )
        return [MessageResult(message_id, "DeadLettered")]
