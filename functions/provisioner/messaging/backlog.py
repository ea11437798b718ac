"""How many messages each queue of the service holds."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from provisioner.settings import Settings

HELD = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible")


class Backlog(NamedTuple):
    """The queues: URLs by name. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when SQS fails."""

    sqs: Any
    urls: Mapping[str, str]

    @classmethod
    def from_settings(cls, settings: Settings, sqs: Any) -> Self:
        return cls(
            sqs,
            {
                "queue": settings.provisioning_queue_url,
                "provisioning": settings.dead_letter_queue_url,
                "events": settings.events_dead_letter_queue_url,
            },
        )

    def depth(self, name: str) -> int:
        """Return the messages of the queue, those included that are delayed or being worked on. SQS counts roughly."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.urls[name], AttributeNames=[*HELD])["Attributes"]
        return sum(int(found[each]) for each in HELD)
