"""The scenarios of the explorer: two requests, and three of the shortest, with what may go wrong on the way.

``python -m tests.simulation.interleavings`` explores all of them and prints a line for each; ``make faults`` runs it.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import tests.simulation.paths  # noqa: F401 - before anything that imports the service
from tests.close import SimulatedClose
from tests.fakes import a_request
from tests.simulation.explorer import Exercise, Exploration, explore

SEATS = {"fields": [{"name": "Seats", "type": "number"}]}
MODES = ("adopt", "update", "fail")
MOST_ORDERS = 20_000
"""Of one scenario in ``make faults``: the small ones are explored whole, of the others as many as this."""


def rename_type(close: SimulatedClose) -> bool:
    return _rename(close, [(each.id, each.name) for each in close.existing], "Account", "Customer")


def rename_field(close: SimulatedClose) -> bool:
    return _rename(close, [(each.id, each.name) for each in close.fields], "Seats", "Places")


def rename_shared_field(close: SimulatedClose) -> bool:
    return _rename(close, [(each.id, each.name) for each in close.shared], "Seats", "Places")


def _rename(close: SimulatedClose, rows: list[tuple[str, str]], old: str, new: str) -> bool:
    """Whether there was such a name to change."""
    for close_id, name in rows:
        if name == old:
            close.change(close_id, name=new)
            return True
    return False


def scenarios() -> Iterator[Exercise]:
    bare = [a_request(number) for number in ("1", "2", "3")]
    yield Exercise("one request, a kill and a loss", [a_request("1", spec=SEATS)], kills=1, losses=1)
    yield Exercise("two requests", bare[:2])
    yield Exercise("two requests, a kill", bare[:2], kills=1)
    yield Exercise("two requests, a loss", bare[:2], losses=1)
    yield Exercise("three requests", bare)
    yield Exercise("three requests, a loss", bare, losses=1)
    same = [a_request("1", spec=SEATS)] * 2
    yield Exercise("one request twice, a kill and a loss", same, 1, 1, alone=frozenset({"GET me/"}))
    tenants = [a_request("1", spec=SEATS), a_request("2", spec=SEATS, tenant="initech")]
    yield Exercise("two tenants of one organization, a kill and a loss", tenants, 1, 1, alone=frozenset({"GET me/"}))
    shared = {"fields": [{"name": "Seats", "type": "number", "shared": True}]}
    one_shared = [a_request("1", spec=shared)]
    yield Exercise("a shared field, a loss, renamed", one_shared, losses=1, person=rename_shared_field)
    yield Exercise("a shared field, a kill, renamed", one_shared, kills=1, person=rename_shared_field)
    for one, other in itertools.combinations_with_replacement(MODES, 2):
        pair = [a_request("1", spec=SEATS, if_exists=one), a_request("2", spec=SEATS, if_exists=other)]
        yield Exercise(f"{one} and {other}", pair)
        yield Exercise(f"{one} and {other}, a kill and a loss", pair, kills=1, losses=1)
        yield Exercise(f"{one} and {other}, two kills", pair, kills=2)
        yield Exercise(f"{one} and {other}, two losses", pair, losses=2)
        yield Exercise(f"{one} and {other}, a loss, the type renamed", pair, losses=1, person=rename_type)
        yield Exercise(f"{one} and {other}, a kill, the field renamed", pair, kills=1, person=rename_field)
    names = [("2", "Customer"), ("3", "Account")]
    updates = [a_request(number, name, spec=SEATS, if_exists="update") for number, name in names]
    yield Exercise(
        "two names, the type renamed from one to the other",
        updates,
        person=rename_type,
        person_interrupts=False,
        before=[a_request("1")],
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.interleavings")
    parser.add_argument("--orders", type=int, default=MOST_ORDERS, help="of each scenario, at most")
    parser.add_argument("--seed", default="once", help="chooses the orders of a scenario that is not explored whole")
    given = parser.parse_args()
    found = []
    with ProcessPoolExecutor() as pool:
        for each in pool.map(_explore, [(each.name, given.orders, given.seed) for each in scenarios()]):
            print(each, *each.violations, sep="\n  ", flush=True)
            found.append(each)
    orders, states = sum(each.plays for each in found), sum(each.states for each in found)
    broken = sum(bool(each.violations) for each in found)
    print(f"{len(found)} scenarios: {orders} orders, {states} states, {broken} broken (seed {given.seed})")
    return 1 if broken else 0


def _explore(given: tuple[str, int, str]) -> Exploration:
    name, orders, seed = given
    return explore(next(each for each in scenarios() if each.name == name), orders, seed)


if __name__ == "__main__":
    sys.exit(main())
