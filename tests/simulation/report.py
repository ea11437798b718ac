"""The table of the fault runs, and its place in the documents: between ``<!-- faults -->`` and ``<!-- /faults -->``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from tests.simulation.counts import Counts

BEGIN, END = "<!-- faults -->", "<!-- /faults -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One run. ``cases``: plays, or requests; ``tried`` and ``fired``: faults; ``tried`` None: chance decided.

    ``broken``: promises, and faults that should have struck and did not; None where none were made.
    """

    name: str
    cases: int
    tried: int | None
    fired: int
    counts: Counts
    violations: int | None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made."""
        return cls(**{**told, "counts": Counts(**told["counts"])})

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, with something that makes promises."""
        return self.violations is None or (self.violations == 0 and self.counts == Counts())

    def cells(self) -> list[str]:
        seen = [_number(getattr(self.counts, field.name)) for field in fields(self.counts)]
        return [self.name, *map(_number, (self.cases, self.tried, self.fired)), *seen, _number(self.violations)]


def _number(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"  # noqa: RUF001


def save_rows(path: Path, rows: Sequence[Row]) -> None:
    """For a table that is made later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows]))


def load_rows(path: Path) -> list[Row]:
    return [Row.read(each) for each in json.loads(path.read_text())] if path.exists() else []


HEAD = [
    "",
    "cases or requests",
    "faults tried",
    "fired",
    "duplicates",
    "lost",
    "unannounced",
    "more than one id",
    "secrets seen",
    "guarantees broken",
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
