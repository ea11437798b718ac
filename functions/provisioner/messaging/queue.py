"""The provisioning queue and its dead letters, on SQS."""

import json
import math
import random
from dataclasses import dataclass
from typing import Any

MAX_DELAY_SECONDS = 900  # SQS's own bound for a delayed message
DEFERRALS_ATTRIBUTE = "deferrals"  # the attribute that says how often a message's request had waited when it was sent
FIRST_RETRY_SECONDS = 60  # with five receives, an outage of a quarter of an hour is survived


@dataclass(frozen=True, slots=True)
class Queue:
    """Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when SQS cannot be asked."""

    sqs: Any
    queue_url: str
    dead_letter_queue_url: str

    def send(self, body: str, tenant: str, deferrals: int, delay_seconds: float = 0) -> None:
        """Put a request on the queue, to be delivered after the delay (at most 900 s are kept).

        ``waits``: how often it has waited by now. When it has waited more often, another message carries it on.
        """
        self.sqs.send_message(
            QueueUrl=self.queue_url,
            MessageBody=body,
            MessageAttributes={DEFERRALS_ATTRIBUTE: {"DataType": "Number", "StringValue": str(deferrals)}},
            MessageGroupId=tenant,  # a fair queue: one tenant's backlog does not hold up the others
            DelaySeconds=min(math.ceil(delay_seconds), MAX_DELAY_SECONDS),
        )

    def bury(self, body: str, reason: str, message_id: str) -> None:
        """Put a message that can never be carried out on the dead-letter queue, with its reason.

        The reason may quote the message: it is escaped, since SQS refuses control characters.
        """
        self.sqs.send_message(
            QueueUrl=self.dead_letter_queue_url,
            MessageBody=body,
            MessageAttributes={
                "reason": {"DataType": "String", "StringValue": json.dumps(reason)[1:-1][:1000]},
                "message_id": {"DataType": "String", "StringValue": message_id},
            },
        )

    def back_off(self, receipt_handle: str, receive_count: int, at_least: float = 0) -> None:
        """Hide a message whose processing failed: twice as long each time, within 15 minutes, with jitter.

        Lambda does not slow its polling down for partial failures, so each message carries its own pause.
        """
        pause = min(FIRST_RETRY_SECONDS * 2 ** (receive_count - 1), MAX_DELAY_SECONDS) * random.uniform(0.8, 1)  # noqa: S311
        self.sqs.change_message_visibility(
            QueueUrl=self.queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=math.ceil(max(pause, at_least))
        )
