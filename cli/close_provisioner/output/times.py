"""Times and durations as people read them: local, or UTC with ``--utc``."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from close_provisioner.output.table import Cell


@dataclass(frozen=True, slots=True)
class Times:
    """Shows times of the service (RFC 3339, UTC). ``zone``: None is the machine's own."""

    now: float
    zone: tzinfo | None = None

    def cell(self, at: str | None) -> Cell | None:
        """Return a time for a table: short for people, unchanged for programs."""
        return Cell(self.short(at), at) if at else None

    def short(self, at: str) -> str:
        """Return the time of day, with the date unless it is today."""
        when, today = self._local(at), datetime.fromtimestamp(self.now, UTC).astimezone(self.zone)
        if when.date() == today.date():
            return f"{when:%H:%M:%S}"
        return f"{when:%b %d %H:%M}" if when.year == today.year else f"{when:%Y-%m-%d %H:%M}"

    def exact(self, at: str) -> str:
        """Return the time of day with milliseconds."""
        return f"{self._local(at):%H:%M:%S.%f}"[:-3]

    def day(self, at: str | float) -> str:
        """Return the date of a time of the service, or of one in Unix seconds."""
        when = self._local(at) if isinstance(at, str) else datetime.fromtimestamp(at, UTC).astimezone(self.zone)
        return f"{when:%Y-%m-%d}"

    def clock(self, seconds: float) -> str:
        """Return the time of day of a time in Unix seconds."""
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone(self.zone):%H:%M:%S}"

    def full(self, at: str) -> str:
        """Return date, time and zone."""
        return f"{self._local(at):%Y-%m-%d %H:%M:%S %Z}"

    def age(self, at: str) -> str:
        """Return how long ago a time is; how soon, if it is to come."""
        return duration(abs(self.now - datetime.fromisoformat(at).timestamp()))

    def is_past(self, at: str) -> bool:
        return datetime.fromisoformat(at).timestamp() <= self.now

    def _local(self, at: str) -> datetime:
        return datetime.fromisoformat(at).astimezone(self.zone)


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds from one time to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``0.3 s``, ``41 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, left = divmod(hours, 24)
    return f"{days} d {left} h" if left else f"{days} d"
