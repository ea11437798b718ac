"""Lines that fit what they are written to.

On a terminal, no line wraps through the columns: what does not fit its column goes on below, within that column, in
full; only request ids and the like are cut. What came of a request stands beside it, or below it when there is no room.
In a pipe, a file or a log, each row is one line and nothing is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

# Widths of: time, door, tenant, request, what. The rest of a row is free.
_COLUMNS = (8, 5, 9, 13, 24)
_BESIDE = 2 + sum(_COLUMNS) + 2 * len(_COLUMNS)
_BELOW = 2 + _COLUMNS[0] + 2
_ENOUGH = 41  # of room beside a request: a result (11) and a type's id (30) on one line
_LEAST = 20  # so that something is shown on the smallest terminal


@dataclass(frozen=True, slots=True)
class Screen:
    """Writes to a console, as wide as it is at that moment."""

    console: Console

    @property
    def width(self) -> int | None:
        """None when no window has to hold it; colors, which some logs want too, do not make one."""
        return self.console.width if self.console.file.isatty() else None

    def row(
        self, cells: Sequence[str], rest: Text, *, took: Text | None = None, hang: int = 0, style: str = ""
    ) -> None:
        """``rest`` goes on ``hang`` columns in from where it began; ``took`` stays in one piece."""
        *narrow, last = zip(cells, _COLUMNS, strict=True)
        line = Text("  ", style)
        for cell, width in narrow:
            line.append_text(self._cell(cell, width)).append("  ")
        took = took or Text()
        if self.width is None:
            self._print(line.append_text(self._cell(*last)).append("  ").append_text(rest).append_text(took))
        elif self.width - _BESIDE >= _ENOUGH:
            line.append_text(self._cell(*last)).append("  ")
            first, *more = self._wrapped(rest, took, self.width - _BESIDE, hang)
            self._print(line.append_text(first), *_indented(more, _BESIDE))
        else:
            line.append(last[0]).truncate(self.width, overflow="ellipsis")
            self._print(line, *_indented(self._wrapped(rest, took, self.width - _BELOW, hang), _BELOW))

    def block(self, text: Text) -> None:
        """What belongs to the row above: lines with an indentation of their own, which they keep where they go on."""
        self._print(*_indented(self._lines(text, _BELOW), _BELOW))

    def paragraphs(self, text: Text) -> None:
        """Lines that belong to no row."""
        self._print(*self._lines(text, 0))

    def as_it_is(self, text: Text) -> None:
        """Commands to copy: a line that the terminal wraps itself is still one line."""
        self.console.print(text, soft_wrap=True, highlight=False)

    def _lines(self, text: Text, indent: int) -> list[Text]:
        lines = list(text.split("\n", allow_blank=True))
        if self.width is None:
            return lines
        room = self.width - indent
        return [part for line in lines for part in self._wrapped(line, Text(), room, 2 + _indentation(line))]

    def _cell(self, text: str, width: int) -> Text:
        cell = Text(text)
        if self.width is not None:
            cell.truncate(width, overflow="ellipsis")
        cell.pad_right(max(0, width - cell.cell_len))
        return cell

    def _wrapped(self, text: Text, took: Text, room: int, hang: int) -> list[Text]:
        """At least one line."""
        room = max(room, _LEAST)
        first, *more = _fold(self.console, text, room) or [Text()]
        if more:
            more = _fold(self.console, text[_next_word(text.plain, len(first)) :], room - hang)
        lines = [first, *_indented(more, hang)]
        if lines[-1].cell_len + took.cell_len <= room:
            lines[-1].append_text(took)
        else:
            lines += _indented([took[_indentation(took) :]], hang)
        return lines

    def _print(self, *lines: Text) -> None:
        for line in lines:
            line.rstrip()
            self.console.print(line, soft_wrap=True, highlight=False)


def _fold(console: Console, text: Text, room: int) -> list[Text]:
    lines = list(text.wrap(console, room, overflow="fold"))
    for line in lines:
        line.rstrip()
    return lines


def _indented(lines: Sequence[Text], indent: int) -> list[Text]:
    return [Text(" " * indent).append_text(line) for line in lines]


def _indentation(line: Text) -> int:
    return _next_word(line.plain, 0)


def _next_word(plain: str, start: int) -> int:
    return len(plain) - len(plain[start:].lstrip())
