"""The parts of ``make faults``, each of which answers rows of the table."""

import functools
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile

from tests.chaos import kills
from tests.chaos.baseline import baseline_code
from tests.chaos.coverage import Fired, coverage_gaps
from tests.chaos.run import run as run_chaos
from tests.chaos.schedule import make_schedule
from tests.simulation.baseline import BaselineHandler
from tests.simulation.counts import Counts
from tests.simulation.fault import Case
from tests.simulation.matrix import CaseResult, run, whole
from tests.simulation.report import Row
from tests.simulation.system_under_test import CloseProvisioner, SystemUnderTest

CHUNK = 20
LOCAL = Path(".local")
SEEDS = (*(str(number) for number in range(1, 51)), "77")
"""Of chaos runs. Seed 77 was the first that broke a promise."""
BASELINE_SEEDS = SEEDS[:3]
REQUESTS = 60
"""Of one chaos run: many short ones meet more than a few long ones."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Of the matrix: all cases, or so many, chosen by the seed. ``jobs``: processes at once."""

    seed: str
    cases: int | None
    jobs: int


def matrix(sample: Sample) -> list[Row]:
    return [_played(system, sample) for system in (CloseProvisioner(), BaselineHandler())]


def real_kills() -> list[Row]:
    result = kills.run()
    for each in result.violations:
        print(f"    {each.invariant}: {each.description}")
    coverage_gaps = len(result.cases) - result.killed
    violations = len(result.violations) + coverage_gaps
    return [
        Row(
            "real kills: Close Provisioner",
            len(result.cases),
            len(result.cases),
            result.killed,
            result.counts,
            violations,
        )
    ]


def chaos(seeds: Sequence[str], *, ours: bool) -> list[Row]:
    """Run the seeds one after the other, with a line for each. Together they must have hit all that there is."""
    name = f"chaos, {len(seeds)} seeds: {'Close Provisioner' if ours else 'baseline handler'}"
    row = Row(name, 0, None, 0, Counts(), 0 if ours else None)
    fired, results = Fired(Counter(), Counter(), ()), Counter[str]()
    for seed in seeds:
        code, state = (None, "chaos-seeds") if ours else (baseline_code(), "chaos-seeds-baseline")
        result = run_chaos(seed, REQUESTS, code=code, state=state, say=lambda _: None)
        fired, results = fired + result.fired, results + result.results
        print(result.line, *(f"    {each.invariant}: {each.description}" for each in result.violations), sep="\n")
        if result.violations:
            print(f"    evidence: {keep_evidence(LOCAL / state, seed)}", flush=True)
        row = replace(
            row,
            cases=row.cases + result.requests,
            fired=row.fired + result.fired.total(),
            counts=row.counts + result.counts,
            violations=None if row.violations is None else row.violations + len(result.violations),
        )
    if row.violations is None:
        return [row]
    gaps = [*coverage_gaps([make_schedule(seed, REQUESTS) for seed in seeds], fired, results)]
    for each in gaps:
        print(f"{name}: it did not hit what it should: {each}", flush=True)
    return [replace(row, violations=row.violations + len(gaps))]


def keep_evidence(state: Path, seed: str) -> Path:
    """Copy the evidence of a run, before the next one replaces it. Return where it is."""
    kept = LOCAL / "faults" / f"evidence-{seed}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    return Path(copyfile(state / "evidence.json", kept))


def _played(system: SystemUnderTest, sample: Sample) -> Row:
    """Runs the subject's matrix. Every single fault must strike; of two, the second may have nothing left to strike."""
    cases = list(whole(system))
    if sample.cases and sample.cases < len(cases):
        cases = random.Random(sample.seed).sample(cases, sample.cases)  # noqa: S311
    row = Row(f"matrix: {system.name}", 0, 0, 0, Counts(), 0 if system.has_guarantees else None)
    tried = 0
    for result in _results(cases, system, sample.jobs):
        coverage_gaps = not result.fired
        if result.violations or coverage_gaps:
            _complain(result, system)
        tried += len(result.case.faults)
        row = replace(
            row,
            cases=row.cases + 1,
            tried=tried,
            fired=row.fired + len(result.fired),
            counts=row.counts + result.counts,
            violations=None if row.violations is None else row.violations + len(result.violations) + coverage_gaps,
        )
        if sys.stderr.isatty() and row.cases % CHUNK == 0:
            print(f"\r{system.name}: {row.cases:,} of {len(cases):,} cases", end="", file=sys.stderr, flush=True)
    return row


def _results(cases: Sequence[Case], system: SystemUnderTest, jobs: int) -> Iterator[CaseResult]:
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(functools.partial(_run, system=system), cases, chunksize=CHUNK)


def _run(case: Case, system: SystemUnderTest) -> CaseResult:
    result = run(case, system)
    return replace(result, output="", calls=())


def _complain(result: CaseResult, system: SystemUnderTest) -> None:
    print(f"\n{system.name}: {result.case}")
    if not result.fired:
        print("    no fault struck")
    for each in result.violations:
        print(f"    {each.invariant}: {each.description}")
