"""Outcomes on SNS, as CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec, json-format.md)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.contract import truncation
from provisioner.contract.outcome import Outcome, Result
from provisioner.settings import Settings

EVENT_TYPES = {Result.FAILED: "failed", Result.UNRESOLVED: "unresolved"}
CONTENT_TYPE = "application/cloudevents+json"
MAX_ENTRIES = 10  # of one PublishBatch
MAX_BATCH_BYTES = 262_144  # of its messages and the names, types and values of their attributes


class Notification(NamedTuple):
    """One message to SNS."""

    event_id: str
    text: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """The bytes that SNS counts."""
        named = (f"{name}String{value}" for name, value in self.attributes.items())
        return sum(len(each.encode("utf-8", "surrogatepass")) for each in (self.text, *named))

    @property
    def parameters(self) -> dict[str, Any]:
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in self.attributes.items()}
        return {"Message": self.text, "MessageAttributes": attributes}


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when SNS fails."""

    sns: Any
    topic_arn: str
    source: str

    @classmethod
    def from_settings(cls, settings: Settings, sns: Any) -> Self:
        return cls(sns, settings.outcomes_topic_arn, settings.event_source)

    def publish(self, event_id: str, outcome: Outcome) -> None:
        """Publish the outcome. Publishing it again repeats the event id."""
        self._publish(self._notification(event_id, outcome))

    def publish_all(self, outcomes: Mapping[str, Outcome]) -> dict[str, Exception]:
        """Publish outcomes by event id, in as few calls as SNS allows. Return the error of each that failed.

        An entry that SNS refuses, while it takes the others of its batch, is sent once more by itself. When a whole
        batch fails, all of it has failed, whether or not it arrived.
        """
        notifications = [self._notification(*each) for each in outcomes.items()]
        failed: dict[str, Exception] = {}
        for batch in _batches(notifications):
            failed |= self._publish_batch(batch) if len(batch) > 1 else self._publish_each(batch)
        return failed

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        """Publish the final result of a type whose request had ended as unresolved."""
        shortened = truncation.for_event(outcome, event_id)
        self._publish(self._notification_of(cloud_event(event_id, self.source, "type.resolved", shortened), shortened))

    def _publish_batch(self, batch: Sequence[Notification]) -> dict[str, Exception]:
        entries = [{"Id": str(number), **each.parameters} for number, each in enumerate(batch)]
        try:
            response = self.sns.publish_batch(TopicArn=self.topic_arn, PublishBatchRequestEntries=entries)
        except (BotoCoreError, ClientError) as error:
            return dict.fromkeys((each.event_id for each in batch), error)
        published = {each["Id"] for each in response.get("Successful", ())}
        return self._publish_each([each for number, each in enumerate(batch) if str(number) not in published])

    def _publish_each(self, notifications: Sequence[Notification]) -> dict[str, Exception]:
        failed: dict[str, Exception] = {}
        for each in notifications:
            try:
                self._publish(each)
            except (BotoCoreError, ClientError) as error:
                failed[each.event_id] = error
        return failed

    def _publish(self, notification: Notification) -> None:
        self.sns.publish(TopicArn=self.topic_arn, **notification.parameters)

    def _notification(self, event_id: str, outcome: Outcome) -> Notification:
        kind = f"provisioning.{EVENT_TYPES.get(outcome.result, 'succeeded')}"
        shortened = truncation.for_event(outcome, event_id)
        return self._notification_of(cloud_event(event_id, self.source, kind, shortened), shortened)

    def _notification_of(self, event: Mapping[str, Any], outcome: Outcome) -> Notification:
        attributes = {
            "type": event["type"],
            "source": self.source,
            "tenant": outcome.tenant,
            "result": str(outcome.result),
            "content_type": CONTENT_TYPE,
        }
        return Notification(event["id"], json.dumps(event), attributes)


def _batches(notifications: Sequence[Notification]) -> Iterator[list[Notification]]:
    """Yield the notifications in batches of the size that SNS takes. Each fits one by itself."""
    batch: list[Notification] = []
    filled = 0
    for each in notifications:
        size = each.size
        if batch and (len(batch) == MAX_ENTRIES or filled + size > MAX_BATCH_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(each)
        filled += size
    if batch:
        yield batch


def cloud_event(event_id: str, source: str, kind: str, outcome: Outcome) -> dict[str, Any]:
    """Return the event as a JSON object. Its time is when the request was settled."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": f"close-provisioner.{kind}",
        "subject": f"{outcome.tenant}/{outcome.request_id}",
        "time": outcome.settled_at,
        "datacontenttype": "application/json",
        "data": outcome.as_json(),
    }
