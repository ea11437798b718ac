"""Every state, result, problem and reason to wait has an explanation, and each says what to do."""

import pytest

from provisioner.contract.errors import ProblemType
from provisioner.contract.outcome import Result
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


@pytest.mark.parametrize("kind", ProblemType)
def test_every_problem_is_explained_with_its_detail(kind: ProblemType) -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem=kind.value[0])
    found = explain(failed, State.ANNOUNCED, "Close says no.")
    assert found.because == f"{PROBLEMS[kind][0]} Close says no."
    assert "{" not in found.next
    assert found.next


def test_the_explanation_names_the_command_and_the_party_that_acts() -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem="credential-rejected")
    found = explain(failed, State.ANNOUNCED)
    assert "An administrator of the Close organization" in found.next
    assert "close-provisioner tenants rotate acme" in found.next
    assert f"close-provisioner requests retry {'c' * 32}" in found.next


def test_a_retried_request_points_at_its_retry() -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem="plan-limit", retried_as="d" * 32)
    assert explain(failed, State.ANNOUNCED).next == f"It was retried: see {'d' * 32}."


def test_a_problem_of_another_version_shows_its_detail() -> None:
    failed = SETTLED._replace(result=Result.FAILED, problem="of-tomorrow")
    assert explain(failed, State.ANNOUNCED, "Read this.").because == "Read this."


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


def test_a_request_without_an_attempt_and_one_with_an_unknown_reason() -> None:
    assert "no attempt has ended yet" in explain(ASKED, State.WAITING).because
    strange = explain(ASKED._replace(pending_reason="something new", deferrals=1), State.WAITING)
    assert (strange.because, strange.next) == ("It waits, once so far: something new.", "Look at the worker's log.")
