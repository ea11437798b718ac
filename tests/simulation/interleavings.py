"""The scenarios of the explorer: two requests, and three of the shortest, with what may go wrong on the way.

Each is explored alone, and again in weathers that a seed mixes (weather.py).

``python -m tests.simulation.interleavings`` explores all of them and prints a line for each; ``make faults`` runs it.
"""

import argparse
import itertools
import random
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import tests.simulation.paths  # noqa: F401 - before anything that imports the service
from provisioner.contract.request import ProvisioningRequest
from tests.fakes import a_request
from tests.simulation.explorer import ALONE, Exercise, Exploration, explore
from tests.simulation.weather import INGREDIENTS, in_weather

SEATS = {"fields": [{"name": "Seats", "type": "number"}]}
MODES = ("adopt", "update", "fail")
IN_TURN = frozenset({*ALONE, "MemoryLedger.read", "MemoryLedger.find", "MemoryLedger.lease", "GET custom_object_type/"})
"""Further calls that stand alone where requests are so far apart that their runs do not meet."""
WEATHERS = 6
"""Mixtures of further ingredients for each scenario, a sixth of the orders each."""
MOST_ORDERS = 20_000
"""Of one scenario in ``make faults``: the small ones are explored whole, of the others as many as this."""


def scenarios() -> Iterator[Exercise]:
    bare = [a_request(number) for number in ("1", "2", "3")]
    yield Exercise("one request, a kill and a loss", [a_request("1", spec=SEATS)], kills=1, losses=1)
    yield Exercise("two requests", bare[:2])
    yield Exercise("two requests, a kill", bare[:2], kills=1)
    yield Exercise("two requests, a loss", bare[:2], losses=1)
    yield Exercise("three requests", bare)
    yield Exercise("three requests, a loss", bare, losses=1)
    seats = [a_request(number, spec=SEATS) for number in ("1", "2", "3")]
    yield Exercise("a crowd, a kill", seats, kills=1)
    yield Exercise("a crowd, a loss", seats, losses=1)
    updates = [a_request(number, spec=SEATS, if_exists="update") for number in ("1", "2", "2", "3")]
    yield Exercise(
        "one request twice in a crowd, their field deleted",
        updates[1:],
        acts=["delete the field"],
        before=updates[:1],
        alone=frozenset({"GET me/"}),
    )
    same = [a_request("1", spec=SEATS)] * 2
    yield Exercise("one request twice, a kill and a loss", same, 1, 1, alone=frozenset({"GET me/"}))
    moved = frozenset(ALONE - {"MemoryLedger.tenant", "MemoryLedger.begin"})
    yield Exercise("one request twice, the tenant moved", bare[:1] * 2, acts=["move the tenant"], alone=moved)
    tenants = [a_request("1", spec=SEATS), a_request("2", spec=SEATS, tenant="initech")]
    yield Exercise("two tenants of one organization, a kill and a loss", tenants, 1, 1, alone=frozenset({"GET me/"}))
    shared = {"fields": [{"name": "Seats", "type": "number", "shared": True}]}
    one_shared = [a_request("1", spec=shared)]
    yield Exercise("a shared field, a loss, renamed", one_shared, losses=1, acts=["rename the shared field"])
    yield Exercise("a shared field, a kill, renamed", one_shared, kills=1, acts=["rename the shared field"])
    for one, other in itertools.combinations_with_replacement(MODES, 2):
        pair = [a_request("1", spec=SEATS, if_exists=one), a_request("2", spec=SEATS, if_exists=other)]
        yield Exercise(f"{one} and {other}", pair)
        yield Exercise(f"{one} and {other}, a kill and a loss", pair, kills=1, losses=1)
        yield Exercise(f"{one} and {other}, two kills", pair, kills=2)
        yield Exercise(f"{one} and {other}, two losses", pair, losses=2)
        yield Exercise(f"{one} and {other}, a loss, the type renamed", pair, losses=1, acts=["rename the type"])
        yield Exercise(f"{one} and {other}, a kill, the field renamed", pair, kills=1, acts=["rename the field"])
    told = [
        a_request(each, spec={"fields": [{**SEATS["fields"][0], "description": each}]}, if_exists="update")
        for each in "012"
    ]
    yield Exercise("a field that was updated, renamed", told[1:], before=told[:1], acts=["rename the field"])
    yield from described_otherwise()
    yield from _look_alikes()
    yield from _several_types()
    yield from _one_after_the_other()
    names = [("2", "Customer"), ("3", "Account")]
    updates = [a_request(number, name, spec=SEATS, if_exists="update") for number, name in names]
    yield Exercise(
        "two names, the type renamed from one to the other",
        updates,
        acts=["rename the type to a requested name"],
        before=[a_request("1")],
    )


