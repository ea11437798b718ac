"""Outcomes on SNS, as CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec, json-format.md)."""

import json
from dataclasses import dataclass
from typing import Any

from provisioner.contract import Outcome, Result

EVENT_TYPES = {Result.FAILED: "failed", Result.UNRESOLVED: "unresolved"}
CONTENT_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The topic. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when SNS cannot be asked."""

    sns: Any
    topic_arn: str
    source: str

    def publish(self, event_id: str, outcome: Outcome) -> None:
        """Publish the outcome. A second publish of the same outcome is visibly the same event."""
        event = cloud_event(event_id, self.source, outcome)
        attributes = {
            "type": event["type"],
            "source": self.source,
            "tenant": outcome.tenant,
            "result": outcome.result,
            "content_type": CONTENT_TYPE,
        }
        self.sns.publish(
            TopicArn=self.topic_arn,
            Message=json.dumps(event, ensure_ascii=False),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": str(value)} for name, value in attributes.items()
            },
        )


def cloud_event(event_id: str, source: str, outcome: Outcome) -> dict[str, Any]:
    """The event as a JSON object. Its time is the time at which the request was settled."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": f"close-provisioner.provisioning.{EVENT_TYPES.get(outcome.result, 'succeeded')}",
        "subject": f"{outcome.tenant}/{outcome.request_id}",
        "time": outcome.settled_at,
        "datacontenttype": "application/json",
        "data": json.loads(outcome.to_json()),
    }
