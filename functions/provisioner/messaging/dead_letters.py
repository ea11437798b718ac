"""The dead-letter queues: look at every message without hiding it for longer than the look takes.

SQS shows a message only by handing it out, which hides it. So all are received, and those that are not deleted are put
back at once. If the function dies in between, they come back by themselves.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.settings import Settings

HELD_SECONDS = 40  # hidden meanwhile; longer than the function runs
MAX_HELD = 300  # messages at once: putting one back takes a call
MARGIN_SECONDS = 12  # left to work on them and to put them back
BATCH = 10  # the most that SQS hands out at once
WAIT_SECONDS = 1  # for messages; a short poll asks only some of the queue's servers, and may find none


class DeadLetter(NamedTuple):
    """One message. ``first_seen``: when it was sent first (Unix seconds). ``queue``: its name among the queues."""

    id: str
    queue: str
    body: str
    attributes: Mapping[str, str]
    first_seen: float
    handle: str


class DeadLetterQueues(NamedTuple):
    """The queues: URLs by name. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when SQS fails."""

    sqs: Any
    urls: Mapping[str, str]

    @classmethod
    def from_settings(cls, settings: Settings, sqs: Any) -> Self:
        urls = {"provisioning": settings.dead_letter_queue_url, "events": settings.events_dead_letter_queue_url}
        return cls(sqs, urls)

    @contextmanager
    def held(self, time_left: Callable[[], float]) -> Iterator[dict[str, DeadLetter]]:
        """Yield the messages of all queues by id, the oldest first. Afterwards, put back those that are still there."""
        found: dict[str, DeadLetter] = {}
        try:
            for name, url in self.urls.items():
                for each in self._received(name, url, time_left):
                    found[each.id] = each  # SQS may hand one out twice: the later handle is the valid one
                    if len(found) >= MAX_HELD:
                        break
            ordered = sorted(found.values(), key=lambda each: (each.first_seen, each.id))
            found = {each.id: each for each in ordered}
            yield found
        finally:
            for each in found.values():
                with suppress(BotoCoreError, ClientError):  # then it comes back when its time is over
                    self.sqs.change_message_visibility(
                        QueueUrl=self.urls[each.queue], ReceiptHandle=each.handle, VisibilityTimeout=0
                    )

    def delete(self, message: DeadLetter) -> None:
        self.sqs.delete_message(QueueUrl=self.urls[message.queue], ReceiptHandle=message.handle)

    def _received(self, name: str, url: str, time_left: Callable[[], float]) -> Iterator[DeadLetter]:
        """Yield the messages that can be received now. An empty queue costs no wait."""
        received, expected = 0, self._visible(url)
        while time_left() > MARGIN_SECONDS:
            response = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS if received < expected else 0,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
            messages = response.get("Messages", [])
            if not messages:
                return
            received += len(messages)
            yield from (_read(name, each) for each in messages)

    def _visible(self, url: str) -> int:
        """Return the number of messages that can be received. SQS counts roughly: it knows new ones a little later."""
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def _read(queue: str, message: Mapping[str, Any]) -> DeadLetter:
    attributes = {
        name: str(each["StringValue"])
        for name, each in message.get("MessageAttributes", {}).items()
        if "StringValue" in each
    }
    sent_at = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    return DeadLetter(message["MessageId"], queue, message["Body"], attributes, sent_at, message["ReceiptHandle"])
