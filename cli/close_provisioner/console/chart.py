"""Draws the results over time as bars, as values that the page's SVG shows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from close_provisioner.console.moods import mood

WIDTH, HEIGHT = 1200.0, 130.0
COLUMNS = 60
KINDS = ("good", "bad", "other")
"""Kinds of results, from the bottom of a column to its top."""


class Minute(NamedTuple):
    """The requests that were accepted in the minute that begins then, by result (``waiting``: without one)."""

    at: datetime
    results: Mapping[str, int]


class Bar(NamedTuple):
    """One bar."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str


class Chart(NamedTuple):
    """The drawing, with its size in units of the SVG."""

    bars: tuple[Bar, ...]
    title: str
    since: datetime
    width: float = WIDTH
    height: float = HEIGHT


def draw(minutes: Iterable[Minute], until: datetime, length: timedelta) -> Chart:
    """Draw the requests of the last ``length`` in columns of equal time, scaled to the highest."""
    since = until - length
    columns: list[Counter[str]] = [Counter() for _ in range(COLUMNS)]
    for minute in minutes:
        column = int((minute.at - since) / length * COLUMNS)
        if 0 <= column < COLUMNS:
            for result, count in minute.results.items():
                columns[column][_kind(result)] += count
    highest = max(1, *(each.total() for each in columns))
    bars = [bar for index, each in enumerate(columns) for bar in _column(index, each, highest)]
    sums = sum(columns, Counter())
    title = f"{sums.total()} requests: {sums['good']} succeeded, {sums['bad']} did not, {sums['other']} wait"
    return Chart(tuple(bars), title, since)


def _column(index: int, counts: Counter[str], highest: int) -> Sequence[Bar]:
    bars, top, width = [], HEIGHT, WIDTH / COLUMNS
    for kind in KINDS:
        height = round(counts[kind] / highest * HEIGHT, 1)
        if height:
            top -= height
            title = f"{counts[kind]} {_WORDS[kind]}"
            bars.append(Bar(kind, round(index * width + 1, 1), round(top, 1), width - 2, height, title))
    return bars


_WORDS = {"good": "succeeded", "bad": "failed or unresolved", "other": "waiting"}


def _kind(result: str) -> str:
    return {"good": "good", "bad": "bad"}.get(mood(result), "other")
