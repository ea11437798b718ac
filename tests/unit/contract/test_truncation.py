"""An outcome is truncated to the available room, and names its omitted parts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.contract.errors import ErrorDetail, Problem, ProblemType, make_problem
from provisioner.contract.outcome import Blocked, Difference, FieldOutcome, Outcome, Result, TypeOutcome, message_key
from provisioner.contract.request import request_key
from provisioner.contract.spec import MAX_FIELDS, MAX_TYPES
from provisioner.contract.truncation import MAX_EVENT_BYTES, MAX_STORED_BYTES, for_event, for_ledger
from provisioner.messaging.topic import cloud_event

KEY = request_key("acme", "1")


def an_outcome(*types: TypeOutcome, **further: Any) -> Outcome:
    settled_at = "2027-01-15T08:00:00+00:00"
    plain = {"tenant": "acme", "request_id": "1", "result": Result.UPDATED, "settled_at": settled_at, "types": types}
    return Outcome.model_validate({**plain, **further})


def a_type(number: int = 0, size: int = 10, **further: Any) -> TypeOutcome:
    """With so many fields, steps and differences."""
    names = [f"Field {each} of {number}" for each in range(size)]
    document = {"id": f"cotype_{number}", "name": f"Type {number}"}
    parts: dict[str, Any] = {
        "custom_object_type": {**document, "description": "d" * size * 10},
        "fields": tuple(FieldOutcome(name=name, id=f"cf_{name}", result=Result.CREATED) for name in names),
        "steps": tuple(f"created field {name}" for name in names),
        "differences": tuple(Difference(field=f"fields/{name}/type", desired="text", observed="n") for name in names),
        "blocked": tuple(
            Blocked(field=f"fields/{name}", desired=1, observed=2, reason="it cannot be") for name in names
        ),
    }
    return TypeOutcome(**{**document, "result": Result.UPDATED, **parts, **further})


def size(outcome: Outcome) -> int:
    return len(json.dumps(outcome.as_json()))


def test_an_outcome_that_fits_is_unchanged() -> None:
    small = an_outcome(a_type())

    assert for_ledger(small) == for_event(small, KEY) == small
    assert small.note is None


def test_the_types_as_close_returned_them_are_omitted_first() -> None:
    large = an_outcome(a_type(custom_object_type={"id": "cotype_0", "description": "d" * MAX_EVENT_BYTES}))

    cut = for_event(large, KEY)

    assert cut.types == (large.types[0].model_copy(update={"custom_object_type": None}),)
    assert cut.note == (
        f"Truncated to fit, without the types as Close returned them. GET /v1/provisioning-requests/{KEY} shows them."
    )
    assert for_ledger(large) == large  # there is more room in the ledger


def test_then_each_type_is_reduced_to_name_id_and_result() -> None:
    large = an_outcome(*(a_type(number, 120) for number in range(2)))

    cut = for_event(large, KEY)

    assert cut.types == tuple(TypeOutcome(name=each.name, id=each.id, result=each.result) for each in large.types)
    assert cut.note == (
        "Truncated to fit, without the types as Close returned them and all of the types but names, ids and results. "
        f"GET /v1/provisioning-requests/{KEY} shows them."
    )


@pytest.mark.parametrize(
    ("cut_down", "limit"), [(for_ledger, MAX_STORED_BYTES), (lambda o: for_event(o, KEY), MAX_EVENT_BYTES)]
)
def test_the_largest_outcome_fits(cut_down: Any, limit: int) -> None:
    largest = an_outcome(*(a_type(number, MAX_FIELDS, name="x" * 200) for number in range(MAX_TYPES)))

    cut = cut_down(largest)

    assert size(cut) <= limit
    assert len(cut.types) == MAX_TYPES
    assert (cut.result, cut.types[7].id) == ("updated", "cotype_7")
    assert Outcome.from_json(cut.to_json()) == cut


def test_an_event_of_the_largest_outcome_stays_below_64_kb() -> None:
    largest = an_outcome(*(a_type(number, MAX_FIELDS, name="\u00fc" * 200) for number in range(MAX_TYPES)))

    event = cloud_event(KEY, "urn:close-provisioner:test", "provisioning.succeeded", for_event(largest, KEY))

    assert len(json.dumps(event)) < 64_000


def test_a_plan_is_omitted_with_the_types_as_close_returned_them() -> None:
    stale = make_problem(ProblemType.PLAN_STALE, "Close changed.")
    large = an_outcome(a_type(), result=Result.FAILED, problem=stale, plan={"digest": "d", "steps": ["s" * 70_000]})

    cut = for_event(large, KEY)

    assert (cut.plan, cut.problem) == (None, stale)
    assert cut.types == (large.types[0].model_copy(update={"custom_object_type": None}),)


def test_parts_omitted_before_are_still_named() -> None:
    """First for the ledger, then for the event."""
    largest = an_outcome(
        *(a_type(number, MAX_FIELDS, name="\U0001f600" * 200) for number in range(MAX_TYPES)),
        problem=make_problem(ProblemType.BLOCKED, "b" * 30_000),
    )

    note = for_event(for_ledger(largest), KEY).note

    assert note
    assert "They were not stored." in note
    assert note.endswith(f"{KEY} shows them.")


def test_names_are_shortened_where_even_they_do_not_fit() -> None:
    largest = an_outcome(
        *(a_type(number, 1, name="\U0001f600" * 200) for number in range(MAX_TYPES)),
        result=Result.UNRESOLVED,
        problem=make_problem(ProblemType.UNRESOLVED, "\U0001f600" * 1000),
    )

    cut = for_event(largest, KEY)

    assert size(cut) <= MAX_EVENT_BYTES
    assert cut.problem == largest.problem
    assert [each.id for each in cut.types] == [each.id for each in largest.types]
    assert {each.name for each in cut.types} == {"\U0001f600" * 60 + "\u2026"}
    assert cut.note
    assert "the ends of 25 names" in cut.note


def test_the_last_types_are_omitted_only_for_ids_of_absurd_length() -> None:
    large = an_outcome(*(a_type(number, 0, id="i" * 5_000) for number in range(MAX_TYPES)))

    cut = for_event(large, KEY)

    assert size(cut) <= MAX_EVENT_BYTES
    assert 5 < len(cut.types) < MAX_TYPES
    assert cut.note
    assert f"the last {MAX_TYPES - len(cut.types)} types" in cut.note


def rejected(character: str, errors: int = 50, detail: str = "Close returned 400.") -> Problem:
    """A rejection in which each error quotes a long choice."""
    texts = tuple(ErrorDetail(pointer=f"/choices/{number}", detail=character * 300) for number in range(errors))
    return make_problem(ProblemType.SPEC_REJECTED, detail, close_status=400, errors=texts)


@pytest.mark.parametrize("character", ["x", "\u00e9", "\u540d", "\U0001f600", "\x01", '"', "\\"])
@pytest.mark.parametrize("cut_down", [for_ledger, lambda each: for_event(for_ledger(each), KEY)])
def test_long_errors_of_close_never_displace_a_type(cut_down: Any, character: str) -> None:
    created, failed = a_type(0, 3, result=Result.CREATED), TypeOutcome(name="Second", result=Result.FAILED)
    large = an_outcome(created, failed, result=Result.FAILED, problem=rejected(character))

    cut = cut_down(large)

    assert cut.types == large.types
    assert cut.problem
    assert cut.problem.detail == "Close returned 400."
    assert cut.problem.errors == rejected(character).errors[: len(cut.problem.errors)]
    assert len(cut.problem.errors) >= 14


def test_the_note_counts_the_errors_that_were_omitted() -> None:
    cut = for_event(an_outcome(a_type(0, 3), problem=rejected("\U0001f600")), KEY)

    assert cut.problem
    omitted = 50 - len(cut.problem.errors)
    assert cut.note == (
        f"Truncated to fit, without {omitted} of 50 errors of the problem. "
        f"GET /v1/provisioning-requests/{KEY} shows them."
    )


def test_the_end_of_a_long_detail_is_omitted() -> None:
    large = an_outcome(a_type(0, 3), problem=make_problem(ProblemType.UNRESOLVED, "\U0001f600" * 9_000))

    cut = for_event(large, KEY)

    assert cut.types == large.types
    assert cut.problem
    assert cut.problem.detail.strip("\U0001f600") == "\u2026"
    assert MAX_EVENT_BYTES - 3_000 < size(cut) <= MAX_EVENT_BYTES  # the room is used
    assert cut.note
    assert cut.note.startswith("Truncated to fit, without the end of the problem's detail. ")


def test_errors_leave_three_quarters_of_the_room_to_types() -> None:
    fault = rejected("\U0001f600")
    large = an_outcome(*(a_type(number, 40) for number in range(3)), result=Result.FAILED, problem=fault)

    cut = for_event(large, KEY)

    assert cut.types == large.types
    assert cut.problem
    assert len(cut.problem.errors) >= 4


def test_errors_that_fit_stay() -> None:
    fault = rejected("x", errors=40)
    large = an_outcome(a_type(0, 3), result=Result.FAILED, problem=fault)

    assert for_ledger(large) == for_event(large, KEY) == large


def test_the_ledgers_room_is_counted_in_the_bytes_that_it_stores() -> None:
    """Its JSON is in UTF-8. An event's is in ASCII, where a character beyond it takes two or three times as many."""
    large = an_outcome(problem=make_problem(ProblemType.UNRESOLVED, "\U0001f600" * 29_000))

    assert for_ledger(large) == large
    assert len(for_ledger(large).to_json().encode()) > MAX_STORED_BYTES - 5_000


