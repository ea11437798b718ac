"""An outcome is truncated to the available room, and names its omitted parts."""

import json
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, make_problem
from provisioner.contract.outcome import Blocked, Difference, FieldOutcome, Outcome, Result, TypeOutcome
from provisioner.contract.spec import MAX_FIELDS, MAX_TYPES
from provisioner.contract.truncation import MAX_EVENT_BYTES, MAX_STORED_BYTES, for_event, for_ledger
from provisioner.messaging.topic import cloud_event

KEY = "0123456789abcdef0123456789abcdef"


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
        "Truncated to fit, without the plan and the types as Close returned them. "
        f"GET /v1/provisioning-requests/{KEY} shows them."
    )
    assert for_ledger(large) == large  # there is more room in the ledger


def test_then_each_type_is_reduced_to_name_id_and_result() -> None:
    large = an_outcome(*(a_type(number, 120) for number in range(2)))

    cut = for_event(large, KEY)

    assert cut.types == tuple(TypeOutcome(name=each.name, id=each.id, result=each.result) for each in large.types)
    assert cut.note == (
        f"Truncated to fit, without all but names, ids and results. GET /v1/provisioning-requests/{KEY} shows them."
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


def test_an_event_of_the_longest_names_fits() -> None:
    """The last types are omitted when even their names do not fit."""
    largest = an_outcome(
        *(a_type(number, 1, name="\U0001f600" * 200) for number in range(MAX_TYPES)),
        result=Result.UNRESOLVED,
        problem=make_problem(ProblemType.UNRESOLVED, "\U0001f600" * 1000),
    )

    cut = for_event(largest, KEY)

    assert size(cut) <= MAX_EVENT_BYTES
    assert cut.problem == largest.problem
    assert 15 < len(cut.types) < MAX_TYPES


def test_the_problem_is_never_cut() -> None:
    fault = make_problem(ProblemType.SPEC_REJECTED, "Close returned 400.", close_status=400)
    large = an_outcome(*(a_type(number, 100) for number in range(9)), result=Result.FAILED, problem=fault)

    assert for_event(large, KEY).problem == fault
