"""The figures of the table: what a caller, an operator and Close can see of a run of any system under test."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Self

from tests.simulation.history import History


@dataclass(frozen=True, slots=True)
class Counts:
    """``duplicates``: types and fields beyond the first of a name. The others count requests, ``secrets`` the runs that
    told one.

    ``lost``: accepted, and its outcome never reached anyone. ``unannounced``: only its HTTP caller heard.
    """

    duplicates: int = 0
    lost: int = 0
    unannounced: int = 0
    several_ids: int = 0
    secrets: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def counts_of(history: History) -> Counts:
    accepted = [submitted for submitted in history.submitted if submitted.accepted]
    silent = [submitted for submitted in accepted if submitted.key not in history.events]
    lost = [submitted for submitted in silent if not any(map(_is_settled, submitted.responses))]
    return Counts(
        duplicates=sum(number - 1 for number in _copies(history)),
        lost=len(lost),
        unannounced=len(silent) - len(lost),
        several_ids=sum(len({event["id"] for event in each}) > 1 for each in history.events.values()),
        secrets=int(bool(history.leaks())),
    )


def _copies(history: History) -> Iterator[int]:
    yield from history.types_by_name().values()
    for field_counts in history.field_counts.values():
        yield from field_counts.values()


def _is_settled(response: Mapping[str, Any]) -> bool:
    return response["statusCode"] in {200, 201} or '"state": "settled"' in response["body"]
