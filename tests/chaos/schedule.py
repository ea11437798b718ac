"""The schedule of a chaos run, drawn from its seed alone: requests, their entry points, and faults."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from infra.simulator.faults.catalog import KINDS
from tests.chaos import hostile
from tests.chaos.hostile import HostileBody
from tests.chaos.microburst import AwsFault, faults
from tests.chaos.proxy import ProxyAction
from tests.chaos.surroundings import Change, make_changes
from tests.simulation.callers import body

TENANTS = 8
REQUESTS_PER_TYPE = 4
LEAST_TYPES = 25
SECOND_TENANT, ITS_OWNER = "chaos-second", "chaos-0"
"""A tenant whose key opens the organization of another one; half of the owner's requests are sent for it."""
REQUESTS_PER_HOSTILE_BODY = 8
REQUESTS_PER_ROUND_OF_CHANGES = 50
SENT_TWICE = 0.25
REQUESTS_PER_SIGNUP = 6
"""A signup comes by webhook, on top of the other requests: all of a tenant's are for one type."""
CLOSE_FAILS = 0.27
"""Share of the calls to Close that no order hits; together with the orders, some 30 % of all calls fail."""
AWS_FAILS = 0.015
"""Of the calls to each service, in each of five ways; outages, and what is sure to happen once, come on top."""
REQUESTS_PER_KILL = 12
CALLS_PER_REQUEST = 10
"""At least: a request makes eight calls when all goes well, and many more when nothing does."""
SECONDS_PER_REQUEST = 0.1
NEARBY = 12
"""How many sendings apart those of one type may lie: close enough to race."""
WITH_FIELDS = 0.3
FIELDS: Sequence[Mapping[str, Any]] = (
    {"name": "Amount", "type": "number"},
    {"name": "Signed", "type": "date"},
    {"name": "Owner", "type": "user", "required": True},
)
WORDS = ("Project", "Café order", "Straße", "Signed Contract", "Ünit", "Device", "İnvoice", "Ticket")
LATE: Mapping[str, Mapping[str, float]] = {
    "slow": {"seconds": 2.5},  # past the time that the service waits for Close
    "late_create": {"seconds": 0.7},  # shown by the list within the lag that the service is set to
    "list_lag": {"list_lag_seconds": 1.5},
    "429": {"reset": 1.0},
}
"""Faults that take time, in seconds."""
OF_A_CREATE = {kind for kind in KINDS if "create" in kind} | {"list_lag", "success_without_id", "garbage_json"}
KILLS = (ProxyAction.KILL_BEFORE, ProxyAction.KILL_AFTER, ProxyAction.KILL_SOON)


@dataclass(frozen=True, slots=True)
class ScheduledRequest:
    """One time that a request is sent. ``asynchronous``: its caller does not wait.

    ``entry_point``: http, sqs or webhook. By webhook the sender's event is sent that means this request.
    """

    entry_point: str
    request: Mapping[str, Any]
    asynchronous: bool = False


@dataclass(frozen=True, slots=True)
class ScheduledFault:
    """A fault that is sure to strike one call to Close by that method ("*": any), after so many others."""

    kind: str
    method: str
    skip: int

    def body(self) -> dict[str, Any]:
        """For the simulated Close."""
        return {
            "name": self.kind,
            "method": self.method,
            "skip": self.skip,
            "parameters": dict(LATE.get(self.kind, {})),
        }


@dataclass(frozen=True, slots=True)
class Schedule:
    """``there``: names of types that each tenant's organization has from the beginning. ``requests``: how many differ,
    ``signups`` apart.

    ``kills``: the action on the process that makes the n-th call to any dependency. ``shared_by``: tenants whose key
    opens the organization of another one.
    """

    seed: str
    requests: int
    existing_types: Mapping[str, Sequence[str]]
    scheduled_requests: Sequence[ScheduledRequest]
    signups: int
    orders: Sequence[ScheduledFault]
    aws: Sequence[AwsFault]
    kills: Mapping[int, ProxyAction]
    shared_by: Mapping[str, str]
    hostile: Sequence[HostileBody]
    changes: Sequence[Change]

    def turns(self) -> "list[ScheduledRequest | HostileBody | Change]":
        """Return the requests in their order, with hostile bodies and changes in between."""
        chosen = Random(f"turns {self.seed}")  # noqa: S311 - chance on order
        turns: list[ScheduledRequest | HostileBody | Change] = list(self.scheduled_requests)
        further: list[HostileBody | Change] = [*self.hostile, *self.changes]
        for each in further:
            turns.insert(int(chosen.uniform(0.1, 0.8) * len(turns)), each)
        return turns

    def chaos(self) -> dict[str, Any]:
        """For the simulated Close: any fault it knows, at any call."""
        parameters = {name: dict(values) for name, values in LATE.items()}
        further = {"method": "*", "path": "*", "parameters": parameters}
        return {"seed": self.seed, "probability": CLOSE_FAILS, "mix": list(KINDS), **further}


