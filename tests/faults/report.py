"""The table of the fault runs, and its place in the documents: between ``<!-- faults -->`` and ``<!-- /faults -->``."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from tests.faults.tally import Tally

BEGIN, END = "<!-- faults -->", "<!-- /faults -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One run. ``cases``: how many plays; ``tried`` and ``fired``: how many faults; ``broken``: promises, None if none
    were made.
    """

    name: str
    cases: int
    tried: int
    fired: int
    tally: Tally
    broken: int | None

    def cells(self) -> list[str]:
        seen = [f"{getattr(self.tally, field.name):,}" for field in fields(self.tally)]
        broken = "–" if self.broken is None else f"{self.broken:,}"  # noqa: RUF001
        return [self.name, f"{self.cases:,}", f"{self.tried:,}", f"{self.fired:,}", *seen, broken]


HEAD = [
    "",
    "cases",
    "faults tried",
    "fired",
    "duplicates",
    "lost",
    "unannounced",
    "more than one id",
    "secrets seen",
    "promises broken",
]


def table(rows: Sequence[Row]) -> str:
    """In Markdown, lined up in plain text too."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(row, widths) for row in cells]
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        text.rjust(width) if column else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {' | '.join(cells)} |"


def write_into(path: Path, text: str) -> bool:
    """Puts the text between the markers of a document; answers whether it has them."""
    document = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        path.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}", encoding="utf-8")
    return bool(begin and end)
