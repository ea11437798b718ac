"""(f) Growth: what a request costs while requests, tenants, types and fields become more. Tables, and curves as SVG."""

from collections.abc import Sequence
from pathlib import Path

from tests.bench.growth import prices
from tests.bench.growth.chart import Curve, draw
from tests.bench.growth.neighbors import AWS_SECONDS, CLOSE_LIMIT, CLOSE_SECONDS
from tests.bench.growth.series import Played, play_all
from tests.bench.section import Ceiling, Section, table

PICTURES = Path(__file__).resolve().parents[3] / "docs" / "explanation"
SHOWN = {
    "requests": "requests",
    "calls at Close": "calls",
    "attempts": "attempts",
    "read units": "read_units",
    "write units": "write_units",
    "messages": "messages",
    "seconds": "seconds",
    "$ a million": "dollars_per_million",
}
LIMITS: dict[str, dict[str, float]] = {
    "one type": {"calls": -0.4, "attempts": 0.02, "read_units": 0.1, "write_units": 0.02, "messages": 0.02},
    "N tenants": {"calls": 0.02, "attempts": 0.02, "read_units": 0.02, "write_units": 0.02, "messages": 0.02},
    "types of 50": {"calls": 0.02, "attempts": 0.02, "read_units": 0.02, "write_units": 0.02, "seconds": 0.02},
    "types of 200": {"calls": 1.05, "attempts": 1.3, "seconds": 1.3, "write_units": 2.0},
}
"""The largest exponents, by the beginning of a series' name."""

NOTES = (
    "All requests are on the queue at the same moment. The service's code runs unchanged in simulated time, with real "
    f"clients of boto3 and httpx; Close takes {CLOSE_SECONDS * 1000:.0f} ms for each call and allows an organization "
    f"{CLOSE_LIMIT['requests']} calls in {CLOSE_LIMIT['window_seconds']} s for each group of endpoints, AWS takes "
    f"{AWS_SECONDS * 1000:.0f} ms, and computing takes no time. *Workers* are Lambda's concurrent executions, all of "
    "them there from the beginning, each with batches of ten. Figures are for one request, except *seconds*: the "
    "simulated time until the last outcome is published. *Attempts* are those of the outcomes, *messages* those sent "
    "to the queue. The tenant of *one type* is known to the service, the type is new; in the other series, "
    "tenants are new as well. Each worker that meets a tenant which no request has used before asks Close once which "
    "organization its key opens: more than 160 of them at the same moment meet the limit, and wait for it.",
    "In *types of 50 fields in the organization*, one request creates a type and one finds a type that is there. In "
    "*types of 200 fields in one request*, a request of 25 types creates 5,000 fields, one after the other: an "
    "execution creates some 220 of them and hands on to the next one, which first waits until Close's lists show what "
    "was created (list lag: 50 s here). Each attempt takes the leases of all types of the request and writes their "
    "records, which grow with what was created: so its write units grow as the square of the number of types. One type "
    "alone fits into one execution, and waits for nothing: the range begins with two.",
    f"Prices: list prices of {prices.REGION} as known on {prices.AS_OF}, without free tier. Not counted: API Gateway, "
    "empty receives of an idle queue, alarms and traces.",
)


def measure() -> Section:
    """Play everything, and draw the curves."""
    played = play_all()
    for name, picture in pictures(played).items():
        (PICTURES / name).write_text(picture, encoding="utf-8")
    rows = [["growth", *SHOWN]]
    for each in played:
        for size, figures in zip(each.series.sizes, each.figures, strict=True):
            numbers = [_shown(getattr(figures, figure)) for figure in SHOWN.values()]
            rows.append([f"{each.series.name}: {size:,} {each.series.size}", *numbers])
    return Section("Growth", rows, NOTES, ceilings(played), [_exponents(played), table(prices.rows())])


def ceilings(played: Sequence[Played]) -> list[Ceiling]:
    """Return the exponents of growth with their limits."""
    return [
        Ceiling(f"{each.series.name}, exponent of {figure}", each.exponent(figure), limit)
        for each in played
        for begin, limits in LIMITS.items()
        if each.series.name.startswith(begin)
        for figure, limit in limits.items()
    ]


def _exponents(played: Sequence[Played]) -> str:
    rows = [["exponent of growth (0: constant, 1: in proportion)", *list(SHOWN)[1:]]]
    rows += [
        [each.series.name, *(f"{each.exponent(figure):.2f}" for figure in list(SHOWN.values())[1:])] for each in played
    ]
    return table(rows)


def pictures(played: Sequence[Played]) -> dict[str, str]:
    """Return the curves by the name of their file."""
    bursts = [each for each in played if each.series.size == "requests"]
    at_50 = [each for each in bursts if "50 workers" in each.series.name]
    return {
        "growth-seconds.svg": _picture("Seconds until the last outcome", "seconds", "seconds", bursts),
        "growth-calls.svg": _picture("Calls at Close for one request", "calls", "calls", bursts),
        "growth-dollars.svg": _picture("Dollars for a million requests", "dollars", "dollars_per_million", at_50),
    }


def _picture(title: str, y_name: str, figure: str, played: Sequence[Played]) -> str:
    curves = []
    for each in played:
        figures = [getattr(one, figure) for one in each.figures]
        curves.append(Curve(each.series.name, [*zip(each.series.sizes, figures, strict=True)]))
    return draw(title, "requests at the same moment", y_name, curves)


def _shown(number: float) -> str:
    if number == int(number):
        return f"{number:,.0f}"
    return f"{number:,.1f}" if number >= 10 else f"{number:.3g}"
