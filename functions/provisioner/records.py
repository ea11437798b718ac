"""What the ledger remembers, and how it changes.

A request's item:

    (none) ──accept──► accepted ──settle──► settled ──publish──► announced
                          │  ▲
                          └──┘ wait (counted; nothing else changes)

A type's item, one for each tenant and natural key, kept for good:

    free ──lease──► leased ──settle──► known (its id in Close)      and known ──lease──► leased, again
     ▲                │  │
     └──give back─────┘  └──in doubt──► unknown ──lease──► leased (looks first, after the list's lag)
       (surely nothing
        was created)      an expired lease is the same as unknown: its holder was killed, perhaps after the create

The lease *is* the intent to create: the write that takes it adds its request to ``intents``, and only somebody who
surely knows what became of that intent takes it off again. So whoever holds the lease and reads more than its own
intent knows that a create of an earlier holder may be at large, even if that holder was killed at any line. Every
write after the lease is fenced by ``attempt``, which no two leases of a type share.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from provisioner.contract import Outcome


class RequestState(StrEnum):
    ACCEPTED = "accepted"
    SETTLED = "settled"
    ANNOUNCED = "announced"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as the ledger has it. Times are Unix seconds. ``fresh``: it was first seen just now."""

    id: str
    tenant: str
    request_id: str
    state: RequestState
    accepted_at: float
    waits: int = 0
    sweeps: int = 0
    outcome: Outcome | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one type, and what was known of the type when it was taken. Times are Unix seconds."""

    tenant: str
    key: str  # the natural key
    attempt: int  # the fence
    intents: tuple[str, ...]  # ids of the requests whose creates may be at large, the holder's own to come at the end
    lost: int = 0  # how many of these creates were surely sent, and their answers lost
    close_id: str | None = None  # the type's id in Close, when this service knew it last
    known_at: float = 0
    makers: tuple[str, ...] = ()  # ids of the requests whose creates made it, or may have made it
    doubt_since: float = 0  # no create of an earlier holder was sent later than this
    absences: int = 0  # looks since then that did not find it, each a lag after the one before
    looked_at: float = 0

    @property
    def suspects(self) -> tuple[str, ...]:
        """Ids of the requests of earlier holders whose creates may be at large."""
        return self.intents[:-1]

    def made_by(self, request: str, close_id: str) -> bool:
        """Whether the type that was found may be this request's own doing."""
        return request in (self.makers if close_id == self.close_id else self.suspects)

    def given_back(self) -> Self:
        """This holder surely created nothing."""
        return replace(self, intents=self.suspects)

    def in_doubt(self, now: float) -> Self:
        """This holder's create was sent, and may or may not have happened."""
        return replace(self, lost=self.lost + 1, doubt_since=now, absences=0, looked_at=0)

    def without_suspects(self) -> Self:
        """No create of an earlier holder can be at large any more."""
        return replace(self, intents=self.intents[-1:], lost=0, doubt_since=0, absences=0, looked_at=0)

    def known(self, close_id: str, now: float, makers: tuple[str, ...]) -> Self:
        """It was seen: that ends all doubt."""
        makers = self.makers if close_id == self.close_id else makers
        return replace(self.without_suspects(), intents=(), close_id=close_id, known_at=now, makers=makers)
