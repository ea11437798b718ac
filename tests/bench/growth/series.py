"""The series that are played: each lets one size grow, with everything else the same."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from tests.bench.growth.burst import Burst, Figures, play
from tests.bench.growth.exponents import exponent
from tests.bench.growth.neighbors import Neighbors
from tests.simulation.callers import bodies, body

TENANT = "acme"
LISTED_SECONDS = 100
"""Before the burst: what the organization holds is in Close's lists by then."""


class Series(NamedTuple):
    """``burst``: makes the burst of a size."""

    name: str
    size: str
    sizes: Sequence[int]
    burst: Callable[[int], Burst]


class Played(NamedTuple):
    """A series, and its figures by size."""

    series: Series
    figures: Sequence[Figures]

    def exponent(self, figure: str) -> float:
        return exponent(self.series.sizes, [getattr(each, figure) for each in self.figures])


def crowd(number: int, concurrency: int) -> Burst:
    """So many requests for one new type of one tenant that the service knows."""
    before = [body("before", "Another type")]
    return Burst([body(f"crowd-{each}") for each in range(number)], _one_tenant, concurrency, before)


def tenants(number: int, concurrency: int) -> Burst:
    """The same over so many tenants, one request each."""
    requests = [body(f"of-{each}", tenant=f"tenant-{each}") for each in range(number)]
    return Burst(requests, partial(_tenants, number), concurrency)


def organization(number: int, fields: int = 50) -> Burst:
    """A request for a new type, and one for a type that is there, in an organization with so many types."""
    there = body("there", "Type 0", fields=_fields(fields))
    return Burst([body("new"), there], partial(_organization, number, fields))


def large(number: int, fields: int = 200) -> Burst:
    """One request for so many new types with so many fields each."""
    types = [_type(each, fields) for each in range(number)]
    return Burst([bodies("large", *types)], _one_tenant)


def _one_tenant(neighbors: Neighbors) -> None:
    neighbors.add_tenant(TENANT)


def _tenants(number: int, neighbors: Neighbors) -> None:
    for each in range(number):
        neighbors.add_tenant(f"tenant-{each}")


def _organization(number: int, fields: int, neighbors: Neighbors) -> None:
    neighbors.add_tenant(TENANT, types=[_type(each, fields) for each in range(number)])
    neighbors.timeline.clock.advance(LISTED_SECONDS)


def _type(number: int, fields: int) -> dict[str, Any]:
    return {"name": f"Type {number}", "name_plural": f"Type {number}s", "fields": _fields(fields)}


def _fields(number: int) -> list[dict[str, Any]]:
    return [{"name": f"Field {each}", "type": "text"} for each in range(number)]


def _bursts(concurrency: int, requests: Sequence[int], of_tenants: Sequence[int]) -> list[Series]:
    return [
        Series(f"one type, {concurrency} workers", "requests", requests, partial(crowd, concurrency=concurrency)),
        Series(f"N tenants, {concurrency} workers", "requests", of_tenants, partial(tenants, concurrency=concurrency)),
    ]


def _sizes(of_organization: Sequence[int], of_request: Sequence[int]) -> list[Series]:
    return [
        Series("types of 50 fields in the organization", "types", of_organization, organization),
        Series("types of 200 fields in one request", "types", of_request, large),
    ]


WHOLE = (
    *(each for workers in (5, 50, 500) for each in _bursts(workers, (10, 100, 1000, 10_000), (10, 50, 250))),
    *_sizes((10, 100, 1000), (2, 5, 25)),
)
"""Takes a quarter of an hour of two processors."""

SHORT = (
    *(each for workers in (5, 50) for each in _bursts(workers, (10, 100, 1000), (10, 50))),
    *_sizes((10, 100), (2, 5)),
)
"""Takes a minute: ``GROWTH=short``."""

ALL = SHORT if os.environ.get("GROWTH") == "short" else WHOLE


def play_all(chosen: Sequence[Series] = ALL) -> list[Played]:
    """Play every size of every series, side by side in processes."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = {(each.name, size): pool.submit(_play, each, size) for each in chosen for size in reversed(each.sizes)}
        return [Played(each, [found[each.name, size].result() for size in each.sizes]) for each in chosen]


def _play(series: Series, size: int) -> Figures:
    begin = time.process_time()
    figures = play(series.burst(size))
    print(f"\n  {series.name}, {size:,}: {time.process_time() - begin:.0f} s", end="", file=sys.stderr, flush=True)
    return figures
