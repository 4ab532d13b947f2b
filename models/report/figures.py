"""Figures in words: each with its unit and, where it has one, its interval of 95 %."""

from math import floor, log10

from ..metrics.registry import BRIEF_METRICS
from ..metrics.scoring import Metrics
from ..metrics.statistics import Estimate, Interval, wilson_interval

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


def decimals(interval: Interval, *, at_most: int = 4) -> int:
    """Return how many decimals a figure may show: down to the second digit of its interval's width.

    So the Guide to the expression of uncertainty in measurement (JCGM 100:2008), 7.2.6.
    """
    width = interval.high - interval.low
    return min(max(1 - floor(log10(width)), 0), at_most) if width > 0 else at_most


def ends(interval: Interval, *, sign: str = "", at_most: int = 4) -> str:
    """Return an interval in brackets; `sign` as in `value`."""
    digits = f"{sign}.{decimals(interval, at_most=at_most)}f"
    return f"[{number(interval.low, digits)}, {number(interval.high, digits)}]"


def value(estimate: Estimate | None, *, sign: str = "", at_most: int = 4) -> str:
    """Return a figure with the decimals that its interval allows, without the interval; a dash for
    None.

    Args:
        estimate: the figure.
        sign: `+` to show that of figures above 0, too.
        at_most: so many decimals.
    """
    if estimate is None:
        return NONE
    return number(estimate.value, f"{sign}.{decimals(estimate.interval, at_most=at_most)}f")


def figure(estimate: Estimate | None, *, sign: str = "", at_most: int = 4) -> str:
    """Return a figure and its interval, with the decimals that it allows; a dash for None.

    Arguments as those of `value`.
    """
    if estimate is None:
        return NONE
    interval = ends(estimate.interval, sign=sign, at_most=at_most)
    return f"{value(estimate, sign=sign, at_most=at_most)} {interval}"


def share(part: float | None, *, images: int) -> str:
    """Return a share of `images`, 0 to 1, with the decimals of its Wilson interval; a dash for
    None."""
    if part is None:
        return NONE
    interval = wilson_interval(round(part * images), images=images)
    return value(Estimate(part, interval))


def brief_figures(metrics: Metrics) -> str:
    """Return the brief metrics on one line, each after its title."""
    return ", ".join(
        f"{metric.title} {share(getattr(metrics, metric.name), images=metrics.images)}"
        for metric in BRIEF_METRICS
    )


def shortened(label: str, *, length: int) -> str:
    """Return a label that fits; numbered names differ at their end, so the middle goes."""
    if len(label) <= length:
        return label
    return f"{label[: length // 2].rstrip()}…{label[length // 2 - length + 1 :].lstrip()}"
