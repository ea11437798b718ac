"""The parts of ``make faults``, each of which answers rows of the table."""

import functools
import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from tests.chaos import kills
from tests.chaos.baseline import afternoon
from tests.chaos.run import run as storm
from tests.simulation.baseline import Afternoon
from tests.simulation.counts import Tally
from tests.simulation.fault import Case
from tests.simulation.matrix import Verdict, run, whole
from tests.simulation.report import Row
from tests.simulation.system_under_test import Ours, Subject

CHUNK = 20
SEEDS = ("1", "2", "3")
REQUESTS = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """Of the matrix: all cases, or so many, chosen by the seed. ``jobs``: processes at once."""

    seed: str
    cases: int | None
    jobs: int


def matrix(sample: Sample) -> list[Row]:
    return [_played(subject, sample) for subject in (Ours(), Afternoon())]


def real_kills() -> list[Row]:
    verdict = kills.run()
    for each in verdict.broken:
        print(f"    {each.promise}: {each.how}")
    missed = len(verdict.cases) - verdict.killed
    broken = len(verdict.broken) + missed
    return [Row("real kills: ours", len(verdict.cases), len(verdict.cases), verdict.killed, verdict.tally, broken)]


def chaos(seed: str, *, ours: bool) -> list[Row]:
    name = f"chaos, seed {seed}: {'ours' if ours else 'afternoon handler'}"
    code, state = (None, f"chaos-{seed}") if ours else (afternoon(), f"chaos-{seed}-afternoon")
    result = storm(seed, REQUESTS, code=code, state=state, say=lambda _: None)
    for missed in result.missed:
        print(f"{name}: it did not hit what it should: {missed}", flush=True)
    for broken in result.broken:
        print(f"{name}: {broken.promise}: {broken.how}", flush=True)
    broken_or_missed = len(result.broken) + len(result.missed) if ours else None
    return [Row(name, result.requests, None, result.fired.total(), result.tally, broken_or_missed)]


def _played(subject: Subject, sample: Sample) -> Row:
    """Runs the subject's matrix. Every single fault must strike; of two, the second may have nothing left to strike."""
    cases = list(whole(subject))
    if sample.cases and sample.cases < len(cases):
        cases = random.Random(sample.seed).sample(cases, sample.cases)  # noqa: S311
    row = Row(f"matrix: {subject.name}", 0, 0, 0, Tally(), 0 if subject.promises else None)
    tried = 0
    for verdict in _verdicts(cases, subject, sample.jobs):
        missed = not verdict.fired
        if verdict.broken or missed:
            _complain(verdict, subject)
        tried += len(verdict.case.faults)
        row = replace(
            row,
            cases=row.cases + 1,
            tried=tried,
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
