"""A short chaos run; ``make faults`` makes three long ones."""

import pytest

from tests.chaos.run import run
from tests.chaos.surroundings import KINDS

REQUESTS = 36


@pytest.mark.timeout(900)  # a minute, on a machine that has nothing else to do
def test_every_promise_is_kept_while_everything_fails() -> None:
    result = run("short", REQUESTS, state="chaos-test")
    assert not result.violations
    assert result.requests > REQUESTS  # signups come on top, by webhook
    # So short a run need not meet every floor of a long one. But it must have hit something, of every sort.
    assert sum(result.fired.close.values()) >= REQUESTS / 2
    assert sum(result.fired.aws.values()) >= REQUESTS / 8
    assert result.fired.kills
    assert set(result.fired.changes.elements()) == set(KINDS)
    assert result.fired.hostile
    assert result.results["created"] >= REQUESTS / 15
