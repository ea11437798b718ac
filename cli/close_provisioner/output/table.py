"""Tables that fit the terminal, and never lose a part of a value."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table as Grid
from rich.text import Text

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``keep``: the higher, the longer it stays on a narrow terminal; 0 is left out first.

    ``wraps``: a long value goes on in the next line; other columns are as wide as their longest value.
    """

    title: str
    keep: int = 9
    wraps: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as people read it, and as a program reads it (``raw``; None: the same)."""

    shown: str | Text
    raw: str | None = None

    @property
    def plain(self) -> str:
        shown = self.shown.plain if isinstance(self.shown, Text) else self.shown
        return shown if self.raw is None else self.raw


type Value = Cell | Text | str | int | None
MIN_WRAPPED = 24
"""Columns that a wrapping column needs to stay readable."""


def as_grid(columns: Sequence[Column], rows: Sequence[Sequence[Value]], width: int) -> Grid:
    """Return the table for a terminal of that width, without the columns that have no room."""
    cells = [[as_text(value) for value in row] for row in rows]
    shown = _fitting(columns, cells, width)
    grid = Grid(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_edge=False, header_style="bold", expand=False)
    for number in shown:
        column = columns[number]
        grid.add_column(
            column.title,
            no_wrap=not column.wraps,
            overflow="fold",
            justify="right" if column.right else "left",
        )
    for row in cells:
        grid.add_row(*(row[number] for number in shown))
    return grid


def as_lines(rows: Sequence[Sequence[Value]]) -> list[str]:
    """Return the rows with tabs between their values: whole, and without line breaks or tabs of their own."""
    return ["\t".join(" ".join(_raw(value).split()) for value in row) for row in rows]


def as_text(value: Value) -> Text:
    """Return a value for people. A missing one is a dash."""
    shown = value.shown if isinstance(value, Cell) else value
    if isinstance(shown, Text):
        return shown
    return Text("-" if shown is None or shown == "" else str(shown))


def _raw(value: Value) -> str:
    match value:
        case Cell():
            return value.plain
        case Text():
            return value.plain
        case None:
            return ""
    return str(value)


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Return the columns that fit, in order. A column without any value is left out, if it is not the first."""
    shown = [
        number
        for number, column in enumerate(columns)
        if number == 0 or column.keep == 9 or any(row[number].plain != "-" for row in cells)
    ]
    while len(shown) > 1 and sum(_needed(columns[number], number, cells) for number in shown) - GAP > width:
        least = min(columns[number].keep for number in shown)
        if least == 9:
            break
        shown.remove(max(number for number in shown if columns[number].keep == least))
    return shown


def _needed(column: Column, number: int, cells: Sequence[Sequence[Text]]) -> int:
    longest = max([cell_len(column.title), *(cell_len(row[number].plain) for row in cells)])
    return (min(longest, MIN_WRAPPED) if column.wraps else longest) + GAP
