"""Make the ledger, the queue and the topic from the settings, for every handler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from provisioner.ledger.store import Ledger
from provisioner.messaging.queue import Queue
from provisioner.messaging.topic import Topic
from provisioner.settings import Settings


@dataclass(frozen=True, slots=True)
class Stores:
    """The adapters of the ledger and of messaging."""

    ledger: Ledger
    queue: Queue
    topic: Topic

    @classmethod
    def from_settings(cls, settings: Settings, client: Callable[[str], Any], clock: Callable[[], float]) -> Self:
        """Return the stores. ``client`` makes an AWS client by its service's name, ``clock`` returns Unix seconds."""
        return cls(
            ledger=Ledger(
                client("dynamodb"),
                settings.ledger_table_name,
                settings.lease_seconds,
                settings.request_retention_days,
                clock,
            ),
            queue=Queue(client("sqs"), settings.provisioning_queue_url, settings.dead_letter_queue_url),
            topic=Topic(client("sns"), settings.outcomes_topic_arn, settings.event_source),
        )
