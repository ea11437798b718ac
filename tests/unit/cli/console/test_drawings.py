"""The timeline and the chart are drawn to scale, and stay inside their frame for any history."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from close_provisioner.client.requests import Attempt
from close_provisioner.console import chart, timeline
from close_provisioner.console.timeline import WIDTH, span

START = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


def attempt(number: int, at: float, ms: float, **more: object) -> Attempt:
    started = (START + timedelta(seconds=at)).isoformat()
    return Attempt.read({"attempt": number, "started_at": started, "ms": ms, "ended": "deferred", **more})


def test_attempts_waits_and_calls_are_to_scale() -> None:
    lost = {"method": "POST", "path": "/custom_object_type/", "status": None, "ms": 500}
    attempts = [attempt(1, 0, 1000, calls=[lost], reason="lost", seconds=8), attempt(2, 9, 1000)]
    drawn = timeline.draw(attempts, START, START + timedelta(seconds=10))
    first, second = drawn.rows
    assert [(bar.kind, bar.x, bar.width) for bar in first.bars] == [
        ("attempt", 0, 100),
        ("wait", 100, 800),
        ("lost", 0, 50),
    ]
    assert [(bar.kind, bar.x, bar.width) for bar in second.bars] == [("attempt", 900, 100)]
    assert [tick.label for tick in drawn.ticks] == ["0 s", "2.5 s", "5.0 s", "7.5 s", "10.0 s"]


@given(
    st.lists(st.tuples(st.floats(-5, 4e5), st.floats(0, 1e6), st.none() | st.floats(0, 3e5)), max_size=8),
    st.floats(0, 3e5),
)
def test_every_bar_can_be_seen_inside_the_frame(rows: list[tuple[float, float, float | None]], until: float) -> None:
    attempts = [attempt(n, at, ms, seconds=wait) for n, (at, ms, wait) in enumerate(rows)]
    drawn = timeline.draw(attempts, START, START + timedelta(seconds=until))
    for bar in (bar for row in drawn.rows for bar in row.bars):
        assert 0 <= bar.x <= WIDTH
        assert bar.width >= timeline.SMALLEST
        assert bar.x + bar.width <= WIDTH + 0.01


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.004, "4 ms"), (2.1, "2.1 s"), (119, "119.0 s"), (120, "2 min"), (10_800, "3 h"), (259_200, "3 d")],
)
def test_a_length_of_time_reads_as_people_say_it(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_chart_counts_each_request_once_in_its_column() -> None:
    hour = timedelta(hours=1)
    results = {"created": 1, "failed": 1, "waiting": 1, "unresolved": 1, "adopted": 1}
    minutes = [chart.Minute(START + timedelta(minutes=30), results)]
    drawn = chart.draw([*minutes, chart.Minute(START - timedelta(minutes=1), {"created": 1})], START + hour, hour)
    assert [(bar.kind, bar.x, bar.title) for bar in drawn.bars] == [
        ("good", 601, "2 succeeded"),
        ("bad", 601, "2 failed or unresolved"),
        ("other", 601, "1 waiting"),
    ]
    assert sum(bar.height for bar in drawn.bars) == pytest.approx(chart.HEIGHT)
    assert drawn.title == "5 requests: 2 succeeded, 2 did not, 1 wait"


def test_an_hour_without_requests_is_an_empty_chart() -> None:
    assert chart.draw([], START, timedelta(hours=1)).bars == ()
