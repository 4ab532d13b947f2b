"""Figures in words: each with its unit and, where it has one, its interval of 95 %."""

from ..metrics.registry import BRIEF_METRICS, Metric
from ..metrics.scoring import Metrics
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


def figure(estimate: Estimate | None, digits: int = 3) -> str:
    """Return a figure with so many decimals and its interval with one fewer; a dash for None."""
    if estimate is None:
        return NONE
    interval = ends(estimate.interval, f".{digits - 1}f")
    return f"{number(estimate.value, f'.{digits}f')} {interval}"


def plain_figure(metric: Metric, value: float | None) -> str:
    """Return the value of a metric without its interval; a dash for None."""
    return number(value, f".{metric.digits}f")


def brief_figures(metrics: Metrics) -> str:
    """Return the brief metrics on one line, each after its title."""
    return ", ".join(
        f"{metric.title} {plain_figure(metric, getattr(metrics, metric.name))}"
        for metric in BRIEF_METRICS
    )


def shortened(label: str, *, length: int) -> str:
    """Return a label that fits; numbered names differ at their end, so the middle goes."""
    if len(label) <= length:
        return label
    return f"{label[: length // 2].rstrip()}…{label[length // 2 - length + 1 :].lstrip()}"
