"""Curves with logarithmic axes, as SVG."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 84, 180, 56, 56
COLORS = ("#1f6feb", "#1a8f5f", "#b8561a", "#8247b8", "#5b6470", "#a3195b")
FONT = "font-family='system-ui, sans-serif'"

type Point = tuple[float, float]


class Curve(NamedTuple):
    """A named line through points, in the order of their x."""

    name: str
    points: Sequence[Point]


class Axis(NamedTuple):
    """A logarithmic axis from one power of ten to another, which is drawn between two places."""

    first: int
    last: int
    begin: float
    end: float

    @classmethod
    def of(cls, values: Sequence[float], begin: float, end: float) -> "Axis":
        first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(first, max(last, first + 1), begin, end)

    def place(self, value: float) -> float:
        return self.begin + (self.end - self.begin) * (math.log10(value) - self.first) / (self.last - self.first)

    @property
    def powers(self) -> list[float]:
        return [10.0**each for each in range(self.first, self.last + 1)]


def draw(title: str, x_name: str, y_name: str, curves: Sequence[Curve]) -> str:
    """Return the picture. Every value is above 0."""
    points = [point for curve in curves for point in curve.points]
    x = Axis.of([each for each, _ in points], LEFT, WIDTH - RIGHT)
    y = Axis.of([each for _, each in points], HEIGHT - BOTTOM, TOP)
    parts = [*_frame(title, x_name, y_name, x, y), *_curves(curves, x, y)]
    size = f"viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'"
    head = f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img' aria-label='{escape(title, quote=True)}'>"
    return "\n".join([head, f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#ffffff'/>", *parts, "</svg>", ""])


def _frame(title: str, x_name: str, y_name: str, x: Axis, y: Axis) -> Iterator[str]:
    yield _text(LEFT, 28, title, "font-size='16' font-weight='600' fill='#1c2128'")
    for value in x.powers:
        yield _line(x.place(value), TOP, x.place(value), HEIGHT - BOTTOM)
        yield _text(x.place(value), HEIGHT - BOTTOM + 20, _number(value), "font-size='12' text-anchor='middle'")
    for value in y.powers:
        yield _line(LEFT, y.place(value), WIDTH - RIGHT, y.place(value))
        yield _text(LEFT - 8, y.place(value) + 4, _number(value), "font-size='12' text-anchor='end'")
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield _text(middle, HEIGHT - 12, x_name, "font-size='13' text-anchor='middle'")
    upright = f"font-size='13' text-anchor='middle' transform='rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2:.0f})'"
    yield _text(18, (TOP + HEIGHT - BOTTOM) / 2, y_name, upright)


def _curves(curves: Sequence[Curve], x: Axis, y: Axis) -> Iterator[str]:
    taken: list[float] = []
    for color, curve in zip(COLORS, curves, strict=False):
        places = [(x.place(a), y.place(b)) for a, b in curve.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        yield f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='2.5'/>"
        yield from (f"<circle cx='{a:.1f}' cy='{b:.1f}' r='3.5' fill='{color}'/>" for a, b in places)
        beside = places[-1][1] + 4
        while any(abs(beside - each) < 16 for each in taken):
            beside += 16
        taken.append(beside)
        yield _text(WIDTH - RIGHT + 12, beside, curve.name, f"font-size='13' fill='{color}'")


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='#d5d9de'/>"


def _text(x: float, y: float, text: str, style: str) -> str:
    fill = "" if "fill=" in style else " fill='#454c55'"
    return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} {style}{fill}>{escape(text)}</text>"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
