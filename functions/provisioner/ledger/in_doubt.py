"""Creates that are in doubt: sent, or perhaps sent, and their responses lost. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

ABSENCE_LAGS = 2
"""After this many list lags, an observation without a resource proves that it was not created."""

IN_DOUBT_SECONDS = 300
"""How far the date of a resource may be from the time of the create that is in doubt: a lease's length, list lag and
the difference between two clocks."""

IN_DOUBT_RETENTION_SECONDS = 24 * 3600
"""A create cannot land after a day. By then, Close's list shows every type that exists."""

SENT_RETENTION_SECONDS = 15 * 24 * 3600
"""How long the ledger knows who sent a write: longer than a request waits for its tenant's credential
(``TenantWaitDays``, at most 14), since it has to report then what it sent before."""


class InDoubt(NamedTuple):
    """A create that may still land.

    ``since``: it was not sent later (Unix seconds). ``lost``: it certainly was sent.
    """

    since: float
    request: str
    lost: bool = False


def next_observation(in_doubt: Iterable[InDoubt], now: float, lag: float) -> float | None:
    """When to observe next: one lag after the last create was sent, then two; None when absence is conclusive."""
    return next((moment for moment in _moments(in_doubt, lag) if moment > now), None)


def last_observation(in_doubt: Iterable[InDoubt], now: float, lag: float) -> float:
    """The age limit of an observation that counts: the latest of these moments that has passed, else 0."""
    return max((moment for moment in _moments(in_doubt, lag) if moment <= now), default=0)


def _moments(in_doubt: Iterable[InDoubt], lag: float) -> list[float]:
    last = max((each.since for each in in_doubt), default=None)
    return [] if last is None else [last + lags * lag for lags in range(1, ABSENCE_LAGS + 1)]


def conclusive_from(in_doubt: Iterable[InDoubt], lag: float) -> float:
    """Return from when on an observation without their results proves that none of these creates happened."""
    return max(_moments(in_doubt, lag), default=0)


def latest_landing(since: float, lag: float) -> float:
    """Return when at the latest a write not sent after ``since`` takes effect."""
    return since + ABSENCE_LAGS * lag


def sent_since(entries: Iterable[InDoubt], before: float, or_by: str = "") -> tuple[InDoubt, ...]:
    """Return those that may have been sent after ``before`` (Unix seconds), or by this request."""
    return tuple(each for each in entries if each.since > before or each.request == or_by)
