"""The history that the service writes, by the writes that happen anyway; it never holds a secret or a body."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.ledger import history, items
from tests.fakes import a_request
from tests.integration.service.stack import CALLER, Stack

FAULTS = ["hang_up_before", "create_then_hang_up", "html_error", "429", "401", "garbage_json", "403"]


def item_of(stack: Stack, request_key: str) -> dict[str, Any]:
    return stack.service.ledger.get(items.request_item_key(request_key))


def test_the_outcome_comes_with_its_attempt(stack: Stack) -> None:
    request = a_request()
    stack.post(request)

    item = item_of(stack, request.id)
    [attempt] = map(history.parse, items.texts_of(item, "history"))
    assert (attempt.number, attempt.ended, attempt.invocation.entry_point) == (1, "settled", "http")
    assert [(method, path, status) for method, path, status, _, _ in attempt.calls] == [
        ("GET", "me/", 200),
        ("GET", "custom_object_type/", 200),
        ("POST", "custom_object_type/", 201),
    ]
    assert json.loads(item["asked"]["S"]) == ["http", CALLER, "Account"]


def test_each_deferral_is_kept_with_its_reason(stack: Stack) -> None:
    stack.arm("create_then_hang_up")
    request = a_request()
    outcome, runs = stack.settle(request)

    attempts = [history.parse(each) for each in items.texts_of(item_of(stack, request.id), "history")]
    assert [each.number for each in attempts] == list(range(1, runs + 1))
    assert [each.ended for each in attempts] == ["deferred"] * (runs - 1) + ["settled"]
    assert (outcome.result, outcome.entry_point) == ("recovered", "queue")
    method, _, status, _, error = attempts[0].calls[-1]
    assert (method, status, error) == ("POST", None, "ReadError")
    assert all(each.reason and each.seconds for each in attempts[:-1])


def test_an_attempt_that_was_killed_is_counted_by_the_next_one(stack: Stack) -> None:
    request = a_request()
    stack.service.ledger.accept(request)
    stack.work(request.to_json(), receive_count=3)

    [attempt] = [history.parse(each) for each in items.texts_of(item_of(stack, request.id), "history")]
    assert (attempt.ended, attempt.invocation.interrupted) == ("settled", 2)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(FAULTS), max_size=4),
    st.text("qxzjk", min_size=12, max_size=20),  # no word of a reason
    st.booleans(),
)
def test_silent_no_history_holds_a_key_or_a_body(stack: Stack, faults: list[str], marker: str, over_http: bool) -> None:
    """Only paths, statuses and reasons are kept, also when Close fails."""
    for fault in faults:
        stack.arm(fault)
    request = a_request(f"r-{marker}", f"T {marker}", spec={"description": f"secret {marker}"})
    if over_http:
        stack.post(request)
    else:
        stack.work(request.to_json())

    item = item_of(stack, request.id)
    kept = "\n".join(items.texts_of(item, "history"))
    assert kept
    assert marker not in kept.replace(f"'T {marker}'", "")
    for name in ("api_", "Authorization", "Basic ", "Bearer "):
        assert name not in kept
