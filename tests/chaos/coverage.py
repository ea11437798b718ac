"""A chaos run, or several together, must have hit something: what has to have happened, and how often at least."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from infra.simulator.faults.catalog import KINDS
from tests.chaos.proxy import Kill
from tests.chaos.schedule import KILLS, Schedule
from tests.chaos.surroundings import KINDS as CHANGES

EACH_FAULT = 1
KILLS_THAT_STRUCK = 2 / 3
"""Of those that were planned. The others met a process that was just gone, or a call that was never made."""
HOSTILE_BODIES = 3 / 4
"""Of those that were planned. The others met a process that was killed, over and over."""
OF_REQUESTS = {"created": 1 / 15, "recovered": 1 / 75}
"""How many requests have to come out so."""
TAKEN = 1 / 4
"""How many have to find it there: unchanged, adopted or updated."""


@dataclass(frozen=True, slots=True)
class Fired:
    """The faults that fired, at Close and at AWS by name, the kills, the changes made by kind, and how many hostile
    bodies the service received. ``remembered``: requests settled meanwhile from what another one observed.
    """

    close: Counter[str]
    aws: Counter[str]
    kills: tuple[Kill, ...]
    changes: Counter[str] = field(default_factory=Counter)
    hostile: int = 0
    remembered: int = 0

    def total(self) -> int:
        return self.close.total() + self.aws.total() + len(self.kills)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.close + other.close,
            self.aws + other.aws,
            (*self.kills, *other.kills),
            self.changes + other.changes,
            self.hostile + other.hostile,
            self.remembered + other.remembered,
        )


def coverage_gaps(schedules: Sequence[Schedule], fired: Fired, results: Counter[str]) -> Iterator[str]:
    """Yield a sentence for every fault, kill, change and result that occurred too seldom in the runs together."""
    close, aws, kills = fired.close, fired.aws, fired.kills
    requests = sum(each.requests for each in schedules)
    planned_kills = sum(len(each.kills) for each in schedules)
    planned_hostile = sum(len(each.hostile) for each in schedules)
    struck = {f"Close {kind}": close[kind] for kind in KINDS} | {
        name: aws[name] for name in sorted({fault.name for each in schedules for fault in each.aws})
    }
    yield from (f"{name} struck {number} times" for name, number in struck.items() if number < EACH_FAULT)
    yield from (f"not once: {kind}" for kind in CHANGES if not fired.changes[kind])
    if fired.hostile < HOSTILE_BODIES * planned_hostile:
        yield f"{fired.hostile} of {planned_hostile} hostile bodies were received"
    if len(kills) < KILLS_THAT_STRUCK * planned_kills:
        yield f"{len(kills)} of {planned_kills} kills struck"
    yield from (f"no process was killed {action}" for action in KILLS if action not in {each.action for each in kills})
    for result, share in OF_REQUESTS.items():
        if results[result] < share * requests:
            yield f"{results[result]} of {requests} requests were {result}"
    taken = sum(results[each] for each in ("unchanged", "adopted", "updated"))
    if taken < TAKEN * requests:
        yield f"only {taken} of {requests} requests found their type there"
