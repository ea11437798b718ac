"""A burst: requests that are all on the queue at the same moment, worked on by so many workers at most."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

from tests.bench.growth.neighbors import AWS_SECONDS, Neighbors
from tests.bench.growth.prices import PRICES
from tests.bench.growth.timeline import Task, Timeline, Turnstile
from tests.simulation import aws, patches
from tests.simulation.system_under_test import TABLE, CloseProvisioner

TIMEOUT_SECONDS = 60.0
MEMORY_GB = 1.0
BATCH = 10
POLL_SECONDS = 1.0
"""How long a worker without messages waits at most until it asks again. An empty answer of the queue is not counted."""
MOST_SECONDS = 6 * 3600.0
"""The time by which every request is settled (``WaitLimitSeconds``)."""


@dataclass(frozen=True, slots=True)
class Burst:
    """``requests``: as their senders write them. ``prepare``: adds tenants, and what their organizations hold.

    ``before``: requests that are settled before, and not counted.
    """

    requests: Sequence[dict[str, Any]]
    prepare: Callable[[Neighbors], None]
    concurrency: int = 5
    before: Sequence[dict[str, Any]] = ()


class Figures(NamedTuple):
    """The figures of one burst; all but ``seconds`` are for one request. ``seconds``: until the last outcome."""

    requests: int
    calls: float
    attempts: float
    read_units: float
    write_units: float
    messages: float
    seconds: float
    dollars_per_million: float
    results: dict[str, int]
    refused: int


def play(burst: Burst) -> Figures:
    """Play the burst until every outcome is published."""
    timeline = Timeline()
    neighbors = Neighbors(timeline)
    output = patches.Output()
    with patches.apply_patches(neighbors, output, "growth"), _pools_on(timeline):
        aws.empty_table(TABLE)
        burst.prepare(neighbors)
        if burst.before:
            _settle(burst.before, 1, neighbors)
            neighbors.forget()
        begin, logged = timeline.now, output.tell()
        _settle(burst.requests, burst.concurrency, neighbors)
        neighbors.counts["log_bytes"] = output.tell() - logged
    return _figures(burst, neighbors, begin)


def _settle(requests: Sequence[dict[str, Any]], concurrency: int, neighbors: Neighbors) -> None:
    """Put all requests on the queue, and let the workers go on until every outcome is published."""
    timeline = neighbors.timeline
    for each in requests:
        neighbors.queue.send(json.dumps(each), group=each["tenant"])
        neighbors.counts.update(messages=1, queue_calls=1)
    for _ in range(concurrency):
        timeline.start(partial(_work, neighbors, len(requests), timeline.now + MOST_SECONDS))
    timeline.run()


@contextmanager
def _pools_on(timeline: Timeline) -> Iterator[None]:
    def submit(_pool: ThreadPoolExecutor, work: Callable[..., Any], /, *given: Any, **named: Any) -> Task:
        return Task(timeline, partial(work, *given, **named))

    with patch.object(ThreadPoolExecutor, "submit", submit):
        yield


def _work(neighbors: Neighbors, requests: int, until: float) -> None:
    """Work as one concurrent execution of the function, with the poller that calls it."""
    timeline, queue, counts = neighbors.timeline, neighbors.queue, neighbors.counts
    environment: Any = CloseProvisioner().start()
    environment._service.tenants.cache._locks = tuple(Turnstile(timeline) for _ in range(64))
    while len(neighbors.published_at) < requests and timeline.now < until:
        messages = queue.receive(BATCH)
        if not messages:
            timeline.wait(min(POLL_SECONDS, max((queue.next_visible() or until) - timeline.now, AWS_SECONDS)))
            continue
        timeline.wait(AWS_SECONDS)
        started = timeline.now
        left = partial(_time_left, timeline, started + TIMEOUT_SECONDS)
        answer = environment.worker([each.record() for each in messages], left)
        again = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        done = {each.id for each in messages} - again
        queue.messages = [each for each in queue.messages if each.id not in done]
        counts.update(invocations=1, queue_calls=2, receives=len(messages))
        counts["gb_milliseconds"] += round((timeline.now - started) * MEMORY_GB * 1000)


def _time_left(timeline: Timeline, deadline: float) -> float:
    return deadline - timeline.now


def _figures(burst: Burst, neighbors: Neighbors, begin: float) -> Figures:
    number, counts = len(burst.requests), dict(neighbors.counts)
    if len(neighbors.published_at) < number:
        raise RuntimeError(f"{number - len(neighbors.published_at)} of {number} requests have no outcome")
    billed = {**counts, "gb_seconds": counts["gb_milliseconds"] / 1000}
    dollars = sum(price.of(billed.get(name, 0)) for name, price in PRICES.items())
    return Figures(
        number,
        counts.get("calls at Close", 0) / number,
        neighbors.attempts / number,
        counts.get("read_units", 0) / number,
        counts["write_units"] / number,
        counts["messages"] / number,
        max(neighbors.published_at.values()) - begin,
        dollars / number * 1e6,
        dict(neighbors.results),
        counts.get("refused by the limit", 0),
    )
