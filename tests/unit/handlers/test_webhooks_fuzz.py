"""A few hundred made-up deliveries to the webhooks handler; ``make faults`` tries many thousands (tests/fuzz.py)."""

from tests.fuzz import fuzz


def test_no_delivery_crashes_the_handler_or_passes_unverified() -> None:
    tally = fuzz(600)
    assert sum(tally.tried.values()) >= 600
    assert all(count > 0 for count in tally.tried.values())
    assert set(tally.tried) == {"out of nothing", "changed body", "changed header", "signed, any body"}
    assert {200, 202, 401, 404, 413, 422} <= set(tally.answers)
