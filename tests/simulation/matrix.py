"""The matrix: every call of a fault-free run, before and after it, with everything that can go wrong there.

A new call enters the matrix by itself.
"""

import functools
import itertools
import random
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.simulation.checker import broken, evidence
from tests.simulation.counts import Tally, tally
from tests.simulation.environment import World
from tests.simulation.fault import Case, Fault, Kind, Position
from tests.simulation.invariants import Broken
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.system_under_test import Subject
from tests.simulation.workload import Play

AROUND = (Position.BEFORE, Position.AFTER)
AT_A_CALL: list[tuple[Kind, Position]] = [
    (kind, position)
    for kind in Kind
    for position in AROUND
    if (kind, position) != (Kind.KILL_UNDERWAY, Position.AFTER) and kind is not Kind.GARBLED
]
AT_CLOSE: list[tuple[Kind, Position]] = [*AT_A_CALL, (Kind.GARBLED, Position.AFTER)]
AT_THE_CLOCK: list[tuple[Kind, Position]] = [(kind, Position.BEFORE) for kind in (Kind.KILL, Kind.OVERRUN, Kind.FREEZE)]
IN_PAIRS = list(itertools.product((Kind.ERROR, Kind.THROTTLE, Kind.KILL, Kind.OVERRUN), AROUND))

PAIRED = ("api create", "queue create", "both doors")
"""The scenarios of which every pair is struck: by either door, and by both."""
SOME_PAIRS = 100
"""Of each of the others, so many; which ones, each scenario's name decides."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case. ``fired``: the faults that struck."""

    case: Case
    calls: tuple[str, ...]
    fired: tuple[Fault, ...]
    broken: tuple[Broken, ...]
    tally: Tally
    output: str


def run(case: Case, subject: Subject) -> Verdict:
    """Play the scenario, deliver again until it is quiet, redrive what is dead, and judge."""
    scenario = SCENARIOS[case.scenario]
    with World(subject, case).entered() as world:
        play = Play(world)
        world.wire.rival = functools.partial(scenario.rival, play)
        try:
            scenario.plot(play)
            play.until_quiet()
            if play.redrive():
                play.until_quiet()
            faults = tuple(broken(play)) if subject.promises else ()
        except Exception:  # noqa: BLE001 - a crash of the test itself is a finding, too
            faults = (Broken("(the test itself)", traceback.format_exc()),)
        wire = world.wire
        return Verdict(
            case, tuple(wire.recorded), tuple(wire.fired), faults, tally(evidence(play)), world.output.getvalue()
        )


def singles(scenario: str, subject: Subject) -> Iterator[Case]:
    """Every single fault that can strike this scenario."""
    for call in run(Case(scenario), subject).calls:
        for kind, position in _kinds(call):
            yield Case(scenario, (Fault(kind, position, call),))


def pairs(scenario: str, subject: Subject) -> Iterator[Case]:
    """Every two faults in the critical stretch, at two calls or at the same call and its repetition."""
    calls = critical(run(Case(scenario), subject).calls)
    again = [(call, f"{call.rpartition('#')[0]}#{int(call.rpartition('#')[2]) + 1}") for call in calls]
    for one, other in [*itertools.combinations(calls, 2), *again]:
        for (kind, position), (next_kind, next_position) in itertools.product(IN_PAIRS, IN_PAIRS):
            yield Case(scenario, (Fault(kind, position, one), Fault(next_kind, next_position, other)))


def whole(subject: Subject) -> Iterator[Case]:
    """All singles, and pairs of every scenario."""
    for scenario in SCENARIOS:
        if scenario in subject.cannot:
            continue
        yield from singles(scenario, subject)
        of_two = list(pairs(scenario, subject))
        if scenario not in PAIRED and len(of_two) > SOME_PAIRS:
            of_two = random.Random(scenario).sample(of_two, SOME_PAIRS)  # noqa: S311
        yield from of_two


def critical(calls: Sequence[str]) -> list[str]:
    """From the write before the first look at Close (the lease) until after the first publish."""
    calls = [call for call in calls if not call.startswith("clock ")]
    first = next((index for index, call in enumerate(calls) if call.startswith("close.")), len(calls))
    published = next((i for i, call in enumerate(calls) if i > first and call.startswith("sns.")), len(calls))
    return calls[max(first - 1, 0) : published + 2]


def _kinds(call: str) -> list[tuple[Kind, Position]]:
    if call.startswith("clock "):
        return AT_THE_CLOCK
    return AT_CLOSE if call.startswith("close.") else AT_A_CALL
