"""The actions of operators, with typed answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from close_provisioner.client.answers import Answer, Listed
from close_provisioner.client.transport import Transport

ROUTE = "audit"


class Action(Answer):
    """One action that changed something. ``principal``: as the gateway verified it."""

    at: str
    principal: str
    action: str
    target: str
    reason: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The record of one stack."""

    transport: Transport

    def newest(self, since: str | None, limit: int) -> Iterator[Action]:
        """Yield the actions, the newest first."""
        cursor: str | None = None
        while limit > 0:
            page = Listed.read(self.transport.get(ROUTE, since=since, limit=min(limit, 200), cursor=cursor))
            yield from (Action.read(each) for each in page.data[:limit])
            limit -= len(page.data)
            cursor = page.next
            if cursor is None:
                return
