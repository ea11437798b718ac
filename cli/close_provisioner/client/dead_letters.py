"""Questions and actions about dead-letter messages, with typed answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from close_provisioner.client.answers import Answer, Listed
from close_provisioner.client.transport import Transport

ROUTE = "dead-letters"


class DeadLetter(Answer):
    """A message that was given up, with its reason."""

    id: str
    queue: str
    cause: str
    reason: str
    tenant: str | None = None
    request_id: str | None = None
    first_seen: str | None = None
    body: str = ""
    truncated: bool = False
    redrivable: bool = False


class KeptMessage(Answer):
    """A message that an action left where it was."""

    id: str
    reason: str
    cause: str | None = None


class Moved(Answer):
    """The effects of a redrive or a drop, by message id."""

    done: tuple[str, ...] = ()
    kept: tuple[KeptMessage, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The dead-letter queues of one stack. Listing them hides no message from other readers."""

    transport: Transport

    def all(self) -> list[DeadLetter]:
        return [DeadLetter.read(each) for each in Listed.read(self.transport.get(ROUTE)).data]

    def redrive(self, selection: Mapping[str, Any], reason: str) -> Moved:
        """Send messages again: ``ids``, a ``cause``, or ``all``. Those that cannot succeed are kept."""
        return Moved.read(self.transport.post(ROUTE, "redrives", body={**selection, "reason": reason}))

    def drop(self, ids: Sequence[str], reason: str) -> Moved:
        """Delete messages."""
        return Moved.read(self.transport.post(ROUTE, "drops", body={"ids": list(ids), "reason": reason}))
