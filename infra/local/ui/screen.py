"""Rows and paragraphs that fit the place to which they are written.

On a terminal, a long result goes on below, within its column; only request ids and the like are cut. The result of a
request is beside it, or below it on a narrow terminal. In a pipe, a file or a log, each row is one line, and nothing is
cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

WIDTHS = (8, 7, 9, 13, 24)
"""Of the cells of a row: time, entry point, tenant, request id, subject."""
RESULT_WIDTH = 10
INDENT = 2
GAP = 2
WIDE = 112  # columns of a terminal that has room for the result beside the request


@dataclass(frozen=True, slots=True)
class Screen:
    """A console, used in its width at that moment. A recording console counts as a terminal."""

    console: Console
    clock: bool = True
    """False leaves out the first cell of each row, and the time that it took."""

    @property
    def width(self) -> int | None:
        """Return the width of the terminal; None in a pipe or a file, also when colors are asked for."""
        return self.console.width if self.console.record or self.console.file.isatty() else None

    def row(self, cells: Sequence[str], result: Text, detail: Text, *, took: str = "", style: str = "") -> None:
        """Print the cells, then a short result, its detail, and the time that it took."""
        sized = [(Text(cell, style), width) for cell, width in zip(cells, WIDTHS, strict=True)]
        sized = sized if self.clock else sized[1:]
        ends = [Text(took, "dim")] if self.clock else []
        if self.width is None:
            padded = [f"{cell.plain:<{width}}" for cell, width in [*sized, (result, RESULT_WIDTH)]]
            self._print(Text("  " + "  ".join([*padded, detail.plain, *([took] if took else [])])))
        elif self.width >= WIDE or not self.clock:
            self._grid(sized, [result, detail, *ends])
        else:
            line = Text("  ").join([_padded(cell, width) for cell, width in sized])
            self._print_cut(Text(" " * INDENT).append_text(line))
            self._grid([(Text(), WIDTHS[0])], [result, detail, *ends])

    def block(self, text: Text) -> None:
        """Print lines that belong to the row above. They keep their own indentation."""
        self.paragraphs(text, INDENT + (WIDTHS if self.clock else WIDTHS[1:])[0] + GAP)

    def paragraphs(self, text: Text, indent: int = 0) -> None:
        """Print lines. On a terminal, a long line goes on below its own first word."""
        for line in text.split("\n", allow_blank=True):
            leading = len(line.plain) - len(line.plain.lstrip())
            if self.width is None or not line.plain.strip():
                self._print(Text(" " * indent).append_text(line) if line else line)
            else:
                line.rstrip()
                self._print_wrapped(Padding(line[leading:], (0, 0, 0, indent + leading), expand=False))

    def commands(self, text: Text) -> None:
        """Print commands to copy: the terminal wraps a long line, and it is still copied as one."""
        self._print(text)

    def _grid(self, sized: Sequence[tuple[Text, int]], rest: Sequence[Text]) -> None:
        grid = Grid.grid(padding=(0, GAP, 0, 0), expand=True)
        for _, width in sized:
            grid.add_column(width=width, no_wrap=True, overflow="ellipsis")
        grid.add_column(width=RESULT_WIDTH)
        grid.add_column(ratio=1, overflow="fold")
        if self.clock:
            grid.add_column(justify="right", no_wrap=True)
        grid.add_row(*(cell for cell, _ in sized), *rest)
        self._print_wrapped(Padding(grid, (0, 0, 0, INDENT)))

    def _print(self, line: Text) -> None:
        line.rstrip()
        self.console.print(line, soft_wrap=True, highlight=False)

    def _print_cut(self, line: Text) -> None:
        line.rstrip()
        self.console.print(line, no_wrap=True, overflow="ellipsis", highlight=False)

    def _print_wrapped(self, padded: Padding) -> None:
        self.console.print(padded, highlight=False)


def _padded(cell: Text, width: int) -> Text:
    cell = cell.copy()
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell
