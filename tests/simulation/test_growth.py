"""Growth, on a small range: what may become more without a request costing more."""

from collections.abc import Callable, Sequence
from functools import partial
from unittest.mock import patch

import pytest

from tests.bench.growth import series
from tests.bench.growth.burst import Burst, Figures, play
from tests.bench.growth.chart import Curve, draw
from tests.bench.growth.exponents import exponent
from tests.bench.growth.section import ceilings
from tests.bench.growth.series import Played, Series
from tests.simulation import system_under_test

RANGES: Sequence[tuple[str, Sequence[int], Callable[[int], Burst]]] = [
    ("one type, 5 workers", (20, 80), partial(series.crowd, concurrency=5)),
    ("N tenants, 5 workers", (4, 16), partial(series.tenants, concurrency=5)),
    ("types of 50 fields in the organization", (2, 40), series.organization),
    ("types of 200 fields in one request", (1, 4), partial(series.large, fields=30)),
]


def played(name: str, sizes: Sequence[int], burst: Callable[[int], Burst]) -> Played:
    return Played(Series(name, "size", sizes, burst), [play(burst(each)) for each in sizes])


@pytest.mark.parametrize(("name", "sizes", "burst"), RANGES, ids=[name for name, _, _ in RANGES])
def test_a_request_costs_no_more_than_its_size_explains(
    name: str, sizes: Sequence[int], burst: Callable[[int], Burst]
) -> None:
    found = ceilings([played(name, sizes, burst)])

    assert len(found) >= 4
    assert [f"{each.name}: {each.value:.2f} of {each.limit}" for each in found if not each.holds] == []


def test_a_crowd_looks_once() -> None:
    figures = play(series.crowd(60, 5))

    assert figures.results == {"created": 1, "unchanged": 59}
    assert (figures.attempts, figures.messages) == (1, 1)
    assert figures.calls * 60 <= 10


def test_a_crowd_that_remembers_nothing_is_found_to_grow() -> None:
    forgetful = system_under_test.settings().model_copy(update={"observation_max_age_seconds": 0})
    with patch.object(system_under_test, "settings", lambda: forgetful):
        found = ceilings([played(RANGES[0][0], (4, 16), RANGES[0][2])])

    assert "one type, 5 workers, exponent of calls" in [each.name for each in found if not each.holds]


def test_a_burst_is_repeated_exactly() -> None:
    def once() -> Figures:
        return play(series.tenants(4, 2))

    assert once() == once()


@pytest.mark.parametrize(
    ("figures", "expected"),
    [((7, 7, 7), 0), ((1, 10, 100), 1), ((1, 100, 10_000), 2), ((0, 0, 0), 0), ((9, 3, 1), -0.477)],
)
def test_the_exponent_is_the_slope_between_logarithms(figures: Sequence[float], expected: float) -> None:
    assert exponent((10, 100, 1000), figures) == pytest.approx(expected, abs=0.001)


def test_curves_are_drawn_where_their_points_are() -> None:
    picture = draw("A & B", "x", "y", [Curve("one", [(1, 1), (100, 10)]), Curve("two", [(1, 10), (100, 10)])])

    assert "<polyline points='84.0,344.0 540.0,56.0'" in picture
    assert "<polyline points='84.0,56.0 540.0,56.0'" in picture
    assert "A &amp; B" in picture
