"""The history of a request: what an attempt's entry holds, and its bounds."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.ledger import expressions, history
from provisioner.ledger.history import Attempt, Ending, Invocation, Run
from provisioner.ledger.models import RequestRecord, RequestState

INVOCATION = Invocation("http", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "1-5759e988-bd862e3fe1be46a994272793")
CALLS: list[history.CloseCall] = [
    ("GET", "custom_object_type/?_skip=100", 200, 84, None),
    ("POST", "custom_object_type/", None, 20_000, "ReadTimeout"),
]
RUN = Run(1_800_000_000.0011, 2, INVOCATION, CALLS)
RECORD = RequestRecord("0" * 32, "acme", "r", RequestState.ACCEPTED, 1.0, "{}")
TIMES = expressions.DeferralTimes(1_800_000_021.0, 1_800_000_041.0, 1_800_000_461.0)
text = st.text(st.characters(codec="utf-8"))


def test_an_entry_holds_the_attempt_and_its_calls_without_their_queries() -> None:
    entry = history.ended(RUN, Ending(1_800_000_021.0, "deferred", "Close could not be reached", 19.98765))

    assert history.parse(entry) == Attempt(
        1_800_000_000.001, 20_999, 2, "deferred", "Close could not be reached", 19.988, INVOCATION,
        (("GET", "custom_object_type/", 200, 84, None), ("POST", "custom_object_type/", None, 20_000, "ReadTimeout")),
    )  # fmt: skip


def test_an_attempt_with_many_calls_shows_the_first_of_them() -> None:
    found = history.parse(history.ended(RUN._replace(calls=CALLS * 50), Ending(1.8e9, "settled")))
    assert (len(found.calls), found.omitted) == (history.MAX_CALLS, 60)


@given(
    st.builds(
        Run, st.floats(1e9, 2e9), st.integers(1, 999), st.builds(Invocation, text, text, text, st.integers(0, 9))
    ),
    text,
)
def test_any_reason_is_read_as_it_was_written(run: Run, reason: str) -> None:
    found = history.parse(history.ended(run._replace(calls=CALLS), Ending(run.started_at + 1, "deferred", reason, 1.0)))
    assert (found.reason, found.invocation) == (reason[: history.MAX_REASON], run.invocation)


@pytest.mark.parametrize("body_bytes", [2, 262_144])
def test_a_history_never_outgrows_its_item(body_bytes: int) -> None:
    """Close answers slowly for days: hundreds of attempts, each with as much as an entry takes."""
    entries: tuple[str, ...] = ()
    run = RUN._replace(calls=[("DELETE", "x" * 500, None, 99_999_999, "E" * 40)] * 100)
    body, ending = "b" * body_bytes, Ending(1.9e9, "deferred", "\U0001f600" * 999, 1e6)
    for _ in range(60):
        update, values = history.addition(run, entries, body, ending)
        entries = (*entries, *values[":attempt"]) if ":attempt" in values else tuple(values[":history"])
        assert update.startswith(", history = ")
        assert len(entries) <= history.MAX_ATTEMPTS
        size = sum(len(each.encode()) for each in entries)
        assert size <= history.MAX_BYTES
        assert body_bytes + size + history.OUTCOME_BYTES <= history.ITEM_BYTES


def test_the_newest_attempts_stay() -> None:
    entries: tuple[str, ...] = ()
    for number in range(1, 31):
        _, values = history.addition(RUN._replace(number=number), entries, "{}", Ending(1.9e9, "deferred", "r", 1))
        entries = (*entries, *values[":attempt"]) if ":attempt" in values else tuple(values[":history"])
    assert [history.parse(each).number for each in entries] == list(range(11, 31))


def test_an_entry_is_appended_by_the_write_that_ends_the_attempt() -> None:
    running = replace(RECORD, run=RUN)
    update = expressions.deferral_input("t", running, TIMES, "Close could not be reached")

    assert ", history = list_append(if_not_exists(history, :none), :attempt) ADD" in update["UpdateExpression"]
    [entry] = update["ExpressionAttributeValues"][":attempt"]["L"]
    found = history.parse(entry["S"])
    assert (found.ended, found.reason, found.seconds) == ("deferred", "Close could not be reached", 20.0)


def test_without_an_attempt_nothing_is_added() -> None:
    update: dict[str, Any] = expressions.deferral_input("t", RECORD, TIMES, "reason")
    assert "history" not in update["UpdateExpression"]
