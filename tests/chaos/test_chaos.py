"""A short chaos run; ``make faults`` makes three long ones."""

import pytest

from tests.chaos.run import run

REQUESTS = 48


@pytest.mark.timeout(900)  # a minute, on a machine that has nothing else to do
def test_every_promise_is_kept_while_everything_fails() -> None:
    result = run("short", REQUESTS, state="chaos-test")
    assert not result.broken
    assert not result.missed
