"""The provisioning queue and its dead-letter queue, on SQS."""

import json
import math
import random
from dataclasses import dataclass
from typing import Any, Self

from provisioner.settings import Settings

MAX_DELAY_SECONDS = 900  # the longest delay that SQS allows
DEFERRALS_ATTRIBUTE = "deferrals"  # message attribute: how often its request was deferred by then
MAX_MESSAGE_BYTES = 1_048_576  # of a body and the names, types and values of its attributes, as SQS counts them
CUT = {"truncated": "true"}  # message attribute of a dead-letter message that is not whole
FIRST_RETRY_SECONDS = 60  # five receives outlast an outage of a quarter of an hour


@dataclass(frozen=True, slots=True)
class Queue:
    """The queues. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when SQS fails."""

    sqs: Any
    queue_url: str
    dead_letter_queue_url: str

    @classmethod
    def from_settings(cls, settings: Settings, sqs: Any) -> Self:
        return cls(sqs, settings.provisioning_queue_url, settings.dead_letter_queue_url)

    def send(self, body: str, tenant: str, deferrals: int, delay_seconds: float = 0) -> None:
        """Send a request, to be delivered after the delay (900 s at most).

        ``deferrals``: how often it was deferred so far. A message with a lower count than the ledger is superseded.
        """
        self.sqs.send_message(
            QueueUrl=self.queue_url,
            MessageBody=body,
            MessageAttributes={DEFERRALS_ATTRIBUTE: {"DataType": "Number", "StringValue": str(deferrals)}},
            MessageGroupId=tenant,  # a fair queue: one tenant's backlog does not delay the others
            DelaySeconds=min(math.ceil(delay_seconds), MAX_DELAY_SECONDS),
        )

    def dead_letter(self, body: str, reason: str, message_id: str) -> None:
        """Send a message that can never succeed to the dead-letter queue, with the reason.

        The reason may quote the message, so it is escaped: SQS rejects control characters. A body that leaves no room
        for the reason is cut.
        """
        attributes = {"reason": json.dumps(reason)[1:-1][:1000], "message_id": message_id}
        fitting = _fitting(body, attributes)
        self.sqs.send_message(
            QueueUrl=self.dead_letter_queue_url,
            MessageBody=fitting,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in (attributes if fitting == body else {**attributes, **CUT}).items()
            },
        )

    def back_off(self, receipt_handle: str, receive_count: int, at_least: float = 0) -> None:
        """Hide a failed message: twice as long each time, up to 15 minutes, with jitter.

        Lambda polls at full speed despite partial batch failures, so each message has its own pause.
        """
        pause = min(FIRST_RETRY_SECONDS * 2 ** (receive_count - 1), MAX_DELAY_SECONDS) * random.uniform(0.8, 1)  # noqa: S311
        self.sqs.change_message_visibility(
            QueueUrl=self.queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=math.ceil(max(pause, at_least))
        )


def _fitting(body: str, attributes: dict[str, str]) -> str:
    """Return the body, or as many whole characters of it as SQS takes beside the attributes."""
    named = {**attributes, **CUT}
    room = MAX_MESSAGE_BYTES - sum(len(f"{name}String{value}".encode()) for name, value in named.items())
    encoded = body.encode("utf-8", "surrogatepass")
    return body if len(encoded) <= room else encoded[:room].decode("utf-8", "ignore")
