"""A short chaos run; ``make faults`` makes three long ones."""

from tests.chaos.run import run

REQUESTS = 48


def test_every_promise_is_kept_while_everything_fails() -> None:
    result = run("short", REQUESTS, state="chaos-test")
    assert not result.broken
    assert not result.missed
