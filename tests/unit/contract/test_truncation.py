"""An outcome is truncated to the available room, and names its omitted parts."""

import json
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, make_problem
from provisioner.contract.outcome import Blocked, Difference, FieldOutcome, Outcome, Result, TypeOutcome
from provisioner.contract.spec import MAX_FIELDS, MAX_TYPES
from provisioner.contract.truncation import MAX_EVENT_BYTES, MAX_KEPT_BYTES, MAX_NAMES, for_event, for_ledger
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
    return len(json.dumps(outcome.shown()))


def test_an_outcome_that_fits_is_unchanged() -> None:
    small = an_outcome(a_type())

    assert for_ledger(small) == for_event(small, KEY) == small
    assert small.note is None


def test_the_types_as_close_returned_them_go_first() -> None:
    large = an_outcome(a_type(custom_object_type={"id": "cotype_0", "description": "d" * MAX_EVENT_BYTES}))

    cut = for_event(large, KEY)

    assert cut.types == (large.types[0].model_copy(update={"custom_object_type": None}),)
    assert cut.note == (
        "Too large for here: the types as Close returned them. "
        f"What is left out is shown by GET /v1/provisioning-requests/{KEY}."
    )
    assert for_ledger(large) == large  # there is more room in the ledger


def test_lists_are_shortened_next_one_after_the_other() -> None:
    large = an_outcome(*(a_type(number, 120) for number in range(2)))

    cut = for_event(large, KEY)

    assert [(each.name, each.id, each.result) for each in cut.types] == [
        ("Type 0", "cotype_0", "updated"), ("Type 1", "cotype_1", "updated")
    ]  # fmt: skip
    assert [len(each.steps) for each in cut.types] == [MAX_NAMES, MAX_NAMES]
    assert cut.types[0].differences == large.types[0].differences
    assert cut.note
    assert "the types as Close returned them, steps" in cut.note


@pytest.mark.parametrize(
    ("cut_down", "limit"), [(for_ledger, MAX_KEPT_BYTES), (lambda o: for_event(o, KEY), MAX_EVENT_BYTES)]
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


def test_the_new_plan_goes_before_anything_else() -> None:
    stale = make_problem(ProblemType.PLAN_STALE, "Close is not what it was.")
    large = an_outcome(a_type(), result=Result.FAILED, problem=stale, plan={"digest": "d", "steps": ["s" * 70_000]})

    cut = for_event(large, KEY)

    assert (cut.plan, cut.types, cut.problem) == (None, large.types, stale)
    assert cut.note
    assert cut.note.startswith("Too large for here: the new plan. ")


def test_parts_omitted_before_are_still_named() -> None:
    """First for the ledger, then for the event."""
    largest = an_outcome(*(a_type(number, MAX_FIELDS) for number in range(MAX_TYPES)))

    note = for_event(for_ledger(largest), KEY).note

    assert note
    assert "could not be kept" in note
    assert note.endswith(KEY + ".")


def test_the_problem_is_never_cut() -> None:
    fault = make_problem(ProblemType.SPEC_REJECTED, "Close returned 400.", close_status=400)
    large = an_outcome(*(a_type(number, 100) for number in range(9)), result=Result.FAILED, problem=fault)

    assert for_event(large, KEY).problem == fault
