"""Queues subscribed to the outcomes topic, and what arrives on them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.emulator import LocalAws


@dataclass(frozen=True, slots=True)
class Announcement:
    """One CloudEvent as a subscriber gets it."""

    event: dict[str, Any]
    attributes: dict[str, str]
    text: str

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.event["data"]
        return data


def subscribe_queue(aws: LocalAws, topic_arn: str, name: str) -> str:
    """A new queue that gets every outcome as it was published (raw). Answers its URL."""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=raw)
    return url


def receive(sqs: Any, queue_url: str, wait_seconds: int = 1) -> Iterator[Announcement]:
    """What is on the queue now, or arrives within the time; what was read is gone from it."""
    found = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds, MessageAttributeNames=["All"]
    )
    for message in found.get("Messages", []):
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        yield _announcement(message)


def _announcement(message: Mapping[str, Any]) -> Announcement:
    attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    return Announcement(json.loads(message["Body"]), attributes, message["Body"])


def _policy(queue_arn: str, topic_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
