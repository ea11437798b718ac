"""A section of the report: a table, how it was measured, and the ceilings that it is held to."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The limit of a figure."""

    name: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Section:
    """``rows``: the first is the head. ``notes``: plain sentences that say what was measured, and how."""

    title: str
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    ceilings: Sequence[Ceiling]
    further: Sequence[str] = ()
    """Further blocks of Markdown, unchanged."""

    def to_markdown(self) -> str:
        notes = (textwrap.fill(note, 120, break_long_words=False, break_on_hyphens=False) for note in self.notes)
        return "\n\n".join([f"### {self.title}", table(self.rows), *notes, *self.further])


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in plain text too; all but the first are set to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rules = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(row, widths) for row in (rows[0], rules, *rows[1:]))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
    return f"| {' | '.join(cells)} |"
