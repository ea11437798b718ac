"""The judge of histories: what counts as a claim to have created a type."""

import json
from collections.abc import Sequence
from typing import Any

from tests.simulation.history import History, StoredType
from tests.simulation.invariants import truthful

PRESENT = StoredType("acme", "cotype_1", "Firm")


def history(outcomes: Sequence[dict[str, Any]], touched: frozenset[str]) -> History:
    body = json.dumps({"custom_object_type": {"name": "Account", "name_plural": "Accounts"}})
    items = {str(n): {"outcome": {"S": json.dumps(each)}, "body": {"S": body}} for n, each in enumerate(outcomes)}
    nothing: dict[str, Any] = {"submitted": (), "received": (), "removed": (), "changed": (), "outputs": {}}
    return History(
        **nothing,
        tenants=["acme"],
        stored=[PRESENT],
        field_counts={},
        created=frozenset({("acme", "account")}),
        items=items,
        events={},
        secrets=frozenset(),
        touched=touched,
    )


def adopted(renamed: str | None) -> dict[str, Any]:
    of_type: dict[str, Any] = {
        "name": "Account",
        "id": PRESENT.id,
        "result": "adopted",
        "fields": [],
        "renamed": renamed,
    }
    return {"tenant": "acme", "request_id": "1", "result": "adopted", "types": [of_type]}


def test_no_outcome_has_to_claim_a_type_that_a_person_renamed() -> None:
    assert [*truthful(history([adopted("Firm")], frozenset({PRESENT.id})))] == []


def test_a_type_that_was_not_renamed_needs_its_creator() -> None:
    said, unclaimed = truthful(history([adopted("Firm")], frozenset()))

    assert "was renamed to 'Firm', and it was not" in said
    assert "no outcome claims to have created it" in unclaimed


def test_a_rename_that_no_outcome_reports_excuses_nothing() -> None:
    [unclaimed] = truthful(history([adopted(None)], frozenset({PRESENT.id})))

    assert "no outcome claims to have created it" in unclaimed


def updated(renamed: str | None) -> dict[str, Any]:
    """An outcome whose type has one of two fields."""
    outcome = adopted(renamed)
    fields = [{"name": "Signed", "id": "cf_1", "result": "recovered"}, {"name": "Amount", "result": "missing"}]
    outcome["types"][0] |= {"result": "updated", "fields": fields}
    return outcome | {"result": "updated"}


def test_a_type_that_a_person_renamed_under_way_may_lack_fields() -> None:
    assert [*truthful(history([updated("Firm")], frozenset({PRESENT.id})))] == []


def test_any_other_type_that_was_updated_has_every_field() -> None:
    said = [*truthful(history([updated(None)], frozenset({PRESENT.id})))]

    assert "1 succeeded without the field 'Amount'" in said
