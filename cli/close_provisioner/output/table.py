"""Tables that fit the terminal, and never lose a part of a value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

from close_provisioner.visible import visible

GAP = 2
ALWAYS = 9


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``keep``: the higher, the longer it stays on a narrow terminal.

    ``wraps``: a long value goes on in the next line; other columns are as wide as their longest value.
    ``below``: without room for it, its value stands in a line of its own below the row.
    """

    title: str
    keep: int = ALWAYS
    wraps: bool = False
    right: bool = False
    below: bool = False


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
MISSING = "-"
MIN_WRAPPED = 24
"""Columns that a wrapping column needs to stay readable."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under titles."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]

    def as_lines(self) -> list[str]:
        """Return the rows with tabs between their values: whole, without line breaks or tabs of their own."""
        return ["\t".join(visible(" ".join(_raw(value).split())) for value in row) for row in self.rows]

    def for_terminal(self, console: Console, *, titled: bool = True) -> Iterator[Text]:
        """Yield lines that fit the console. Columns without room are left out, or stand below their row."""
        cells = [[as_text(value) for value in row] for row in self.rows]
        shown = self._fitting(cells, console.width)
        widths = self._widths(cells, shown, console.width)
        below = [number for number, each in enumerate(self.columns) if each.below and number not in shown]
        if titled:
            yield self._line([Text(self.columns[number].title, "bold") for number in shown], shown, widths)
        for row in cells:
            wrapped = [row[number].wrap(console, widths[number], overflow="fold") for number in shown]
            for parts in zip_longest(*wrapped, fillvalue=Text()):
                yield self._line(list(parts), shown, widths)
            for number in below:
                if row[number].plain != MISSING:
                    lines = row[number].wrap(console, console.width - 2 * GAP, overflow="fold")
                    yield from (Text(" " * 2 * GAP) + line for line in lines)

    def _line(self, parts: Sequence[Text], shown: Sequence[int], widths: dict[int, int]) -> Text:
        padded = []
        for number, part in zip(shown, parts, strict=True):
            space = Text(" " * (widths[number] - part.cell_len))
            padded.append(space + part if self.columns[number].right else part + space)
        line = Text(" " * GAP).join(padded)
        line.rstrip()
        return line

    def _fitting(self, cells: Sequence[Sequence[Text]], width: int) -> list[int]:
        """Return the columns that fit, in order. One without any value is left out, unless it always stays."""
        shown = [
            number
            for number, column in enumerate(self.columns)
            if column.keep == ALWAYS or any(row[number].plain != MISSING for row in cells)
        ]
        while sum(self._needed(number, cells) + GAP for number in shown) - GAP > width:
            least = min(self.columns[number].keep for number in shown)
            if least == ALWAYS:
                break
            shown.remove(max(number for number in shown if self.columns[number].keep == least))
        return shown

    def _widths(self, cells: Sequence[Sequence[Text]], shown: Sequence[int], width: int) -> dict[int, int]:
        """Return the width of each column: wrapping ones share the rest, and without any rest all may wrap."""
        needed = {number: self._needed(number, cells) for number in shown}
        rest = width - sum(needed.values()) - GAP * (len(shown) - 1)
        for number in shown:
            if rest > 0 and self.columns[number].wraps:
                more = min(rest, self._longest(number, cells) - needed[number])
                needed[number] += more
                rest -= more
        while rest < 0:
            widest = max(shown, key=lambda number: needed[number])
            needed[widest] -= 1
            rest += 1
        return needed

    def _needed(self, number: int, cells: Sequence[Sequence[Text]]) -> int:
        longest = self._longest(number, cells)
        return min(longest, MIN_WRAPPED) if self.columns[number].wraps else longest

    def _longest(self, number: int, cells: Sequence[Sequence[Text]]) -> int:
        return max([len(self.columns[number].title), *(row[number].cell_len for row in cells)])


def as_text(value: Value) -> Text:
    """Return a value for people. A missing one is a dash."""
    shown = value.shown if isinstance(value, Cell) else value
    if isinstance(shown, Text):
        return shown
    return Text(MISSING if shown is None or shown == "" else visible(shown))


def _raw(value: Value) -> str:
    match value:
        case Cell():
            return value.plain
        case Text():
            return value.plain
        case None:
            return ""
    return str(value)
