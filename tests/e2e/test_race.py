"""Forty-one requests for one type at the same time, over HTTP and the queue of the deployed stack."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx

from tests.e2e.world import PATIENCE, Tenant, World, eventually

SPELLINGS = ("Project", "project", " PROJECT ", "pRoJeCt", "  project")
REQUESTS = 41
OVER_HTTP = 10  # each keeps one function busy while it waits, also on a machine with few cores


def test_forty_one_requests_for_one_type_make_one(world: World, tenant: Tenant) -> None:
    requests = [tenant.asks(SPELLINGS[number % len(SPELLINGS)], name_plural="Projects") for number in range(REQUESTS)]
    over_http, over_the_queue = requests[:OVER_HTTP], requests[OVER_HTTP:]
    with ThreadPoolExecutor(OVER_HTTP) as pool:
        answers = [pool.submit(_insist, world, each) for each in over_http]
        for first in range(0, len(over_the_queue), 10):
            world.send(*over_the_queue[first : first + 10])
        assert {answer.result() for answer in answers} <= {200, 201, 202}
    outcomes = [_outcome(world, each) for each in requests]
    results = Counter(each["result"] for each in outcomes)
    assert len(outcomes) == REQUESTS
    assert results["created"] == 1
    assert results["unchanged"] + results["adopted"] == REQUESTS - 1
    assert len(world.close.types(tenant.organization)) == 1
    assert len({each["types"][0]["id"] for each in outcomes}) == 1
    assert world.creates_sent(tenant) == 1


def _insist(world: World, request: Mapping[str, Any]) -> int:
    """Return the status. Send the request again without a response or after a 5xx, as callers do."""

    def submit() -> int | None:
        with suppress(httpx.HTTPError):
            status = world.stack.http.submit(request).status_code
            return status if status < 500 else None
        return None

    return eventually(submit, 2 * PATIENCE)


def _outcome(world: World, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the outcome. Every announcement has the same id and content."""
    announced = world.feed.wait_for(
        lambda each: each.concerns == (request["tenant"], request["request_id"]), 2 * PATIENCE
    )
    assert len({each.event["id"] for each in announced}) == 1
    assert all(each.data == announced[0].data for each in announced)
    return announced[0].data
