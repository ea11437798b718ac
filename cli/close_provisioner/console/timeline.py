"""Draws a request's attempts, calls and waits to scale, as values that the page's SVG shows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from close_provisioner.client.requests import Attempt, CloseCall

WIDTH = 1000.0
"""Width of the drawing in units of the SVG. It scales to the page."""
SMALLEST = 3.0
"""Narrowest bar that one can see and point at, in the same units."""


class Bar(NamedTuple):
    """One bar. ``kind``: attempt, wait, good (a call), bad or lost."""

    kind: str
    x: float
    width: float
    title: str


class Row(NamedTuple):
    """One attempt, with its calls and the wait that follows it."""

    label: str
    bars: tuple[Bar, ...]


class Tick(NamedTuple):
    """A mark on the scale."""

    x: float
    label: str


class Timeline(NamedTuple):
    """The drawing."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    seconds: float


def draw(attempts: Sequence[Attempt], accepted_at: datetime, until: datetime) -> Timeline:
    """Draw the attempts of a request from its acceptance to ``until``: its last event, or now while it waits."""
    seconds = max((until - accepted_at).total_seconds(), 0.001)
    scale = WIDTH / seconds
    offsets = [(datetime.fromisoformat(each.started_at) - accepted_at).total_seconds() for each in attempts]
    rows = [
        Row(f"attempt {each.attempt}", tuple(_bars(each, start, following, scale)))
        for each, start, following in zip(attempts, offsets, [*offsets[1:], seconds], strict=False)
    ]
    return Timeline(tuple(rows), tuple(_ticks(seconds)), seconds)


def _bars(attempt: Attempt, start: float, following: float, scale: float) -> Iterable[Bar]:
    end = start + (attempt.ms or 0) / 1000
    yield _bar(
        "attempt", start, end, scale, f"attempt {attempt.attempt}: {span(end - start)}, {attempt.ended or 'no end'}"
    )
    if attempt.seconds is not None:
        yield _bar("wait", end, max(following, end), scale, f"waits {span(attempt.seconds)}: {attempt.reason or ''}")
    moment = start
    for call in attempt.calls:
        before, moment = moment, moment + (call.ms or 0) / 1000
        title = f"{call.method} {call.path}: {call.status or 'no answer'}, {span(moment - before)}"
        yield _bar(_kind(call), before, moment, scale, title)


def _bar(kind: str, start: float, end: float, scale: float, title: str) -> Bar:
    width = min(max((end - start) * scale, SMALLEST), WIDTH)
    return Bar(kind, round(min(max(start * scale, 0), WIDTH - width), 2), round(width, 2), title)


def _kind(call: CloseCall) -> str:
    if call.status is None:
        return "lost"
    return "good" if call.status < 400 else "bad"


def _ticks(seconds: float) -> Iterable[Tick]:
    return (Tick(WIDTH * each / 4, span(seconds * each / 4)) for each in range(5))


def span(seconds: float) -> str:
    """Return a length of time as people say it, for example ``4 ms``, ``2.1 s``, ``3 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    for length, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.1f} s"
