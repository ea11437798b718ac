"""SQS on the simulated clock: delays, visibility, receive counts, redrive to the dead-letter queue. A small model.

Delivers at least once and in no promised order, like a standard queue. Refuses what SQS refuses of a single message.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.simulation.clock import SimulatedClock

MAX_DELAY_SECONDS = 900
MAX_VISIBILITY_SECONDS = 43_200
MAX_BODY_BYTES = 262_144


class InvalidParameter(Exception):
    """SQS would answer 400."""


@dataclass(slots=True)
class SimulatedMessage:
    """``visible_at`` in Unix seconds; ``receipt`` is that of the last receive."""

    id: str
    body: str
    attributes: dict[str, Any]
    group: str
    visible_at: float
    receives: int = 0
    receipt: str = ""
    sent_at: float = 0

    def record(self) -> dict[str, Any]:
        """As Lambda's event source hands it over."""
        return {
            "messageId": self.id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.receives),
                "MessageGroupId": self.group,
                "SentTimestamp": str(int(self.sent_at * 1000)),
            },
            "messageAttributes": {
                name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                for name, value in self.attributes.items()
            },
            "eventSource": "aws:sqs",
            "awsRegion": "us-east-1",
        }


@dataclass(slots=True)
class SimulatedQueue:
    """``visibility`` in seconds. Messages received more than ``max_receives`` times go to ``dead_letters``."""

    name: str
    clock: SimulatedClock
    visibility: float = 360
    max_receives: int = 5
    dead_letters: "SimulatedQueue | None" = None
    messages: list[SimulatedMessage] = field(default_factory=list)
    sent: int = 0

    @property
    def url(self) -> str:
        return f"https://sqs.us-east-1.amazonaws.com/123456789012/{self.name}"

    def send(
        self, body: str, delay: float = 0, group: str = "", attributes: dict[str, Any] | None = None
    ) -> SimulatedMessage:
        """Raises ``Invalid``."""
        if not 0 <= delay <= MAX_DELAY_SECONDS:
            raise InvalidParameter(f"DelaySeconds {delay}")
        if not body or len(body.encode()) > MAX_BODY_BYTES:
            raise InvalidParameter("the body's length")
        if len(attributes or {}) > 10:
            raise InvalidParameter("more than ten attributes")
        self.sent += 1
        message = SimulatedMessage(f"{self.name}-{self.sent}", body, attributes or {}, group, self.clock.now + delay)
        message.sent_at = self.clock.now
        self.messages.append(message)
        return message

    def receive(self, most: int = 10) -> list[SimulatedMessage]:
        """Return the visible messages, and hide them until their visibility timeout ends."""
        received: list[SimulatedMessage] = []
        for message in [each for each in self.messages if each.visible_at <= self.clock.now]:
            if self.dead_letters and message.receives >= self.max_receives:
                self.messages.remove(message)
                message.receives, message.receipt = 0, ""
                self.dead_letters.messages.append(message)
            elif len(received) < most:
                message.receives += 1
                message.receipt = f"{message.id}/{message.receives}"
                message.visible_at = self.clock.now + self.visibility
                received.append(message)
        return received

    def hide(self, receipt: str, seconds: float) -> None:
        """Raises ``Invalid`` for a time that SQS does not take or a receipt that is nobody's."""
        if not 0 <= seconds <= MAX_VISIBILITY_SECONDS:
            raise InvalidParameter(f"VisibilityTimeout {seconds}")
        message_id = receipt.rpartition("/")[0]
        known = [each for each in self.messages if each.id == message_id]
        if not known:
            raise InvalidParameter("the receipt handle")
        if known[0].receipt == receipt:
            known[0].visible_at = self.clock.now + seconds

    def delete(self, message_id: str) -> None:
        self.messages = [each for each in self.messages if each.id != message_id]

    def next_visible(self) -> float | None:
        return min((each.visible_at for each in self.messages), default=None)
