"""``python -m tests.bench [section …]``: measures, prints the tables, and fails when a ceiling is broken.

Without arguments everything is measured, and the tables are written into the documents that have a place for them.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench import batches, calls, cold_start, installations, report, sizes, start_parts, warm_requests
from tests.bench.growth import section as growth
from tests.bench.installations import Installations
from tests.bench.programs import ProgramFailed, valgrind
from tests.bench.section import Ceiling, Section

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = (PROJECT / "README.md", PROJECT / "docs" / "explanation" / "benchmarks.md")

SECTIONS: dict[str, Callable[[Installations], Section]] = {
    "batches": batches.measure,  # first, and alone: it measures time
    "calls": calls.measure,
    "size": sizes.measure,
    "warm": warm_requests.measure,
    "cold": cold_start.measure,
    "parts": start_parts.measure,
}
GROWTH = "growth"
GROWTH_PAGE = PROJECT / "docs" / "explanation" / "growth.md"
COUNTED = {"cold", "parts", "warm"}
ORDER = ("cold", "parts", "warm", "calls", "batches", "size")

NO_VALGRIND = """\
Instructions are counted by valgrind, which is not installed. Get it from your system:
    apt-get install valgrind      (Debian, Ubuntu)
    dnf install valgrind          (Fedora, Amazon Linux)
It does not run on macOS with an Apple processor: measure on Linux there. These sections run without valgrind:
    .venv/bin/python -m tests.bench calls batches size"""


def main(names: list[str]) -> int:
    chosen = [name for name in (*SECTIONS, GROWTH) if name in names or not names]
    if set(names) - {*SECTIONS, GROWTH}:
        print(f"usage: python -m tests.bench [{'|'.join((*SECTIONS, GROWTH))}] …", file=sys.stderr)
        return 2
    if not valgrind() and COUNTED & set(chosen):
        print(NO_VALGRIND, file=sys.stderr)
        return 2
    try:
        sections = _measured(chosen)
    except ProgramFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    text = "\n\n".join(sections[name].to_markdown() for name in ORDER if name in sections)
    print(f"\n{text}\n")
    if GROWTH in sections:
        print(f"{sections[GROWTH].to_markdown()}\n")
        report.write_into(GROWTH_PAGE, sections[GROWTH].to_markdown(), GROWTH)
    if not names:
        for document in DOCUMENTS:
            if report.write_into(document, text):
                print(f"written into {document.relative_to(PROJECT)}")
    return _report_ceilings([ceiling for section in sections.values() for ceiling in section.ceilings])


def _measured(names: list[str]) -> dict[str, Section]:
    measures: dict[str, Callable[[], Section]] = {GROWTH: growth.measure}
    if set(names) - {GROWTH}:
        print("building the artifact, and a plain installation beside it …", flush=True)
        installed = installations.make()
        measures |= {name: partial(measure, installed) for name, measure in SECTIONS.items()}
    sections = {}
    for name in names:
        begin = time.monotonic()
        print(f"measuring: {name} …", end=" ", flush=True)
        sections[name] = measures[name]()
        print(f"{time.monotonic() - begin:.0f} s", flush=True)
    return sections


def _report_ceilings(ceilings: list[Ceiling]) -> int:
    broken = [ceiling for ceiling in ceilings if not ceiling.holds]
    for ceiling in broken:
        print(f"BROKEN  {ceiling.name}: {ceiling.value:.3g}, at most {ceiling.limit:g} is allowed", file=sys.stderr)
    print(f"{len(ceilings) - len(broken)} of {len(ceilings)} ceilings hold")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
