"""Outcomes on SNS, as CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec, json-format.md)."""

import json
from dataclasses import dataclass
from typing import Any, Self

from provisioner.contract import truncation
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.request import request_key
from provisioner.settings import Settings

EVENT_TYPES = {Result.FAILED: "failed", Result.UNRESOLVED: "unresolved"}
CONTENT_TYPE = "application/cloudevents+json"


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
        kind = f"provisioning.{EVENT_TYPES.get(outcome.result, 'succeeded')}"
        shortened = truncation.for_event(outcome, event_id)
        self._publish(cloud_event(event_id, self.source, kind, shortened), shortened)

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        """Publish the final result of a type whose request had ended as unresolved."""
        shortened = truncation.for_event(outcome, request_key(outcome.tenant, outcome.request_id))
        self._publish(cloud_event(event_id, self.source, "type.resolved", shortened), shortened)

    def _publish(self, event: dict[str, Any], outcome: Outcome) -> None:
        attributes = {
            "type": event["type"],
            "source": self.source,
            "tenant": outcome.tenant,
            "result": outcome.result,
            "content_type": CONTENT_TYPE,
        }
        self.sns.publish(
            TopicArn=self.topic_arn,
            Message=json.dumps(event),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": str(value)} for name, value in attributes.items()
            },
        )


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
