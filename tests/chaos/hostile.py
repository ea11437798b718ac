"""Bodies among the good ones that no caller should send: each must be rejected, without an effect on its neighbors.

None has a request id, so each has that of its message: two of one kind are two requests.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

BODIES: Mapping[str, str] = {
    "cut short": '{"tenant": "chaos-0", "custom_object_type": {"na',
    "nested": "[" * 20_000,
    "of the wrong types": '{"tenant": ["chaos-0"], "custom_object_type": "Account"}',
    "with an unknown key": '{"tenant": "chaos-0", "custom_object_type": '
    '{"name": "Hostile", "name_plural": "Hostiles", "delete": true}}',
    "with half a character": '{"tenant": "chaos-0", "custom_object_type": '
    r'{"name": "Hostile \ud83d", "name_plural": "Hostiles"}}',
    "not a number": '{"tenant": "chaos-0", "values": NaN}',
    "many empty types": '{"tenant": "chaos-0", "custom_object_types": [' + ",".join(["{}"] * 5_000) + "]}",
}


@dataclass(frozen=True, slots=True)
class HostileBody:
    """A body that is sent once, over HTTP or to the queue."""

    entry_point: str
    kind: str

    @property
    def text(self) -> str:
        return BODIES[self.kind]


@dataclass(slots=True)
class HostileRecord:
    """``statuses``: the responses of the HTTP API by kind of body. ``sent``: bodies on the queue by kind."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)

    def violations(self, rejected: Counter[str]) -> list[str]:
        """Return a sentence for every body that was not rejected. ``rejected``: dead-letter messages with a reason."""
        accepted = [
            f"a body {kind} was answered with {status}"
            for kind, statuses in self.statuses.items()
            for status in statuses
            if not 400 <= status < 500
        ]
        kept = [f"a body {kind} on the queue was not rejected" for kind in self.sent if not rejected[BODIES[kind]]]
        return accepted + kept

    def total(self) -> int:
        return self.sent.total() + sum(each.total() for each in self.statuses.values())
