"""Figures in words: each with its unit and, where it has one, its interval of 95 %."""

from ...edge_runtime.scoring import Drop
from ...edge_runtime.statistics import Interval
from ...edge_runtime.words import count as count  # noqa: PLC0414 (exported)
from ..results import Estimate

NONE = "—"


def number(value: float | None, digits: str = ".2f") -> str:
    """Return a number with a true minus sign, or a dash for None."""
    if value is None:
        return NONE
    told = f"{value:{digits}}"
    return (told if float(told) else f"{0:{digits}}").replace("-", "−")


def milliseconds(value: float | None) -> str:
    """Return a time to a hundredth of a millisecond, or to a thousandth below one."""
    return number(value, ".3f" if value is not None and value < 1 else ".2f")


def ends(interval: Interval, digits: str) -> str:
    """Return an interval in brackets."""
    return f"[{number(interval.low, digits)}, {number(interval.high, digits)}]"


def share(estimate: Estimate | None) -> str:
    """Return a share, 0 to 1."""
    if estimate is None:
        return NONE
    return f"{number(estimate.value, '.4f')} {ends(estimate.interval, '.3f')}"


def points(drop: Drop) -> str:
    """Return an accuracy lost, in percentage points."""
    return f"{number(drop.points, '+.2f')} {ends(drop.interval, '+.2f')}"


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


def shortened(label: str, *, length: int) -> str:
    """Return a label that fits; numbered names differ at their end, so the middle goes."""
    if len(label) <= length:
        return label
    return f"{label[: length // 2].rstrip()}…{label[length // 2 - length + 1 :].lstrip()}"
