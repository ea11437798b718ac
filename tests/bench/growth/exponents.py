"""The exponent of growth: how a figure follows a size, as the slope of a line through both logarithms."""

import math
from collections.abc import Sequence


def exponent(sizes: Sequence[float], figures: Sequence[float]) -> float:
    """Return the slope of the line of least squares: 0: constant, 1: in proportion, 2: as the square.

    A figure that is 0 at any size has no logarithm; then all must be 0, and the slope is.
    """
    if not any(figures):
        return 0.0
    x, y = ([math.log(each) for each in values] for values in (sizes, figures))
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((each - middle_x) ** 2 for each in x)
    return sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / spread