def described_otherwise() -> Iterator[Exercise]:
    """Requests that describe one resource in other words: soon it is not as its creator sent it."""
    described = [_described("1", "One", "adopt"), _described("2", "Two"), _described("3", "Three", "adopt")]
    undated: dict[str, Any] = {"alone": IN_TURN, "dates_changes": False}
    for what, of_field in (("field", False), ("shared field", True)):
        requests = [_with_described_field(each, is_shared=of_field) for each in ("1", "2", "3")]
        yield Exercise(f"one {what} described otherwise, two kills", requests[:2], kills=2, **undated)
        yield Exercise(
            f"one {what} described otherwise, observed, a kill and a loss", requests, kills=1, losses=1, alone=IN_TURN
        )
    yield Exercise("one type described otherwise, two kills", described[:2], kills=2, **undated)
    yield Exercise("one type described otherwise, observed, two kills", described, kills=2, **undated)
    yield Exercise(
        "one type described otherwise, observed, a kill and a loss", described, kills=1, losses=1, alone=IN_TURN
    )
    by_person = ["describe the type"]
    yield Exercise("one type, a kill, described by a person", described[:1], kills=1, acts=by_person)
    seen = "one type, a loss, observed, described by a person"
    yield Exercise(seen, described[::2], losses=1, acts=by_person, **undated)


def _look_alikes() -> Iterator[Exercise]:
    """Requests for resources that are the same but for their names."""
    plural = {"name_plural": "Records"}
    types = [a_request("1", "Account", spec=plural), a_request("2", "Customer", spec=plural)]
    places = {"fields": [{"name": "Places", "type": "number"}]}
    fields = [a_request(number, spec=spec, if_exists="update") for number, spec in (("1", SEATS), ("2", places))]
    named = [("1", "Account", "Seats"), ("2", "Order", "Places")]
    shared = [
        a_request(number, of, spec={"fields": [{"name": name, "type": "number", "shared": True}]})
        for number, of, name in named
    ]
    for what, requests in (("types", types), ("fields", fields), ("shared fields", shared)):
        act = f"rename the {what.removesuffix('s')}"
        yield Exercise(f"two {what} alike, a kill and a loss", requests, kills=1, losses=1)
        yield Exercise(f"two {what} alike, a kill and a drop", requests, kills=1, drops=1)
        yield Exercise(f"two {what} alike, a kill, one renamed", requests, kills=1, acts=[act])
        renames = [f"{act} to a requested name"]
        yield Exercise(f"two {what} alike, a loss, one renamed to the other", requests, losses=1, acts=renames)
    both = {"fields": [*SEATS["fields"], *places["fields"]]}
    overlapping = [a_request("1", spec=both), a_request("2", spec=places, if_exists="update")]
    yield Exercise("two fields, one wanted twice, a kill and a loss", overlapping, kills=1, losses=1)


def _several_types() -> Iterator[Exercise]:
    """Requests for several types that share fields, refer to each other, or extend the choices of one field."""
    seats = {"name": "Seats", "type": "number", "shared": True}
    order, account = ({"name": name, "name_plural": f"{name}s", "fields": [seats]} for name in ("Order", "Account"))
    sharing = [_a_request_for("1", [account, order]), _a_request_for("2", [order, account])]
    yield Exercise("two types that share a field", sharing)
    yield Exercise("two types that share a field, a kill and a loss", sharing, kills=1, losses=1)
    one = [_a_request_for("1", [account, order], "update"), _a_request_for("2", [account], "update")]
    yield Exercise("two types that share a field and one of them, a kill and a loss", one, kills=1, losses=1)
    buyer = {"name": "Buyer", "type": "custom_object", "references": "Account"}
    referring = {"name": "Order", "name_plural": "Orders", "fields": [buyer]}
    bare = {"name": "Account", "name_plural": "Accounts"}
    references = [_a_request_for("1", [referring, bare]), _a_request_for("2", [bare]), _a_request_for("3", [referring])]
    yield Exercise("a reference to a type that only another request creates", references[1:])
    yield Exercise("a reference to a type that another request creates", references[:2])
    yield Exercise("a reference to a type that another request creates, a kill", references[:2], kills=1)
    yield Exercise("a reference to a type that another request creates, a loss", references[:2], losses=1)
    yield from extended_choices()


def extended_choices() -> Iterator[Exercise]:
    """Two requests that extend the choices of one field, and each put the fields in another order."""
    plans = [
        a_request(number, spec={"fields": _fields(choices, names)}, if_exists="update")
        for number, choices, names in (
            ("0", ["Basic"], ("Plan",)),
            ("1", ["Basic", "Team"], ("Seats", "Plan")),
            ("2", ["Basic", "Pro"], ("Plan", "Seats")),
        )
    ]
    extended = "choices that two requests extend, in two orders of fields"
    yield Exercise(extended, plans[1:], before=plans[:1])
    yield Exercise(f"{extended}, a kill and a loss", plans[1:], kills=1, losses=1, before=plans[:1])
    yield Exercise(f"{extended}, a late update", plans[1:], delays=1, before=plans[:1])


