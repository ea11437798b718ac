"""A batch whose requests desire the same: one of them observes Close, and each has an outcome of its own."""

import time
from dataclasses import replace
from typing import Any

import pytest

from provisioner.contract.errors import Unavailable
from provisioner.handlers.worker import Worker
from tests.fakes import MemoryLedger, a_request
from tests.handlers import HandlerWorld
from tests.unit.handlers.test_worker import body, record, results, sent_by_us, work


@pytest.fixture
def world() -> HandlerWorld:
    world = HandlerWorld()
    world.service = replace(world.service, provisioner=world.provisioner_of(60))
    return world


def counted(monkeypatch: pytest.MonkeyPatch, *names: str) -> dict[str, int]:
    """Count the calls of these methods of the ledger."""
    calls = dict.fromkeys(names, 0)

    def counting(name: str) -> Any:
        original = getattr(MemoryLedger, name)

        def method(self: MemoryLedger, *given: Any, **further: Any) -> Any:
            calls[name] += 1
            return original(self, *given, **further)

        return method

    for name in names:
        monkeypatch.setattr(MemoryLedger, name, counting(name))
    return calls


def test_one_observation_settles_the_batch(world: HandlerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, "accept", "lease", "settle", "settle_unbegun", "tenant")
    assert work(world, *(record(body(f"{number}"), f"m{number}") for number in range(10))) == []

    assert results(world) == [("0", "created"), *((f"{number}", "unchanged") for number in range(1, 10))]
    assert [request.method for request in world.seen].count("GET") == 1
    assert [bool(outcome.observed_at) for _, outcome in world.topic.events] == [False] + [True] * 9
    assert all(each.outcome and each.state == "announced" for each, _ in world.ledger.requests.values())
    assert (calls["accept"], calls["lease"], calls["settle"], calls["settle_unbegun"]) == (10, 1, 1, 0)
    assert calls["tenant"] == 5, "four times for the first, and once for all others"


def test_the_outcomes_of_a_crowd_are_published_together(world: HandlerWorld) -> None:
    work(world, *(record(body(f"{number}"), f"m{number}") for number in range(10)))
    work(world, *(record(body(f"later-{number}"), f"n{number}") for number in range(5)))
    for number in range(3):
        world.ledger.accept(a_request(f"sent-{number}"))
    work(world, *(sent_by_us(body(f"sent-{number}"), f"s{number}", 0) for number in range(3)))

    assert world.topic.batches == [10, 5, 3]


def test_an_outcome_does_not_wait_for_the_calls_of_the_requests_after_it(world: HandlerWorld) -> None:
    names = ["One", "Two", "Two", "Three"]

    work(world, *(record(body(f"{number}", name), f"m{number}") for number, name in enumerate(names)))

    assert world.topic.batches == [1, 2, 1]


def test_copies_of_a_request_cost_no_more_than_their_acceptance(
    world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, "accept", "mark_published")

    work(world, *(record(body(), f"m{number}") for number in range(10)))

    assert (results(world), calls) == ([("1", "created")], {"accept": 10, "mark_published": 1})


def test_a_message_whose_outcome_is_refused_stays_on_the_queue(world: HandlerWorld) -> None:
    requests = [a_request(f"{number}") for number in range(4)]
    world.topic.refused = {requests[2].id: RuntimeError("refused")}
    texts = [record(body(f"{number}"), f"m{number}") for number in range(4)]

    assert work(world, *texts) == ["m2"]

    states = [world.ledger.requests[each.id][0].state for each in requests]
    assert states == ["announced", "announced", "settled", "announced"]
    assert world.queue.hidden == [("handle of m2", 1, 0)]

    world.topic.refused = {}
    assert work(world, record(body("2"), "m2", receive_count=2)) == []
    assert sorted(results(world)) == [("0", "created"), *((f"{number}", "unchanged") for number in range(1, 4))]
    assert world.ledger.requests[requests[2].id][0].state == "announced"


def test_one_bad_request_spoils_none_of_the_others(world: HandlerWorld) -> None:
    work(world, record(body("0"), "m0"))
    texts = [body("1"), body("0", "Deal"), "{", body("2"), body("1"), body("3", custom_object_type={"name": ""})]

    assert work(world, *(record(text, f"m{number}") for number, text in enumerate(texts, 1))) == []

    assert [each for each in results(world) if each[1] != "failed"] == [
        ("0", "created"),
        ("1", "unchanged"),
        ("2", "unchanged"),
    ]
    assert sorted(message_id for _, _, message_id in world.queue.dead) == ["m2", "m3", "m6"]


def test_a_message_that_may_have_killed_a_worker_does_not_hold_up_the_acceptance_of_others(
    world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[int] = []

    def dies(*_: Any) -> Any:
        accepted.append(len(world.ledger.requests))
        return []

    monkeypatch.setattr(Worker, "_work_for_tenant", dies)
    work(world, *(record(body(f"{number}"), f"m{number}", receive_count=2) for number in range(3)))
    work(world, *(record(body(f"first-{number}"), f"f{number}") for number in range(3)))

    assert accepted == [3, 4], "received for the first time, the queue keeps the others as well"


def test_a_request_that_the_api_accepted_is_found(world: HandlerWorld) -> None:
    world.ledger.accept(a_request("2"))
    work(world, record(body("1"), "m1"), record(body("2"), "m2"))

    assert results(world) == [("1", "created"), ("2", "unchanged")]


def test_the_crowd_pauses_once_for_a_lease(world: HandlerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.service = replace(world.service, provisioner=world.provisioner_of(60, pauses=(1, 1)))
    world.lease_and_vanish(a_request("0"))
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    work(world, *(record(body(f"{number}"), f"m{number}") for number in range(1, 6)))

    assert (len(slept), len(world.queue.waiting)) == (2, 5)


def test_a_tenant_without_a_readable_credential_is_no_crowd(world: HandlerWorld) -> None:
    world.tenants.fails = Unavailable("Secrets Manager is slow")

    work(world, record(body("1"), "m1"), record(body("2"), "m2"))

    assert (world.seen, len(world.queue.waiting)) == ([], 2)
