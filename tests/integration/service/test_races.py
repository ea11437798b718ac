"""Once: for any number of simultaneous requests, over HTTP and the queue."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import DynamoDBBackend

from provisioner.contract.request import ProvisioningRequest
from tests.fakes import a_request
from tests.integration.service.locked_moto import client, make_table
from tests.integration.service.stack import Stack

RACERS = 6


@pytest.fixture(autouse=True)
def restless() -> Iterator[None]:
    """Threads take turns two hundred times as often as usual: what can come between two steps does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 200)
    yield
    sys.setswitchinterval(before)


def all_at_once[T](*tasks: Callable[[], T]) -> list[T]:
    start = threading.Barrier(len(tasks), timeout=10)

    def run(task: Callable[[], T]) -> T:
        start.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def through(stack: Stack, request: ProvisioningRequest, entry_point: str) -> Callable[[], Any]:
    service = stack.new_service()
    if entry_point == "http":
        return lambda: stack.post(request, service)
    return lambda: stack.work(request.to_json(), service=service)


def deliver_until_idle(stack: Stack) -> Counter[tuple[str, str]]:
    """Deliver waiting messages until none is left. Return how often each (request id, result) was announced."""
    for _ in range(30):
        waiting = stack.waiting()
        if not waiting:
            return Counter(stack.results())
        stack.clock.advance(max(each.delay for each in waiting) + 0.01)
        assert stack.work(*(each.body for each in waiting)) == []
    raise AssertionError("messages keep arriving")


def results(announced: Counter[tuple[str, str]]) -> list[str]:
    """Return one result for each request. A repeated announcement must have the same result."""
    assert len({request_id for request_id, _ in announced}) == len(announced)
    return sorted(result for _, result in announced)


def test_the_lock_lets_one_of_many_conditional_writes_win(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The premise of every test below. Other threads get their chance within each write, and must not enter it."""
    make_table("races")
    put_item, inside, met = DynamoDBBackend.put_item, list[int](), set[int]()

    def unhurried(*arguments: Any, **further: Any) -> Any:
        inside.append(threading.get_ident())
        try:
            time.sleep(0.0002)
            met.add(len(inside))
            return put_item(*arguments, **further)
        finally:
            inside.remove(threading.get_ident())

    def wins(race: int) -> bool:
        item = {"pk": {"S": f"race {race}"}}
        with suppress(ClientError):
            client("dynamodb").put_item(TableName="races", Item=item, ConditionExpression="attribute_not_exists(pk)")
            return True
        return False

    monkeypatch.setattr(DynamoDBBackend, "put_item", unhurried)
    for race in range(40):
        assert sorted(all_at_once(*[partial(wins, race)] * 4)) == [False, False, False, True]
    assert met == {1}


@pytest.mark.parametrize("entry_points", [["http"] * RACERS, ["queue"] * RACERS, ["http", "queue"] * (RACERS // 2)])
def test_many_requests_create_one_type(stack: Stack, entry_points: Sequence[str]) -> None:
    names = ["Account", "ACCOUNT", " account"]
    requests = [a_request(f"{number}", names[number % 3]) for number in range(RACERS)]

    all_at_once(
        *(through(stack, request, entry_point) for request, entry_point in zip(requests, entry_points, strict=True))
    )
    announced = deliver_until_idle(stack)

    assert stack.creates() == 1
    assert len(stack.types()) == 1
    assert len(announced) == RACERS
    assert results(announced).count("created") == 1
    assert set(results(announced)) <= {"created", "unchanged", "adopted"}


@pytest.mark.parametrize("entry_points", [["http"] * 4, ["queue"] * 4, ["http", "queue"] * 2])
def test_one_request_sent_many_times_creates_one_type(stack: Stack, entry_points: Sequence[str]) -> None:
    all_at_once(*(through(stack, a_request(), entry_point) for entry_point in entry_points))
    announced = deliver_until_idle(stack)

    assert (stack.creates(), stack.types()) == (1, ["Account"])
    assert results(announced) == ["created"]


@pytest.mark.parametrize("fault", ["create_then_hang_up", "create_then_502", "500_before", "429"])
def test_many_requests_with_a_lost_response_create_one_type(stack: Stack, fault: str) -> None:
    stack.arm(fault)
    requests = [a_request(f"{number}") for number in range(RACERS)]

    all_at_once(*(through(stack, each, ["http", "queue"][number % 2]) for number, each in enumerate(requests)))
    announced = deliver_until_idle(stack)

    assert stack.types() == ["Account"]
    assert len(announced) == RACERS
    counts = Counter(results(announced))
    assert counts["created"] + counts["recovered"] <= 1
    assert counts["unchanged"] >= RACERS - 1
    assert counts["failed"] + counts["unresolved"] == 0


def test_one_of_two_contents_wins_a_request_id(stack: Stack) -> None:
    one, other = a_request("1", "Account"), a_request("1", "Deal")

    answers = all_at_once(through(stack, one, "http"), through(stack, other, "http"))

    assert sorted(each["status"] for each in answers) == [201, 422]
    assert len(stack.types()) == 1


def test_apart_many_tenants_are_served_at_once(stack: Stack) -> None:
    tenants = [f"tenant-{number}" for number in range(RACERS)]
    for tenant in tenants:
        stack.add_tenant(tenant)

    stack.work(*(a_request("1", tenant, tenant=tenant).to_json() for tenant in tenants))

    assert [stack.types(tenant) for tenant in tenants] == [[tenant] for tenant in tenants]
