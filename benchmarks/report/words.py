"""Figures in words: each with its unit and, where it has one, its interval of 95 %."""

from ...models.metrics.scoring import Drop
from ...models.metrics.statistics import Estimate, Interval
from ...models.report.figures import NONE, count, ends, figure, number, shortened, value

__all__ = [
    "NONE",
    "count",
    "ends",
    "figure",
    "megabytes",
    "milliseconds",
    "number",
    "p_value",
    "points",
    "shortened",
    "speed",
    "times_as_fast",
    "value",
]


def milliseconds(value: float | None) -> str:
    """Return a time to a hundredth of a millisecond, or to a thousandth below one."""
    return number(value, ".3f" if value is not None and value < 1 else ".2f")


def points(drop: Drop) -> str:
    """Return an accuracy lost, in percentage points, with its interval."""
    return figure(Estimate(drop.points, drop.interval), sign="+", at_most=2)


def speed(ratio: Estimate | None) -> str:
    """Return how many times as fast as the reference, from the ratio of the times."""
    if ratio is None:
        return NONE
    faster = times_as_fast(ratio)
    return f"{value(faster, at_most=2)}× {ends(faster.interval, at_most=2)}"


def times_as_fast(ratio: Estimate) -> Estimate:
    """Return one over the ratio of the times."""
    return Estimate(1 / ratio.value, Interval(1 / ratio.interval.high, 1 / ratio.interval.low))


def megabytes(size: int | None) -> str:
    """Return a size in millions of bytes."""
    return NONE if size is None else f"{size / 1e6:.2f}"


def p_value(p: float) -> str:
    """Return a p-value."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"
