"""``make faults``: the matrix, real kills and many chaos runs; prints and files the table.

python -m tests.simulation                          all of it
python -m tests.simulation chaos                    one part (matrix, kills, chaos, chaos-baseline); the others'
                                                figures in the table are those of their last run
python -m tests.simulation --cases 500 --seed 7     a part of the matrix, and nothing is filed
python -m tests.simulation --case '<a case>'        one case, as printed; --baseline: by the baseline handler
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import tests.simulation.paths  # noqa: F401 - before anything that imports the service
from tests.simulation.baseline import BaselineHandler
from tests.simulation.fault import Case
from tests.simulation.matrix import CaseResult, run
from tests.simulation.parts import BASELINE_SEEDS, SEEDS, Sample, chaos, matrix, real_kills
from tests.simulation.report import Row, load_rows, save_rows, table, write_into
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.system_under_test import CloseProvisioner

DOCUMENTS = (Path("README.md"), Path("docs/explanation/faults.md"))
KEPT = Path(".local/faults")
LEAST_CASES = 2_000


def main() -> int:
    asked = _arguments()
    if asked.case:
        return _show(run(_case(asked.case), BaselineHandler() if asked.baseline else CloseProvisioner()))
    sample = Sample(asked.seed, asked.cases, asked.jobs)
    if asked.cases is not None and asked.part is None:
        rows = matrix(sample)
        print(f"seed {asked.seed}\n\n{table(rows)}")
        return 0 if all(row.is_good for row in rows) else 1
    field_counts: Mapping[str, Callable[[], list[Row]]] = {
        "matrix": lambda: matrix(sample),
        "kills": real_kills,
        "chaos": lambda: chaos(SEEDS, ours=True),
        "chaos-baseline": lambda: chaos(BASELINE_SEEDS, ours=False),
    }
    if asked.part not in {None, *field_counts}:
        sys.exit(f"The part {asked.part!r} does not exist. Name one of: {', '.join(field_counts)}")
    for name in [asked.part] if asked.part else field_counts:
        _play(name, field_counts[name])
    return _file([row for name in field_counts for row in load_rows(_file_of(name))])


def _case(text: str) -> Case:
    try:
        case = Case.read(text)
    except ValueError as error:
        sys.exit(f"The case {text!r} cannot be read: {error}. Copy a case as a failing run printed it.")
    if case.scenario not in SCENARIOS:
        sys.exit(f"The scenario {case.scenario!r} does not exist. Name one of: {', '.join(SCENARIOS)}")
    return case


def _play(name: str, part: Callable[[], list[Row]]) -> None:
    started = time.monotonic()
    save_rows(_file_of(name), rows := part())
    print(f"\n{table(rows)}\n\n{name}: {time.monotonic() - started:.0f} s", flush=True)


def _file(rows: list[Row]) -> int:
    """Prints and files the whole table. Good when nothing that makes promises broke one, over enough cases."""
    text = table(rows)
    written = [str(path) for path in DOCUMENTS if write_into(path, text)]
    print(f"\n{text}\n\nwritten into {', '.join(written) or 'no document: none has a place for it'}")
    return 0 if all(row.is_good for row in rows) and rows[0].cases >= LEAST_CASES else 1


def _file_of(part: str) -> Path:
    return KEPT / f"{part}.json"


def _show(result: CaseResult) -> int:
    print(result.case, *result.calls, sep="\n  ")
    print(result.output)
    for fault in result.case.faults:
        print(f"{'struck' if fault in result.fired else 'did not strike'}: {fault}")
    for each in result.violations:
        print(f"{each.invariant}: {each.description}")
    print(result.counts)
    return 1 if result.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("part", nargs="?", help="all of them when left out")
    parser.add_argument("--seed", default="once", help="chooses the cases of a part of the matrix")
    parser.add_argument("--cases", type=int, help="how many of the matrix to run, chosen by the seed")
    parser.add_argument("--case", help="run this one, and print all that the service said")
    parser.add_argument("--baseline", action="store_true", help="with --case: let the baseline handler play it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
