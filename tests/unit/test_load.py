"""The load: its requests, and the report that finds what was refused, lost, failed or doubled."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from infra.local.outcomes import Announcement
from tests.load.callers import SentRequest
from tests.load.report import Load, cells, lines, percentile, table, text
from tests.load.workload import CROWD, ENTRY_POINTS, Planned, plan


def sent(request_id: str, *, error: str | None = None, entry_point: str = "queue", at: float = 0) -> SentRequest:
    return SentRequest(Planned(entry_point, "acme", request_id, {}), at, at + 0.5, error)


def announced(request_id: str, result: str = "created", event_id: str = "", at: float = 2, **data: Any) -> Announcement:
    document = {"tenant": "acme", "request_id": request_id, "result": result, "attempts": 1, **data}
    return Announcement({"id": event_id or f"e-{request_id}", "data": document}, {}, "", at)


def load(
    of: Sequence[SentRequest] = (), outcomes: Sequence[Announcement] = (), types: Sequence[str] = ("Account", "Deal")
) -> Load:
    return Load(of, outcomes, {"orga_acme": types}, {"GET": 3, "POST": 1})


def test_half_of_the_requests_are_for_one_type_and_every_entry_point_has_as_many() -> None:
    planned = plan(1000, "seed")

    assert Counter(each.tenant == CROWD for each in planned) == {True: 500, False: 500}
    assert Counter(each.entry_point for each in planned) == dict.fromkeys(ENTRY_POINTS, 200)
    assert Counter(each.entry_point for each in planned if each.tenant == CROWD) == dict.fromkeys(ENTRY_POINTS, 100)
    assert len({each.key for each in planned}) == 1000
    assert 10 < sum(each.times == 2 for each in planned) < 100
    bodies = [each.content for each in planned if each.tenant == CROWD and each.entry_point != "webhook"]
    assert {(each["blueprint"], each["values"]["product"]) for each in bodies} == {("account", "our product")}


def test_a_good_load_has_one_outcome_for_each_request() -> None:
    good = load([sent("1"), sent("2")], [announced("1"), announced("2", "unchanged"), announced("2", "unchanged")])

    assert good.is_good
    assert "published again under the same id: 1" in [*lines(good)]
    assert "\nresults: 1 created, 1 unchanged\n" in text(good), "the report, as documents get it"


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (load([sent("1", error="503: busy")], []), "refused: 1: 1 over queue: 503: busy"),
        (load([sent("1"), sent("2")], [announced("1")]), "lost: 1: ('acme', '2')"),
        (load([sent("1")], [announced("1", "failed", problem={"detail": "why"})]), "failed: 1: acme/1: why"),
        (load([sent("1")], [announced("1"), announced("1", event_id="other")]), "doubled: 1: acme/1: 2 event ids"),
        (load([sent("1")], [announced("1")], ["Deal", "Deal"]), "doubled: 1: orga_acme: Deal × 2"),  # noqa: RUF001
    ],
)
def test_what_went_wrong_is_named(bad: Load, found: str) -> None:
    assert not bad.is_good
    assert found in [*lines(bad)]


def test_the_table_has_a_row_for_each_entry_point() -> None:
    of = [sent("1", at=10), sent("2", entry_point="bus", at=12)]
    outcomes = [announced("1", at=14), announced("2", at=13, attempts=3)]
    console = Console(width=110, record=True, quiet=True)
    console.print(table(load(of, outcomes)))

    assert cells("all", of, load(of, outcomes)) == [
        "all",
        "2",
        "0.5",
        *("0.50 s", "0.50 s"),
        "1.0 s",
        "4.0 s",
        "2.00",
        "3",
    ]
    assert cells("http", [], load(of, outcomes))[:2] == ["http", "0"]
    assert table(load(of, outcomes)).row_count == len(ENTRY_POINTS) + 1


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([*range(100, 0, -1)], share) == value