def make_schedule(seed: str, requests: int) -> Schedule:
    chosen = Random(f"plan {seed}")  # noqa: S311 - chance on order, not a secret
    tenants = [f"chaos-{number}" for number in range(TENANTS)]
    numbers = range(max(requests // REQUESTS_PER_TYPE, LEAST_TYPES))
    types = [(chosen.choice(tenants), f"{chosen.choice(WORDS)} {number}") for number in numbers]
    signups = [_signup(chosen, number, tenants) for number in range(requests // REQUESTS_PER_SIGNUP)]
    calls = chosen.sample(range(CALLS_PER_REQUEST * requests), requests // REQUESTS_PER_KILL)
    return Schedule(
        seed=seed,
        requests=requests,
        existing_types={
            each: [name for owner, name in types if owner == each and chosen.random() < 0.1] for each in tenants
        },
        scheduled_requests=_sendings(chosen, types, requests, signups),
        signups=len(signups),
        orders=[_order(chosen, kind, requests) for kind in KINDS],
        aws=faults(AWS_FAILS, lambda: chosen.uniform(0, SECONDS_PER_REQUEST * requests)),
        kills={call: KILLS[number % len(KILLS)] for number, call in enumerate(calls)},
        shared_by={SECOND_TENANT: ITS_OWNER},
        hostile=_hostile_bodies(chosen, requests),
        changes=make_changes(chosen, tenants, max(requests // REQUESTS_PER_ROUND_OF_CHANGES, 1)),
    )


def _hostile_bodies(chosen: Random, requests: int) -> list[HostileBody]:
    number = max(requests // REQUESTS_PER_HOSTILE_BODY, len(hostile.BODIES))
    kinds = [*hostile.BODIES] * (number // len(hostile.BODIES))
    return [HostileBody(chosen.choice(["http", "sqs"]), kind) for kind in kinds]


def _order(chosen: Random, kind: str, requests: int) -> ScheduledFault:
    if kind in OF_A_CREATE:
        return ScheduledFault(kind, "POST", chosen.randrange(requests // 8))
    return ScheduledFault(kind, "*", chosen.randrange(requests // 2))


def _sendings(
    chosen: Random, types: Sequence[tuple[str, str]], requests: int, signups: Sequence[ScheduledRequest]
) -> list[ScheduledRequest]:
    """In the order of sending: requests for one type near one another, repetitions soon after the first."""
    placed: list[tuple[float, int, ScheduledRequest]] = []
    moments = [chosen.uniform(0, requests) for _ in types]
    for number in range(requests):
        of_type = number % len(types)
        tenant, name = types[of_type]
        asking = SECOND_TENANT if tenant == ITS_OWNER and chosen.random() < 0.5 else tenant
        request = _request(chosen, number, asking, name)
        moment = moments[of_type] + chosen.uniform(0, NEARBY)
        placed.append((moment, number, _sending(chosen, request)))
        placed += [(moment + delay, number, _sending(chosen, request)) for delay in _repetition(chosen)]
    for number, signup in enumerate(signups, requests):
        moment = chosen.uniform(0, requests)
        placed += [(moment + delay, number, signup) for delay in (0, *_repetition(chosen))]
    return [scheduled for _, _, scheduled in sorted(placed, key=lambda each: each[:2])]


def _repetition(chosen: Random) -> list[float]:
    return [chosen.uniform(0, NEARBY)] if chosen.random() < SENT_TWICE else []


def _signup(chosen: Random, number: int, tenants: Sequence[str]) -> ScheduledRequest:
    return ScheduledRequest("webhook", body(f"evt_{number}", "Account", chosen.choice(tenants)))


def _sending(chosen: Random, request: Mapping[str, Any]) -> ScheduledRequest:
    return ScheduledRequest(chosen.choice(["http", "sqs"]), request, asynchronous=chosen.random() < 0.25)


def _request(chosen: Random, number: int, tenant: str, name: str) -> dict[str, Any]:
    further: dict[str, Any] = {}
    if chosen.random() < 0.2:
        further["description"] = f"As {number} has it"
    if chosen.random() < 0.1:
        further["if_exists"] = "fail"
    elif chosen.random() < WITH_FIELDS:
        further |= {"if_exists": "update", "fields": chosen.sample(FIELDS, 2)}
    return body(f"r-{number}", chosen.choice(SPELLINGS)(name), tenant, **further)


SPELLINGS: Sequence[Callable[[str], str]] = (
    str,
    str.upper,
    str.lower,
    lambda name: f"  {name} ",
    lambda name: name.replace(" ", "   "),
    lambda name: unicodedata.normalize("NFD", name),
)
