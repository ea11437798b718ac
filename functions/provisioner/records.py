"""What the ledger remembers, and how it changes.

A request's item:

    (none) ──accept──► accepted ──settle──► settled ──publish──► announced
                          │  ▲
                          └──┘ wait (counted; nothing else changes)

A type's item, one for each tenant and natural key, kept for good:

    free ──lease──► leased ──settle──► known (its id in Close)      and known ──lease──► leased, again
     ▲                │  │
     └────release─────┘  └──doubt──► unknown ──lease──► leased (looks first, after the list's lag)
       (surely nothing
        was created)      an expired lease is the same as unknown: its holder was killed, perhaps after the create

The lease *is* the intent to create: taking it adds one to ``intents``, and only somebody who surely knows what became
of that intent takes it off again. So whoever holds the lease and reads ``intents`` > 1 knows that a create of an
earlier holder may be at large, even if that holder was killed at any line. Every write after the lease is fenced by
``attempt``, which no two leases of a type share.
"""

from dataclasses import dataclass
from enum import StrEnum

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
    outcome: Outcome | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one type, and what was known of the type when it was taken. Times are Unix seconds."""

    tenant: str
    key: str  # the natural key
    attempt: int  # the fence
    intents: int = 1  # creates that may be at large, the holder's own to come included
    close_id: str | None = None  # the type's id in Close, when this service knew it last
    known_at: float = 0
    creator: str | None = None  # id of the request whose create made it
    suspect: str | None = None  # id of the request whose create may have made it
    doubt_since: float = 0  # no create of an earlier holder was sent later than this
    absences: int = 0  # looks since then that did not find it, each a lag after the one before
    looked_at: float = 0

    @property
    def doubtful(self) -> bool:
        """Whether a create of an earlier holder may be at large."""
        return self.intents > 1

    def made_by(self, request: str, close_id: str) -> bool:
        """Whether the type that was found is this request's own doing."""
        return request == (self.creator if close_id == self.close_id else self.suspect)
