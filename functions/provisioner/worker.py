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
from functools import cache
from itertools import groupby
from typing import Any

from provisioner.assembly import TENANTS_AT_ONCE, Service
from provisioner.close import Organization
from provisioner.contract import (
    CustomObjectType,
    Outcome,
    ProvisioningRequest,
    Result,
    identifier_or,
    message_key,
)
from provisioner.errors import Refused
from provisioner.provision import Wait
from provisioner.records import RequestRecord
from provisioner.request_body import read_request
from provisioner.settings import Settings
from provisioner.telemetry import count, logger


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
    def receives(self) -> int:
        return int(self.record["attributes"]["ApproximateReceiveCount"])


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one message: its name in the metrics, and whether it is to be delivered again."""

    message_id: str
    counted_as: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """The door, apart from Lambda."""

    service: Service

    def work(self, records: Sequence[Mapping[str, Any]], time_left: Callable[[], float]) -> dict[str, Any]:
        """Tenants side by side; the messages of one tenant one after the other, with one look at Close's list."""
        read = [self._read(record) for record in records]
        done = [each for each in read if isinstance(each, Done)]
        messages = sorted((each for each in read if isinstance(each, Message)), key=_tenant)
        tenants = [list(group) for _, group in groupby(messages, key=_tenant)]
        with ThreadPoolExecutor(TENANTS_AT_ONCE) as pool:
            for finished in pool.map(lambda group: self._work_for_tenant(group, time_left), tenants):
                done += finished
        count(each.counted_as for each in done)
        return {"batchItemFailures": [{"itemIdentifier": each.message_id} for each in done if each.again]}

    def _read(self, record: Mapping[str, Any]) -> Message | Done:
        try:
            return Message(record, read_request(record["body"], fallback_id=record["messageId"]))
        except Refused as refusal:
            return self._bury(record, refusal)

    def _work_for_tenant(self, messages: Sequence[Message], time_left: Callable[[], float]) -> list[Done]:
        organization = self.service.organization(_tenant(messages[0]), time_left)

        def work(message: Message) -> Done:
            accepted = None
            try:
                accepted = self.service.ledger.accept(message.request)
                return self._finish(message, accepted, organization)
            except Refused as refusal:  # its id was used for other content; that other request stays what it is
                return self._bury(message.record, refusal)
            except Exception:  # whatever it is, the message stays on the queue
                logger.exception("failed; the message stays on the queue", extra=_seen(message))
                return self._retry(message, accepted)

        return [work(message) for message in messages]

    def _finish(self, message: Message, accepted: RequestRecord, organization: Organization) -> Done:
        result = self.service.provisioner.carry_out(accepted, message.request, organization)
        if isinstance(result, Wait):
            logger.info("waits", extra={**_seen(message), "seconds": result.seconds, "reason": result.reason})
            self.service.messages.send(message.request.to_json(), message.request.tenant, result.seconds)
            return Done(message.id, "Waited")
        if accepted.outcome is None:
            logger.info("settled", extra={**_seen(message), "result": result.result, "attempts": result.attempts})
            return Done(message.id, result.result.capitalize())
        logger.info("was settled before", extra={**_seen(message), "result": result.result})
        if result.result is Result.UNRESOLVED:
            return self._follow_up(message, accepted, organization)
        return Done(message.id, "Replayed")

    def _follow_up(self, message: Message, accepted: RequestRecord, organization: Organization) -> Done:
        """A dead letter was redriven: what became of its type may be known by now. Its receives bound the waiting."""
        result = self.service.provisioner.follow_up(accepted, message.request, organization)
        logger.info("followed up", extra={**_seen(message), "found": isinstance(result, CustomObjectType)})
        if isinstance(result, Wait):
            self.service.messages.back_off(message.record["receiptHandle"], message.receives, result.seconds)
            return Done(message.id, "Waited", again=True)
        return Done(message.id, "FollowedUp")

    def _retry(self, message: Message, accepted: RequestRecord | None) -> Done:
        """Leave the message on the queue for a while, or announce that this was its last receive."""
        try:
            if message.receives < self.service.settings.max_receives:
                self.service.messages.back_off(message.record["receiptHandle"], message.receives)
            elif accepted:
                name = message.request.custom_object_type.name
                reason = f"The service failed {message.receives} times in a row; the message is with the dead letters."
                self.service.provisioner.give_up(accepted, name, reason)
        except Exception:  # then the queue's own visibility timeout is the pause
            logger.exception("could not prepare the retry", extra=_seen(message))
        return Done(message.id, "Retried", again=True)

    def _bury(self, record: Mapping[str, Any], refusal: Refused) -> Done:
        """What can never be carried out is announced as failed, under an id of its own, and kept as a dead letter."""
        message_id = record["messageId"]
        try:
            document = json.loads(record["body"])
        except (ValueError, RecursionError):
            document = None
        named = document if isinstance(document, dict) else {}
        outcome = Outcome(
            tenant=identifier_or(named.get("tenant", "default"), "unknown"),
            request_id=identifier_or(named.get("request_id"), message_id),
            result=Result.FAILED,
            problem=refusal.problem,
            attempts=1,
            settled_at=datetime.fromtimestamp(self.service.provisioner.clock(), UTC).isoformat(),
        )
        try:
            self.service.outcomes.publish(message_key(message_id), outcome)
            self.service.messages.bury(record["body"], str(refusal), message_id)
        except Exception:  # both are repeated together
            logger.exception("could not bury a message", extra={"message_id": message_id})
            return Done(message_id, "Retried", again=True)
        logger.warning("buried", extra={"message_id": message_id, "problem": refusal.problem.type, "why": str(refusal)})
        return Done(message_id, "Buried")


def _tenant(message: Message) -> str:
    return message.request.tenant


def _seen(message: Message) -> dict[str, Any]:
    request = message.request
    return {
        "tenant": request.tenant,
        "request_id": request.request_id,
        "id": request.id,
        "message_id": message.id,
        "receives": message.receives,
    }


gc.freeze()
gc.enable()
