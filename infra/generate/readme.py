"""The table and the badges of README.md, from the measured tables of docs/explanation.

``make faults`` and ``make bench`` write those tables.
"""

import re
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from provisioner import __version__

ROOT = Path(__file__).parents[2]
BADGES = "docs/images/badges"
BASELINE = "baseline"
DUPLICATES = 4  # the column of the fault table
ANSWERED = 2  # the column of the cold starts
GREEN, BLUE, GRAY = "#2e7d32", "#1565c0", "#424242"
HEIGHT, CHARACTER, PADDING = 20, 6.6, 7  # pixels; CHARACTER is the mean width of one in the badge's font


class Numbers(NamedTuple):
    """The figures of both handlers, as the tables print them. ``cold_start`` and ``batch`` are ratios."""

    cases: str
    duplicates: str
    cold_start: float
    batch: float


class TableChanged(ValueError):
    """A table of docs/explanation lacks a row or column that README.md quotes."""


def measured(root: Path = ROOT) -> tuple[Numbers, Numbers]:
    """Return the figures of the baseline handler and of this service. Raises ``TableChanged``."""
    faults, benchmarks = (
        (root / "docs" / "explanation" / f"{name}.md").read_text(encoding="utf-8") for name in ("faults", "benchmarks")
    )
    return _numbers(faults, benchmarks, ours=False), _numbers(faults, benchmarks, ours=True)


def _numbers(faults: str, benchmarks: str, *, ours: bool) -> Numbers:
    matrix = _row(faults, "matrix", ours=ours)
    _, _, after = benchmarks.partition("### Cold start\n")
    cold_start = _row(after, "api", ours=ours)
    _, _, after = benchmarks.partition("### Batches\n")
    batch = _row(after, "worker", ours=ours)
    try:
        return Numbers(matrix[1], matrix[DUPLICATES], float(cold_start[ANSWERED]), float(batch[-1]))
    except (ValueError, IndexError) as error:
        raise TableChanged(f"README.md quotes a column that has moved: {error}") from None


def _row(page: str, name: str, *, ours: bool) -> list[str]:
    """Return the cells of the first row of that name, of this service or of the baseline handler."""
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|")
    for row in rows:
        if re.search(rf"\b{name}\b", row[0]) and (BASELINE in row[0]) is not ours:
            return row
    raise TableChanged(f"README.md quotes the row {name!r}, which the table does not have")


def summary(root: Path = ROOT) -> str:
    """Return README.md's table of numbers."""
    theirs, ours = measured(root)
    return "\n".join(
        [
            "| | list, then create, inside Powertools idempotency | Close Provisioner |",
            "|---|---:|---:|",
            f"| duplicates, with faults injected | {_count(theirs)} | **{_count(ours)}** |",
            f"| cold start, over bare boto3 | {theirs.cold_start:.1f} x | **{ours.cold_start:.1f} x** |",
            f"| a batch of ten tenants, over a batch of one | {theirs.batch:.1f} x | **{ours.batch:.1f} x** |",
        ]
    )


def _count(numbers: Numbers) -> str:
    return f"{numbers.duplicates} in {numbers.cases} cases"


def badges(root: Path = ROOT) -> dict[str, str]:
    """Return README.md's badges, SVG by path. They are files, so that no other host has to serve them."""
    _, ours = measured(root)
    python = (root / ".python-version").read_text(encoding="utf-8").strip()
    good = GREEN if ours.duplicates == "0" else "#c62828"
    texts = {
        "ci": ("CI", "make test", GRAY),
        "release": ("release", __version__, BLUE),
        "python": ("Python", python, BLUE),
        "license": ("license", "MIT", BLUE),
        "faults": (f"fault cases: {ours.cases}", f"duplicates: {ours.duplicates}", good),
    }
    return {f"{BADGES}/{name}.svg": _badge(*text) for name, text in texts.items()}


def _badge(label: str, value: str, color: str) -> str:
    left, right = (round(len(text) * CHARACTER + 2 * PADDING) for text in (label, value))
    whole = left + right
    label, value = escape(label), escape(value)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}" role="img" aria-label="{label} {value}">
  <title>{label} {value}</title>
  <rect width="{whole}" height="{HEIGHT}" rx="3" fill="{color}"/>
  <path d="M3 0h{left - 3}v{HEIGHT}H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#555"/>
  <g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
    <text x="{left / 2:g}" y="14">{label}</text>
    <text x="{left + right / 2:g}" y="14">{value}</text>
  </g>
</svg>
"""
