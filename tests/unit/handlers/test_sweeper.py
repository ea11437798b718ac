"""The sweeper, with a ledger that lists the overdue requests."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from provisioner.contract.errors import Unavailable
from provisioner.handlers.sweeper import MARGIN_SECONDS, PAGE, Sweeper
from provisioner.ledger.models import RequestRecord
from tests.fakes import MemoryLedger, a_request
from tests.handlers import HandlerWorld


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> HandlerWorld:
    world = HandlerWorld()
    expected: list[RequestRecord] = []
    monkeypatch.setattr(MemoryLedger, "overdue", lambda ledger, limit: list(ledger.requests), raising=False)
    monkeypatch.setattr(MemoryLedger, "postpone", lambda ledger, record: expected.append(record), raising=False)
    return world


def sweep(world: HandlerWorld, time_left: float = 60) -> dict[str, int]:
    return Sweeper(world.service).sweep(lambda: time_left)


def test_settled_an_overdue_request_is_requeued(world: HandlerWorld) -> None:
    request = a_request("1", spec={"description": "d"})
    world.ledger.accept(request)

    assert sweep(world) == {"Unsettled": 1, "Unannounced": 0, "RequeueFailed": 0, "Backlog": 0}
    assert world.queue.waiting == [(json.loads(request.to_json()), "acme", 0)]


def test_announced_an_unpublished_outcome_is_requeued(world: HandlerWorld) -> None:
    world.topic.fails = RuntimeError("SNS is down")
    with pytest.raises(RuntimeError):
        world.reconcile(a_request("1"))

    assert sweep(world)["Unannounced"] == 1


def test_a_finished_request_is_left_alone(world: HandlerWorld) -> None:
    """The index lags behind the table."""
    world.settle(a_request("1"))

    assert sweep(world) == {"Unsettled": 0, "Unannounced": 0, "RequeueFailed": 0, "Backlog": 0}
    assert world.queue.waiting == []


def test_an_expired_request_is_left_alone(world: HandlerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryLedger, "overdue", lambda *_: ["0" * 32])

    assert sum(sweep(world).values()) == 0


def test_a_request_that_cannot_be_requeued_stops_no_other(world: HandlerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        world.ledger.accept(a_request(f"{number}"))
    find = world.ledger.find
    failing = a_request("1").id

    def breaks_on_one(key: str) -> Any:
        if key == failing:
            raise Unavailable("boom")
        return find(key)

    monkeypatch.setattr(world.ledger, "find", breaks_on_one)

    assert sweep(world) == {"Unsettled": 2, "Unannounced": 0, "RequeueFailed": 1, "Backlog": 0}
    assert [body["request_id"] for body, _, _ in world.queue.waiting] == ["0", "2"]


def test_the_sweeper_stops_in_time(world: HandlerWorld) -> None:
    world.ledger.accept(a_request())

    assert sweep(world, MARGIN_SECONDS) == {"Unsettled": 0, "Unannounced": 0, "RequeueFailed": 0, "Backlog": 1}
    assert world.queue.waiting == []


def test_hole_10_a_sweep_takes_more_than_one_page_while_there_is_time(world: HandlerWorld) -> None:
    count = PAGE + 7
    for number in range(count):
        world.ledger.accept(a_request(f"{number}"))

    assert sweep(world) == {"Unsettled": count, "Unannounced": 0, "RequeueFailed": 0, "Backlog": 0}


def test_hole_10_a_sweep_that_ends_early_counts_what_it_leaves(world: HandlerWorld) -> None:
    for number in range(10):
        world.ledger.accept(a_request(f"{number}"))
    left = iter([60.0] * 3 + [MARGIN_SECONDS] * 8)

    counts = Sweeper(world.service).sweep(lambda: next(left))

    assert (counts["Unsettled"], counts["Backlog"]) == (3, 7)


def test_a_page_that_cannot_be_listed_keeps_what_came_before(
    world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ledger.accept(a_request("1"))

    def breaks_off(ledger: MemoryLedger, _page: int) -> Iterator[str]:
        yield from list(ledger.requests)
        raise Unavailable("boom")

    monkeypatch.setattr(MemoryLedger, "overdue", breaks_off)

    assert sweep(world) == {"Unsettled": 1, "Unannounced": 0, "RequeueFailed": 1, "Backlog": 0}


def test_its_metrics_include_zeros(world: HandlerWorld, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(world)

    [document] = [each for each in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in each]
    assert (document["Unsettled"], document["Unannounced"], document["Backlog"]) == ([0.0], [0.0], [0.0])
