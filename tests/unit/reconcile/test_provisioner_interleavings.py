"""Two runs at once of one request: every order of their calls with up to two switches.

first   ──►│           │──────────►│
second     │──────────►│           │──────────►
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.provisioner import Job, Provisioner
from tests.fakes import MemoryWorld, a_request

GONE = Rejected(ProblemType.TENANT_NOT_FOUND, "no such tenant")
REJECTED = Rejected(ProblemType.CREDENTIAL_REJECTED, "the key is dead", close_status=401)
FIELDS = [{"name": "Seats", "type": "number"}, {"name": "Region", "type": "text", "shared": True}]
NEVER = 1_000


@dataclass
class Watched:
    """A part of the service; ``before`` is called before each of its methods."""

    neighbor: Any
    before: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.neighbor, name)

        def call(*arguments: Any, **further: Any) -> Any:
            self.before()
            return found(*arguments, **further)

        return call if callable(found) else found


class Turns:
    """Two threads that run one at a time and switch before given calls."""

    def __init__(self, *tasks: Callable[[Callable[[], None]], None], change_before: tuple[int, int]) -> None:
        self.change_before, self.calls, self.done = change_before, [0, 0], [False, False]
        self.gates = Lock(), Lock()
        for gate in self.gates:
            gate.acquire()
        threads = [Thread(target=self._run, args=(who, task)) for who, task in enumerate(tasks)]
        for thread in threads:
            thread.start()
        self.gates[0].release()
        for thread in threads:
            thread.join(timeout=10)
        assert self.done == [True, True]

    def _run(self, who: int, task: Callable[[Callable[[], None]], None]) -> None:
        self.gates[who].acquire()
        task(lambda: self._before_call(who))
        self.done[who] = True
        self._hand_over(who)

    def _before_call(self, who: int) -> None:
        self.calls[who] += 1
        if self.calls[who] == self.change_before[who] and not self.done[1 - who]:
            self._hand_over(who)
            self.gates[who].acquire()

    def _hand_over(self, who: int) -> None:
        if not self.done[1 - who]:
            self.gates[1 - who].release()


def run(
    world: MemoryWorld, request: ProvisioningRequest, rejection: Rejected | None, before: Callable[[], None]
) -> None:
    """Accept and reconcile, as a handler does. ``rejection``: raised in place of the credential."""
    ledger, outcomes = Watched(world.ledger, before), Watched(world.topic, before)
    ours = world.provisioner
    provisioner = Provisioner(ledger, outcomes, ours.list_lag, ours.wait_limit, world.clock)
    with suppress(RetryLater):
        organization = Watched(world.organization(rejection), before)
        provisioner.reconcile(Job(ledger.accept(request), request, organization))


@dataclass(frozen=True)
class Asked:
    """A request, and the rejection that its run meets, if any."""

    request: ProvisioningRequest
    rejection: Rejected | None = None


def meet(one: Asked, other: Asked, at: tuple[int, int]) -> tuple[Turns, MemoryWorld]:
    """Interleave two runs, then settle their requests. Two runs of one request give up at once."""
    world = MemoryWorld(wait_limit=0 if one.request.id == other.request.id else 1_000)
    tasks = (lambda before, asked=asked: run(world, asked.request, asked.rejection, before) for asked in (one, other))
    turns = Turns(*tasks, change_before=at)
    for _ in range(5):
        world.clock.advance(200)
        for asked in (one, other):
            run(world, asked.request, asked.rejection, lambda: None)
    assert len(world.close.names) <= 1
    for operations in (world.close.fields, world.close.shared):
        assert len({each.natural_key for each in operations}) == len(operations)
    return turns, world


def every_order(one: Asked, other: Asked) -> Iterator[MemoryWorld]:
    for first in range(1, meet(one, other, (NEVER, NEVER))[0].calls[0] + 1):
        turns, world = meet(one, other, (first, NEVER))
        yield world
        for second in range(1, turns.calls[1] + 1):
            yield meet(one, other, (first, second))[1]


def outcomes(world: MemoryWorld) -> list[Outcome]:
    """Return one outcome for each request; a repeated event must be equal."""
    told = {(event_id, outcome.to_json()): outcome for event_id, outcome in world.topic.events}
    assert len({event_id for event_id, _ in told}) == len(told)
    return list(told.values())


@pytest.mark.parametrize("spec", [{}, {"fields": FIELDS}], ids=["bare", "fields"])
@pytest.mark.parametrize(
    "refusals",
    [(None, None), (None, GONE), (GONE, None), (None, REJECTED), (REJECTED, None)],
    ids=["both may", "second finds no tenant", "first finds no tenant", "second is rejected", "first is rejected"],
)
def test_the_outcome_of_a_request_is_true(
    spec: dict[str, Any], refusals: tuple[Rejected | None, Rejected | None]
) -> None:
    request, told = a_request(spec=spec), set[str]()
    for world in every_order(*(Asked(request, rejection) for rejection in refusals)):
        [outcome] = outcomes(world)
        told.add(outcome.result)
        if outcome.result == "failed":
            assert (world.close.names, world.close.fields, world.close.shared) == ([], [], [])
        if outcome.result == "created":
            assert world.close.names == ["Account"]
    assert "created" in told
    assert told <= {"created", "failed", "unresolved"}
