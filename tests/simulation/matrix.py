"""The matrix: every call of a fault-free run, before and after it, with everything that can go wrong there.

A new call enters the matrix by itself.
"""

import functools
import itertools
import random
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.simulation.aws import items
from tests.simulation.checker import check, collect_history
from tests.simulation.counts import Counts, counts_of
from tests.simulation.environment import SimulatedEnvironment
from tests.simulation.fault import Case, Fault, FaultKind, Position
from tests.simulation.invariants import Violation
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.system_under_test import TABLE, SystemUnderTest
from tests.simulation.workload import Workload
from tests.strict_aws.emf import emf_faults_of

AROUND = (Position.BEFORE, Position.AFTER)
AT_A_CALL: list[tuple[FaultKind, Position]] = [
    (kind, position)
    for kind in FaultKind
    for position in AROUND
    if (kind, position) != (FaultKind.KILL_UNDERWAY, Position.AFTER)
    and kind not in {FaultKind.GARBLED, FaultKind.PARTIAL}
]
AT_CLOSE: list[tuple[FaultKind, Position]] = [*AT_A_CALL, (FaultKind.GARBLED, Position.AFTER)]
OF_A_BATCH: list[tuple[FaultKind, Position]] = [*AT_A_CALL, *((FaultKind.PARTIAL, each) for each in AROUND)]
AT_THE_CLOCK: list[tuple[FaultKind, Position]] = [
    (kind, Position.BEFORE) for kind in (FaultKind.KILL, FaultKind.OVERRUN, FaultKind.FREEZE)
]
IN_PAIRS = list(itertools.product((FaultKind.ERROR, FaultKind.THROTTLE, FaultKind.KILL, FaultKind.OVERRUN), AROUND))

PAIRED = ("api create", "queue create", "both entry points")
"""The scenarios of which every pair is played: each entry point, and both."""
SOME_PAIRS = 100
"""Of each of the others, so many; which ones, each scenario's name decides."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one case. ``fired``: the faults that took effect.

    ``remembered``: outcomes from what another request observed.
    """

    case: Case
    calls: tuple[str, ...]
    fired: tuple[Fault, ...]
    violations: tuple[Violation, ...]
    counts: Counts
    output: str
    remembered: int


def run(case: Case, system: SystemUnderTest) -> CaseResult:
    """Play the scenario, deliver again until it is quiet, redrive what is dead, and judge."""
    scenario = SCENARIOS[case.scenario]
    with SimulatedEnvironment(system, case).patched() as environment:
        workload = Workload(environment)
        environment.network.rival = functools.partial(scenario.rival, workload)
        try:
            scenario.plot(workload)
            workload.run_until_quiescent()
            if workload.redrive():
                workload.run_until_quiescent()
            faults = tuple(check(workload)) if system.has_guarantees else ()
            rejected = [*environment.rejected_by_aws, *emf_faults_of(environment.output.getvalue())]
            faults += tuple(Violation("(requests that AWS takes)", each) for each in rejected)
        except Exception:  # noqa: BLE001 - a crash of the test itself is a finding, too
            faults = (Violation("(the test itself)", traceback.format_exc()),)
        network = environment.network
        return CaseResult(
            case,
            tuple(network.recorded),
            tuple(network.fired),
            faults,
            counts_of(collect_history(workload)),
            environment.output.getvalue(),
            sum('"observed_at"' in item.get("outcome", {}).get("S", "") for item in items(TABLE).values()),
        )


def singles(scenario: str, calls: Sequence[str]) -> Iterator[Case]:
    """Return a case for every single fault that can hit one of the calls of the scenario's fault-free run."""
    for call in calls:
        for kind, position in _kinds(call):
            yield Case(scenario, (Fault(kind, position, call),))


def pairs(scenario: str, calls: Sequence[str]) -> Iterator[Case]:
    """Return a case for every two faults in the critical section: at two calls, or at one call and its repetition."""
    calls = critical(calls)
    again = [(call, f"{call.rpartition('#')[0]}#{int(call.rpartition('#')[2]) + 1}") for call in calls]
    for one, other in [*itertools.combinations(calls, 2), *again]:
        for (kind, position), (next_kind, next_position) in itertools.product(IN_PAIRS, IN_PAIRS):
            yield Case(scenario, (Fault(kind, position, one), Fault(next_kind, next_position, other)))


def whole(system: SystemUnderTest) -> Iterator[Case]:
    """All singles, and pairs of every scenario."""
    for scenario in SCENARIOS:
        if scenario in system.cannot:
            continue
        calls = run(Case(scenario), system).calls
        yield from singles(scenario, calls)
        of_two = list(pairs(scenario, calls))
        if scenario not in PAIRED and len(of_two) > SOME_PAIRS:
            of_two = random.Random(scenario).sample(of_two, SOME_PAIRS)  # noqa: S311
        yield from of_two


def critical(calls: Sequence[str]) -> list[str]:
    """Return the calls from the one before the first call to Close until after the first publish."""
    calls = [call for call in calls if not call.startswith("clock ")]
    first = next((index for index, call in enumerate(calls) if call.startswith("close.")), len(calls))
    published = next((i for i, call in enumerate(calls) if i > first and call.startswith("sns.")), len(calls))
    return calls[max(first - 1, 0) : published + 2]


def _kinds(call: str) -> list[tuple[FaultKind, Position]]:
    if call.startswith("clock "):
        return AT_THE_CLOCK
    if call.startswith("sns.PublishBatch "):
        return OF_A_BATCH
    return AT_CLOSE if call.startswith("close.") else AT_A_CALL
