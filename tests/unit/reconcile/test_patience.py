"""A request that meets a busy lease waits a moment for what its holder observes."""

import time

import pytest

from provisioner.contract.errors import RetryLater
from provisioner.contract.outcome import Outcome
from provisioner.reconcile.patience import PAUSES_SECONDS
from provisioner.reconcile.plan import resources_to_lock
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from tests.close import ID
from tests.fakes import MemoryWorld, a_request


@pytest.fixture
def world() -> MemoryWorld:
    world = MemoryWorld(observation_max_age=60)
    world.close.add("Account", name_plural="Accounts")
    world.ledger.bind(world.ledger.tenant("acme"), ID)
    world.provisioner = world.provisioner_of(60, PAUSES_SECONDS)
    return world


def pauses(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, then: object = None, at: int = 1) -> list[float]:
    """Let time pass in pauses, and let ``then`` happen in one of them. Return their lengths."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.clock.advance(seconds)
        if len(slept) == at and callable(then):
            then()

    monkeypatch.setattr(time, "sleep", sleep)
    return slept


def test_it_settles_from_the_observation_of_the_holder(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    [resource] = resources_to_lock(a_request(), ID)
    lease = world.ledger.lease(world.ledger.accept(a_request("1")), resource)

    def observe() -> None:
        world.ledger.release([lease])
        assert isinstance(world.reconcile(a_request("1")), Outcome)

    slept = pauses(world, monkeypatch, observe, at=2)
    told = world.reconcile(a_request("2"))

    assert isinstance(told, Outcome)
    assert (told.result, told.attempts, bool(told.observed_at), len(slept)) == ("unchanged", 1, True, 2)


def test_it_takes_the_lease_when_that_is_free_without_an_answer(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    [resource] = resources_to_lock(a_request(), ID)
    lease = world.ledger.lease(world.ledger.accept(a_request("1")), resource)
    slept = pauses(world, monkeypatch, lambda: world.ledger.release([lease]))

    told = world.reconcile(a_request("2"))

    assert isinstance(told, Outcome)
    assert (told.result, told.observed_at, len(slept)) == ("unchanged", None, 1)


def test_it_is_deferred_when_the_holder_takes_longer(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.lease_and_vanish(a_request("1"))
    slept = pauses(world, monkeypatch)
    taken: list[object] = []

    def busy(*given: object) -> None:
        taken.append(given)
        raise RetryLater("leased", 1)

    monkeypatch.setattr(world.ledger, "lease", busy)

    assert isinstance(world.reconcile(a_request("2")), Deferred)
    assert len(slept) == len(PAUSES_SECONDS)
    assert all(pause / 2 <= each <= pause * 1.5 for pause, each in zip(PAUSES_SECONDS, slept, strict=True))
    assert len(taken) == 2, "while it waits, it only reads"


def test_it_may_be_told_not_to_pause(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.lease_and_vanish(a_request("1"))
    slept = pauses(world, monkeypatch)
    record = world.ledger.accept(a_request("2"))

    result = world.provisioner.reconcile(Job(record, a_request("2"), world.organization(), may_pause=False))

    assert (isinstance(result, Deferred), slept) == (True, [])
