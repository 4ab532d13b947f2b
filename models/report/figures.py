"""Figures in words: each with its unit and, where it has one, its interval of 95 %."""

from ..metrics.statistics import Estimate, Interval

NONE = "—"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def number(value: float | None, digits: str = ".2f") -> str:
    """Return a number with a true minus sign, or a dash for None."""
    if value is None:
        return NONE
    text = f"{value:{digits}}"
    return (text if float(text) else f"{0:{digits}}").replace("-", "−")


def ends(interval: Interval, digits: str) -> str:
    """Return an interval in brackets."""
    return f"[{number(interval.low, digits)}, {number(interval.high, digits)}]"


def share(estimate: Estimate | None) -> str:
    """Return a share, 0 to 1."""
    if estimate is None:
        return NONE
    return f"{number(estimate.value, '.4f')} {ends(estimate.interval, '.3f')}"


def shortened(label: str, *, length: int) -> str:
    """Return a label that fits; numbered names differ at their end, so the middle goes."""
    if len(label) <= length:
        return label
    return f"{label[: length // 2].rstrip()}…{label[length // 2 - length + 1 :].lstrip()}"