@pytest.mark.parametrize("event_id", [message_key("m1"), "f" * 32])
def test_an_event_that_is_not_of_a_request_refers_to_none(event_id: str) -> None:
    cut = for_event(an_outcome(problem=rejected("\U0001f600")), event_id)

    assert cut.note
    assert cut.note.endswith("They were not stored.")


def test_the_problem_is_not_cut_beside_large_types() -> None:
    fault = make_problem(ProblemType.SPEC_REJECTED, "Close returned 400.", close_status=400)
    large = an_outcome(*(a_type(number, 100) for number in range(9)), result=Result.FAILED, problem=fault)

    assert for_event(large, KEY).problem == fault


CHARACTERS = st.sampled_from(["x", "\u00e9", "\u540d", "\U0001f600", "\x01", '"', "\\", "\ud800"])
PROBLEMS = st.tuples(CHARACTERS, st.integers(0, 50), st.integers(0, 20_000))
"""A character, how many errors, and how long the detail is: an example that fails is shown by these."""
TYPES = st.tuples(CHARACTERS, st.integers(0, MAX_TYPES), st.integers(0, MAX_FIELDS), st.integers(1, 200))
"""A character of the names, how many types, how many fields each, and how long the names are."""


@given(PROBLEMS, TYPES, st.sampled_from([0, 20_000]))
def test_an_outcome_of_any_shape_fits_and_keeps_every_type(
    problem: tuple[str, int, int], types: tuple[str, int, int, int], plan: int
) -> None:
    (echoed, errors, detail), (character, number, fields, length) = problem, types
    whole = an_outcome(
        *(a_type(each, fields, name=character * length) for each in range(number)),
        result=Result.FAILED,
        problem=rejected(echoed, errors, echoed * detail),
        plan={"steps": ["\U0001f600" * plan]} if plan else None,
    )

    stored = for_ledger(whole)
    sent = for_event(stored, KEY)

    assert len(stored.to_json().encode("utf-8", "surrogatepass")) <= MAX_STORED_BYTES
    assert size(sent) <= MAX_EVENT_BYTES
    assert len(json.dumps(cloud_event(KEY, "urn:close-provisioner:test", "provisioning.failed", sent))) < 64_000
    for cut in (stored, sent):
        assert [(each.id, each.result) for each in cut.types] == [(each.id, each.result) for each in whole.types]
        assert (cut.note is None) == (cut == whole)
