"""``make faults``: the whole matrix, for the service and for the afternoon handler; prints and files the table.

python -m tests.faults                          all of it
python -m tests.faults --cases 500 --seed 7     a part of it, for each
python -m tests.faults --case '<a case>'        one case, as it was printed; --afternoon: played by the other one
"""

import argparse
import functools
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import tests.faults.environment  # noqa: F401 - before anything that imports the service
from tests.faults.fault import Case
from tests.faults.matrix import Verdict, run, whole
from tests.faults.peer import Afternoon
from tests.faults.report import Row, table, write_into
from tests.faults.subject import Ours, Subject
from tests.faults.tally import Tally

DOCUMENTS = (Path("README.md"), Path("docs/faults.md"))
LEAST_CASES = 2_000
CHUNK = 20


def main() -> int:
    asked = _arguments()
    if asked.case:
        return _show(run(Case.read(asked.case), Afternoon() if asked.afternoon else Ours()))
    print(f"seed {asked.seed}")
    started = time.monotonic()
    rows = [_row(subject, asked) for subject in (Ours(), Afternoon())]
    text = table(rows)
    print(f"\n{text}\n\n{time.monotonic() - started:.0f} s")
    ours = rows[0]
    is_whole = asked.cases is None
    if is_whole:
        written = [path.name for path in DOCUMENTS if write_into(path, text)]
        print(f"written into {', '.join(written)}" if written else "no document has a place for the table")
    good = not ours.broken and ours.tally == Tally() and (not is_whole or ours.cases >= LEAST_CASES)
    return 0 if good else 1


def _row(subject: Subject, asked: argparse.Namespace) -> Row:
    """Runs the subject's matrix. Every single fault must strike; of two, the second may have nothing left to strike."""
    cases = list(whole(subject))
    if asked.cases and asked.cases < len(cases):
        cases = random.Random(asked.seed).sample(cases, asked.cases)  # noqa: S311
    row = Row(subject.name, 0, 0, 0, Tally(), 0 if subject.promises else None)
    for verdict in _verdicts(cases, subject, asked.jobs):
        missed = not verdict.fired
        if verdict.broken or missed:
            _complain(verdict, subject)
        row = replace(
            row,
            cases=row.cases + 1,
            tried=row.tried + len(verdict.case.faults),
            fired=row.fired + len(verdict.fired),
            tally=row.tally + verdict.tally,
            broken=None if row.broken is None else row.broken + len(verdict.broken) + missed,
        )
        if sys.stderr.isatty() and row.cases % CHUNK == 0:
            print(f"\r{subject.name}: {row.cases:,} of {len(cases):,} cases", end="", file=sys.stderr, flush=True)
    return row


def _verdicts(cases: Sequence[Case], subject: Subject, jobs: int) -> Iterator[Verdict]:
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(functools.partial(_run, subject=subject), cases, chunksize=CHUNK)


def _run(case: Case, subject: Subject) -> Verdict:
    verdict = run(case, subject)
    return replace(verdict, output="", calls=())


def _complain(verdict: Verdict, subject: Subject) -> None:
    print(f"\n{subject.name}: {verdict.case}")
    if not verdict.fired:
        print("    no fault struck")
    for each in verdict.broken:
        print(f"    {each.promise}: {each.how}")


def _show(verdict: Verdict) -> int:
    print(verdict.case, *verdict.calls, sep="\n  ")
    print(verdict.output)
    for fault in verdict.case.faults:
        print(f"{'struck' if fault in verdict.fired else 'did not strike'}: {fault}")
    for each in verdict.broken:
        print(f"{each.promise}: {each.how}")
    print(verdict.tally)
    return 1 if verdict.broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--seed", default="once", help="chooses the cases of a part")
    parser.add_argument("--cases", type=int, help="how many to run, chosen by the seed; all when left out")
    parser.add_argument("--case", help="run this one, and print all that the service said")
    parser.add_argument("--afternoon", action="store_true", help="with --case: let the afternoon handler play it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
