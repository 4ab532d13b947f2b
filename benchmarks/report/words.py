"""Figures in words: each with its unit and, where it has one, its interval of 95 %."""

from ...models.metrics.registry import Metric
from ...models.metrics.scoring import Drop
from ...models.metrics.statistics import Estimate, Interval
from ...models.report.figures import NONE, count, ends, figure, number, shortened

__all__ = [
    "NONE",
    "count",
    "ends",
    "megabytes",
    "metric",
    "milliseconds",
    "number",
    "p_value",
    "points",
    "share",
    "shortened",
    "speed",
    "times_as_fast",
]


def milliseconds(value: float | None) -> str:
    """Return a time to a hundredth of a millisecond, or to a thousandth below one."""
    return number(value, ".3f" if value is not None and value < 1 else ".2f")


def points(drop: Drop) -> str:
    """Return an accuracy lost, in percentage points."""
    return f"{number(drop.points, '+.2f')} {ends(drop.interval, '+.2f')}"


def metric(kind: Metric, estimate: Estimate | None) -> str:
    """Return the figure of a metric, as a table of several models shows it."""
    return figure(estimate, kind.digits + 1)


def share(estimate: Estimate | None) -> str:
    """Return a share, 0 to 1, as precise as a metric."""
    return figure(estimate, 4)


def speed(ratio: Estimate | None) -> str:
    """Return how many times as fast as the reference, from the ratio of the times."""
    if ratio is None:
        return NONE
    faster = times_as_fast(ratio)
    return f"{number(faster.value)}× {ends(faster.interval, '.2f')}"


def times_as_fast(ratio: Estimate) -> Estimate:
    """Return one over the ratio of the times."""
    return Estimate(1 / ratio.value, Interval(1 / ratio.interval.high, 1 / ratio.interval.low))


def megabytes(size: int | None) -> str:
    """Return a size in millions of bytes."""
    return NONE if size is None else f"{size / 1e6:.2f}"


def p_value(p: float) -> str:
    """Return a p-value."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"
