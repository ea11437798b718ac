"""What a caller, an operator and Close can see of a run, whoever was put to the test: the figures of the table."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Self

from tests.simulation.history import Evidence


@dataclass(frozen=True, slots=True)
class Tally:
    """``duplicates``: types and fields beyond the first of a name. The others count requests, ``secrets`` the runs that
    told one.

    ``lost``: accepted, and nobody ever heard what became of it. ``unannounced``: only its HTTP caller heard.
    """

    duplicates: int = 0
    lost: int = 0
    unannounced: int = 0
    several_ids: int = 0
    secrets: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def tally(evidence: Evidence) -> Tally:
    accepted = [asked for asked in evidence.asked if asked.accepted]
    silent = [asked for asked in accepted if asked.key not in evidence.events]
    lost = [asked for asked in silent if not any(map(_is_settled, asked.answers))]
    return Tally(
        duplicates=sum(number - 1 for number in _copies(evidence)),
        lost=len(lost),
        unannounced=len(silent) - len(lost),
        several_ids=sum(len({event["id"] for event in each}) > 1 for each in evidence.events.values()),
        secrets=int(bool(evidence.leaks())),
    )


def _copies(evidence: Evidence) -> Iterator[int]:
    yield from evidence.types_by_name().values()
    for parts in evidence.parts.values():
        yield from parts.values()


def _is_settled(answer: Mapping[str, Any]) -> bool:
    return answer["statusCode"] in {200, 201} or '"state": "settled"' in answer["body"]
