"""Queues that are subscribed to the outcomes topic, and the outcomes that arrive on them."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Announcement:
    """One CloudEvent as a subscriber receives it. ``published_at``: Unix seconds."""

    event: dict[str, Any]
    attributes: dict[str, str]
    text: str
    published_at: float

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.event["data"]
        return data

    @property
    def concerns(self) -> tuple[str, str]:
        """Return tenant and request id."""
        return self.data["tenant"], self.data["request_id"]


@dataclass(slots=True)
class Feed:
    """A reader of a subscribed queue, with all outcomes that arrived on it. Reading removes them from the queue."""

    sqs: Any
    queue_url: str
    arrived: list[Announcement] = field(default_factory=list)

    def poll(self, wait_seconds: int = 0) -> list[Announcement]:
        """Return the outcomes that are on the queue now, or arrive within the time."""
        new: list[Announcement] = []
        while messages := self._receive(0 if new else wait_seconds):
            new += map(_announcement, messages)
        self.arrived += new
        return new

    def wait_for(self, matches: Callable[[Announcement], bool], seconds: float, number: int = 1) -> list[Announcement]:
        """Return the matching outcomes, earlier ones too, once there are ``number``. Raises ``TimeoutError``."""
        deadline = time.monotonic() + seconds
        while len(found := [each for each in self.arrived if matches(each)]) < number:
            if time.monotonic() > deadline:
                arrived = [(*each.concerns, each.data["result"]) for each in self.arrived]
                raise TimeoutError(
                    f"{len(found)} of {number} outcomes after {seconds} s; the topic published {arrived}"
                )
            self.poll(1)
        return found

    def _receive(self, wait_seconds: int) -> list[Mapping[str, Any]]:
        found = self.sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        messages: list[Mapping[str, Any]] = found.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return messages


def subscribe_queue(
    client: Callable[[str], Any], topic_arn: str, name: str, undo: list[Callable[[], object]] | None = None
) -> str:
    """Return the URL of a new queue that receives every outcome, without the envelope of SNS.

    ``client`` makes a client of a service. ``undo`` gets the steps that remove queue and subscription.
    """
    sqs, sns, steps = client("sqs"), client("sns"), [] if undo is None else undo
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    steps.append(lambda: sqs.delete_queue(QueueUrl=url))
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})
    raw = {"RawMessageDelivery": "true"}
    subscribed = sns.subscribe(
        TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=raw, ReturnSubscriptionArn=True
    )
    steps.append(lambda: sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"]))
    return url


def _announcement(message: Mapping[str, Any]) -> Announcement:
    attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    published_at = int(message["Attributes"]["SentTimestamp"]) / 1000
    return Announcement(json.loads(message["Body"]), attributes, message["Body"], published_at)


def _policy(queue_arn: str, topic_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