def _one_after_the_other() -> Iterator[Exercise]:
    """Requests that are sent at different times: what was observed or sent for one may be old when another is sent."""
    before = [_described("before", "One"), _described("0", "One", "adopt")]
    other, bare, *again = _described("1", "Two"), a_request("2"), *(_described(each, "One", "adopt") for each in "345")
    told: dict[str, Any] = {"before": before, "max_age": 600}
    for name, arrivals, further in (
        ("a kill", (0, 10), {"kills": 1}),
        ("a loss", (0, 10), {"losses": 1}),
        ("a kill, the type deleted", (0, 10), {"kills": 1, "acts": ["delete the type"]}),
        ("a kill, the type renamed", (0, 10), {"kills": 1, "acts": ["rename the type"]}),
    ):
        yield Exercise(
            f"observed, then described otherwise, {name}", [other, again[0]], arrivals=arrivals, **told, **further
        )
    certain = "observed, then described otherwise, a kill, then all is certain"
    yield Exercise(certain, [other, bare, again[0]], kills=1, arrivals=(0, 230, 240), alone=IN_TURN, **told)
    late = "observed, then described otherwise, a late update, then observed again"
    yield Exercise(late, [other, *again[:2]], delays=1, arrivals=(0, 65, 110), alone=IN_TURN, **told)
    for acts in (
        ["describe the type"],
        ["rename the type", "rename the type back"],
        ["delete the type", "create the type"],
    ):
        yield Exercise(f"observed, then {' and '.join(acts)}", again, arrivals=(0, 30, 95), before=before, acts=acts)
    yield from late_updates()


def late_updates() -> Iterator[Exercise]:
    """Two updates, the second of which has to have the last word if it is sent when the first is settled."""
    descriptions = [_described(*each) for each in (("0", "Zero"), ("1", "One"), ("2", "Two"))]
    orders = [
        a_request(number, spec={"fields": _fields(["Basic"], names)}, if_exists="update")
        for number, names in (("0", ("Plan", "Seats")), ("1", ("Seats", "Plan")), ("2", ("Plan", "Seats")))
    ]
    for what, requests in (("descriptions", descriptions), ("orders of fields", orders)):
        name, before = f"two {what}, a late update", requests[:1]
        yield Exercise(name, requests[1:], arrivals=(0, 65), before=before, delays=1, alone=IN_TURN)


def _described(request_id: str, text: str, if_exists: str = "update") -> ProvisioningRequest:
    return a_request(request_id, spec={"description": text}, if_exists=if_exists)


def _with_described_field(request_id: str, *, is_shared: bool) -> ProvisioningRequest:
    choices = ["Basic", f"By {request_id}"]
    described = {"name": "Plan", "type": "choices", "choices": choices, "shared": is_shared}
    return a_request(request_id, spec={"fields": [described]}, if_exists="update")


def _a_request_for(request_id: str, types: list[dict[str, Any]], if_exists: str = "adopt") -> ProvisioningRequest:
    content = {"tenant": "acme", "request_id": request_id, "custom_object_types": types, "if_exists": if_exists}
    return ProvisioningRequest.model_validate(content)


def _fields(choices: list[str], names: tuple[str, ...]) -> list[dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {"Plan": {"type": "choices", "choices": choices}, "Seats": {"type": "number"}}
    return [{"name": each, **kinds[each]} for each in names]


def in_all_weathers(seed: str, each: int = WEATHERS) -> Iterator[Exercise]:
    """Every scenario, in weathers that the seed chooses. ``each``: how many of them."""
    for scenario in scenarios():
        chance = random.Random(f"{seed} {scenario.name}")  # noqa: S311
        yield from (in_weather(scenario, chance) for _ in range(each))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.interleavings")
    parser.add_argument("--orders", type=int, default=MOST_ORDERS, help="of each scenario, at most")
    parser.add_argument("--seed", default="once", help="chooses the orders of a scenario that is not explored whole")
    parser.add_argument("--jobs", type=int, help="processes at once; without it, one for each processor")
    given = parser.parse_args()
    found = []
    plain, mixed = len([*scenarios()]), len([*in_all_weathers(given.seed)])
    tasks = [(number, given.orders, given.seed) for number in range(plain)]
    tasks += [(plain + number, max(given.orders // WEATHERS, 1), given.seed) for number in range(mixed)]
    with ProcessPoolExecutor(given.jobs) as pool:
        for each in pool.map(_explore, tasks):
            print(each, *each.violations, sep="\n  ", flush=True)
            found.append(each)
    fired = sum((each.fired for each in found), Counter())
    print("orders with each ingredient:", ", ".join(f"{each} {fired[each]}" for each in INGREDIENTS))
    orders, states = sum(each.plays for each in found), sum(each.states for each in found)
    broken = sum(bool(each.violations) for each in found)
    print(f"{len(found)} scenarios: {orders} orders, {states} states, {broken} broken (seed {given.seed})")
    remembered = sum((each.remembered for each in found), Counter[str]())
    print("settled from what another request observed:", *(f"{number} {where}" for where, number in remembered.items()))
    return 1 if broken or not all(fired[each] for each in INGREDIENTS) else 0


def _explore(given: tuple[int, int, str]) -> Exploration:
    number, orders, seed = given
    return explore([*scenarios(), *in_all_weathers(seed)][number], orders, seed)


if __name__ == "__main__":
    sys.exit(main())
