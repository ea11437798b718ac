"""Every state, result, problem and reason to wait has an explanation, and each says what to do."""

from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, make_problem
from provisioner.contract.outcome import Blocked, Difference, FieldOutcome, Outcome, Result, TypeOutcome
from provisioner.ledger.request_lists import ListedRequest
from provisioner.operate.explain import PROBLEMS, explain
from provisioner.operate.pending_reasons import PENDING_REASONS, find
from provisioner.operate.request_filter import State
from tests.architecture.test_runbook_docs import reasons

ASKED = ListedRequest("c" * 32, "acme", "r-1", 1_800_000_000.0, "Account")
SETTLED = ASKED._replace(settled_at=1_800_000_001.0)


@pytest.mark.parametrize("state", [State.SETTLED, State.ANNOUNCED])
@pytest.mark.parametrize("result", [each for each in Result if each not in {"failed", "unresolved"}])
def test_every_success_is_explained(result: Result, state: State) -> None:
    found = explain(SETTLED._replace(result=result), state)
    assert found.because.endswith(".")
    assert ("Nothing to do" in found.next) is (result is not Result.ADOPTED)
    assert ("not published yet" in found.next) is (state is State.SETTLED)


def outcome(result: Result, *types: TypeOutcome, **further: Any) -> Outcome:
    return Outcome(tenant="acme", request_id="r-1", result=result, types=types, settled_at="now", **further)


BLOCKED = Blocked(field="fields/Size/type", desired="number", observed="text", reason="its values would be lost")
DIFFERENT = Difference(field="name_plural", desired="Deals", observed="Dealz")
MISSING = FieldOutcome(name="Owner", result="missing")
LEFT = "Cannot change fields/Size/type from 'text' to 'number': its values would be lost."


@pytest.mark.parametrize(
    ("parts", "told", "to_do"),
    [
        ({"blocked": [BLOCKED]}, LEFT, "cannot be changed without a loss"),
        ({"differences": [DIFFERENT], "fields": [MISSING]}, "Different in Close: name_plural, fields/Owner.", "update"),
        ({"renamed": "Orders", "differences": [DIFFERENT]}, "Renamed in Close: 'Deal' to 'Orders'.", "present name"),
    ],
)
@pytest.mark.parametrize("result", [each for each in Result if each not in {"failed", "unresolved"}])
def test_a_success_names_the_parts_that_are_not_as_desired(
    result: Result, parts: dict[str, Any], told: str, to_do: str
) -> None:
    found = explain(
        SETTLED._replace(result=result),
        State.ANNOUNCED,
        outcome(result, TypeOutcome(name="Deal", result=result, **parts)),
    )
    assert told in found.because
    assert to_do in found.next
    assert "Nothing to do" not in found.next


def test_several_types_are_named_with_their_results() -> None:
    types = [TypeOutcome(name=name, result=Result.CREATED) for name in ("Deal", "Order")]
    types += [TypeOutcome(name="Owner", result=Result.UNCHANGED)]
    found = explain(SETTLED._replace(result=Result.CREATED), State.ANNOUNCED, outcome(Result.CREATED, *types))
    assert found == ("Created: 'Deal', 'Order'. There already: 'Owner'.", "Nothing to do.")


@pytest.mark.parametrize("kind", ProblemType)
def test_every_problem_is_explained_by_its_detail(kind: ProblemType) -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem=kind.value[0])
    problem = make_problem(kind, "Close says no.")
    found = explain(failed, State.ANNOUNCED, outcome(Result.FAILED, problem=problem))
    assert found.because == "Close says no."
    assert explain(failed, State.ANNOUNCED).because == PROBLEMS[kind][0]
    assert "{" not in found.next
    assert found.next


def test_the_explanation_names_the_command_and_the_party_that_acts() -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem="credential-rejected")
    found = explain(failed, State.ANNOUNCED)
    assert "An administrator of the Close organization" in found.next
    assert "close-provisioner tenants rotate acme" in found.next
    assert f"close-provisioner requests retry {'c' * 32}" in found.next


@pytest.mark.parametrize(("result", "is_left"), [("created", False), (None, False), ("failed", True)])
def test_a_retried_request_names_its_retry_and_what_is_to_be_done_until_one_succeeds(
    result: Result | None, is_left: bool
) -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem="plan-limit", retried_as="d" * 32)
    retry = ASKED._replace(id="d" * 32, request_id="r-1.retry-1", result=result)
    found = explain(failed, State.ANNOUNCED, retry=retry)
    assert found.next.startswith(f"It was retried as r-1.retry-1: {result or 'waiting'}.")
    assert ("raises its plan" in found.next) is is_left


def test_a_problem_of_another_version_shows_its_detail() -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem="of-tomorrow")
    problem = make_problem(ProblemType.BLOCKED, "Read this.")
    assert explain(failed, State.ANNOUNCED, outcome(Result.FAILED, problem=problem)).because == "Read this."


def test_every_reason_to_wait_is_explained() -> None:
    """The reasons are those of the code, with a value in each gap."""
    suffixes = {each.suffix for each in PENDING_REASONS}
    found = {text: find(text.replace("…", "503 for 'a (b)'")) for text in reasons() if text not in suffixes}
    assert len(found) > 20
    assert [text for text, known in found.items() if known is None or text not in known.texts] == []


def test_a_reason_may_end_in_its_suffix() -> None:
    lost = "the write was sent, but its response was lost (ReadTimeout); waiting until Close's list is sure to show it"
    known = find(lost)
    assert known
    assert known.texts[0].startswith("the write was sent")
    assert find("Close returned 503") is next(each for each in PENDING_REASONS if "Close returned …" in each.texts)


@pytest.mark.parametrize("deferrals", [1, 7])
def test_a_waiting_request_says_for_what_and_how_often(deferrals: int) -> None:
    waiting = ASKED._replace(deferrals=deferrals, pending_reason="Close's rate limit is exhausted")
    found = explain(waiting, State.WAITING)
    assert found.because == (
        f"It waits, {'once' if deferrals == 1 else '7 times'} so far: Close's rate limit is exhausted. "
        "That means: the tenant's rate limit."
    )
    assert found.next.startswith("Nothing: it continues when Close allows.")
    signup = ASKED._replace(
        deferrals=1, pending_reason="Tenant 'acme' has no credential. Ask the operator of this service to store one."
    )
    shown = explain(signup, State.WAITING)
    assert "close-provisioner tenants add acme" in shown.next
    assert "`" not in f"{shown}", "marks for code are the runbook's"


def test_a_request_without_an_attempt_and_one_with_an_unknown_reason() -> None:
    assert "no attempt has ended yet" in explain(ASKED, State.WAITING).because
    strange = explain(ASKED._replace(pending_reason="something new", deferrals=1), State.WAITING)
    assert (strange.because, strange.next) == ("It waits, once so far: something new.", "Look at the worker's log.")
