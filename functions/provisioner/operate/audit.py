"""Record every action of an operator, before it happens and after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from provisioner.contract.errors import ProvisioningError
from provisioner.ledger.actions import Action, Actions
from provisioner.operate.call import Call


class Recorded:
    """One action that is under way. ``result`` says how it ends."""

    def __init__(self) -> None:
        self.result = "done"


class Audit(NamedTuple):
    """The record of actions."""

    actions: Actions

    @contextmanager
    def recorded(self, call: Call, action: str, target: str, reason: str | None) -> Iterator[Recorded]:
        """Record the action, then let it happen, then record its result. Without the first record it does not happen.

        The principal is the one that the gateway verified, never one that the caller names.
        """
        begun = self.actions.begin(call.principal, action, target, reason)
        recorded = Recorded()
        try:
            yield recorded
        except ProvisioningError as error:
            self.actions.end(begun, f"refused: {error}")
            raise
        except Exception as error:
            self.actions.end(begun, f"failed: {type(error).__name__}")
            raise
        self.actions.end(begun, recorded.result)


def shown(action: Action) -> dict[str, Any]:
    """Return what the list of actions shows of one."""
    at = datetime.fromtimestamp(action.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**action._asdict(), "at": at}
