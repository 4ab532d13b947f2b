"""How far the figures can be trusted: intervals and tests for shares of the same images, and for
means of a few repetitions.

Every interval takes the images as independent draws. Photographs of the same thing are not, so
where images come in groups the true intervals are wider.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atan, cos, pi, sin, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """A confidence interval, both ends included.

    Attributes:
        low: lower end.
        high: upper end.
    """

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Estimate:
    """A figure with the interval that holds the true one.

    Attributes:
        value: as measured.
        interval: of 95 %.
    """

    value: float
    interval: Interval


@dataclass(frozen=True)
class PairedCounts:
    """Two models on the same images, by who is right: the paired 2x2 table.

    Attributes:
        both: images that both models have right.
        only_first: that only the first has right.
        only_second: that only the second has right.
        neither: that neither has right.
    """

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def images(self) -> int:
        """Number of images."""
        return self.both + self.only_first + self.only_second + self.neither


def paired_counts(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairedCounts:
    """Count on which images two models are right, both bool of shape (images,)."""
    return PairedCounts(
        both=int((first & second).sum()),
        only_first=int((first & ~second).sum()),
        only_second=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
    )


def wilson_interval(hits: int, *, images: int, confidence: float = 0.95) -> Interval:
    """Return the score interval of the share `hits` / `images`, within 0 to 1.

    Wilson, Journal of the American Statistical Association 22 (1927) 209-212; recommended by
    Brown, Cai and DasGupta, Statistical Science 16 (2001) 101-133. Without images it is 0 to 1.
    """
    if not images:
        return Interval(0.0, 1.0)
    z = _z(confidence)
    share, spread = hits / images, z * z / images
    centre = (share + spread / 2) / (1 + spread)
    half = sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    # At the ends the formula gives 0 and 1 too, but for the rounding.
    return Interval(centre - half if hits else 0.0, centre + half if hits < images else 1.0)


def share_estimate(hits: int, *, images: int) -> Estimate:
    """Return the share `hits` / `images` of at least one image, with Wilson's interval."""
    return Estimate(hits / images, wilson_interval(hits, images=images))


def paired_interval(counts: PairedCounts, *, confidence: float = 0.95) -> Interval:
    """Return the interval of the first model's share of right images less the second's, -1 to 1.

    Newcombe's method 10, Statistics in Medicine 17 (1998) 2635-2650: the Wilson intervals of both
    shares, joined with their correlation. Unlike the textbook formula it has a width where the
    models never differ, and never leaves -1 to 1. Without images it is -1 to 1.
    """
    n = counts.images
    if not n:
        return Interval(-1.0, 1.0)
    hits_1, hits_2 = counts.both + counts.only_first, counts.both + counts.only_second
    share_1, share_2 = hits_1 / n, hits_2 / n
    wilson_1 = wilson_interval(hits_1, images=n, confidence=confidence)
    wilson_2 = wilson_interval(hits_2, images=n, confidence=confidence)
    down_1, up_1 = share_1 - wilson_1.low, wilson_1.high - share_1
    down_2, up_2 = share_2 - wilson_2.low, wilson_2.high - share_2
    phi = _correlation(counts)
    # With phi = 1 rounding can bring the squares just below 0.
    below = sqrt(max(down_1**2 - 2 * phi * down_1 * up_2 + up_2**2, 0.0))
    above = sqrt(max(up_1**2 - 2 * phi * up_1 * down_2 + down_2**2, 0.0))
    difference = (counts.only_first - counts.only_second) / n
    return Interval(max(difference - below, -1.0), min(difference + above, 1.0))


def mean_share_interval(shares: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """Return the interval of the mean of independent shares that have the `intervals`.

    The distances of the ends add up like standard errors: Zou and Donner, Statistics in Medicine 27
    (2008) 1693-1702. With Wilson's intervals it has a width where every share is 0 or 1 too.
    """
    pairs = list(zip(shares, intervals, strict=True))
    mean = sum(shares) / len(pairs)
    below = sqrt(sum((share - interval.low) ** 2 for share, interval in pairs)) / len(pairs)
    above = sqrt(sum((interval.high - share) ** 2 for share, interval in pairs)) / len(pairs)
    return Interval(mean - below, mean + above)


def unpaired_interval(
    hits_1: int, *, images_1: int, hits_2: int, images_2: int, confidence: float = 0.95
) -> Interval:
    """Return the interval of the first share less the second, of different images, -1 to 1.

    Newcombe's method 10 for independent shares, Statistics in Medicine 17 (1998) 873-890.
    """
    share_1, share_2 = hits_1 / max(images_1, 1), hits_2 / max(images_2, 1)
    wilson_1 = wilson_interval(hits_1, images=images_1, confidence=confidence)
    wilson_2 = wilson_interval(hits_2, images=images_2, confidence=confidence)
    below = sqrt((share_1 - wilson_1.low) ** 2 + (wilson_2.high - share_2) ** 2)
    above = sqrt((wilson_1.high - share_1) ** 2 + (share_2 - wilson_2.low) ** 2)
    difference = share_1 - share_2
    return Interval(max(difference - below, -1.0), min(difference + above, 1.0))


def student_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Return the interval of the mean of at least two independent values, by Student's t.

    Kalibera and Jones, Rigorous benchmarking in reasonable time, ISMM 2013, on why the values are
    those of whole repetitions, and not of the measurements within.
    """
    count = len(values)
    mean = sum(values) / count
    quantile = student_quantile((1 + confidence) / 2, freedom=count - 1)
    half = quantile * sqrt(_variance(values) / count)
    return Interval(mean - half, mean + half)


def welch_interval(
    first: Sequence[float], second: Sequence[float], *, confidence: float = 0.95
) -> Interval:
    """Return the interval of the first mean less the second, of at least two values each.

    Welch, Biometrika 34 (1947) 28-35; the degrees of freedom are rounded down.
    """
    squares = [_variance(values) / len(values) for values in (first, second)]
    difference = sum(first) / len(first) - sum(second) / len(second)
    error = sum(squares)
    if not error:
        return Interval(difference, difference)
    parts = zip(squares, (first, second), strict=True)
    freedom = error**2 / sum(square**2 / (len(values) - 1) for square, values in parts)
    # Rounding must not take one from a whole number.
    quantile = student_quantile((1 + confidence) / 2, freedom=max(1, int(freedom + 1e-9)))
    return Interval(difference - quantile * sqrt(error), difference + quantile * sqrt(error))


def student_quantile(share: float, *, freedom: int) -> float:
    """Return the quantile of Student's t, `share` from 0.5 to below 1.

    By bisection of its distribution, Abramowitz and Stegun, Handbook of Mathematical Functions
    (1964), 26.7.3 and 26.7.4.
    """
    low, high = 0.0, 1.0
    while _student_within(high, freedom) < 2 * share - 1:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        is_below = _student_within(middle, freedom) < 2 * share - 1
        low, high = (middle, high) if is_below else (low, middle)
    return high


def mcnemar_p(counts: PairedCounts) -> float:
    """Return the two-sided exact p-value for both models being right equally often, 0 to 1.

    The images that only one of them has right are tosses of a fair coin: twice the smaller tail
    of the binomial distribution, at most 1 (McNemar, Psychometrika 12 (1947) 153-157). The tail is
    summed in integers, so that it is exact for any number of images.
    """
    tosses = counts.only_first + counts.only_second
    ways = tail = 1
    for heads in range(min(counts.only_first, counts.only_second)):
        ways = ways * (tosses - heads) // (heads + 1)
        tail += ways
    return min(2 * tail / (1 << tosses), 1.0)


def bootstrap_interval(
    statistic: Callable[[NDArray[np.intp]], float],
    *,
    images: int,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the percentile interval of any figure of `images` images, by drawing them again.

    For what has no formula, as macro-F1. It is paired where `statistic` looks up both models at
    the indices that it is given. Efron and Tibshirani, An Introduction to the Bootstrap (1993),
    chapter 13; it is too narrow for a few dozen images.

    Args:
        statistic: from indices of images, of shape (images,) and drawn with replacement, to the
            figure.
        images: number of images.
        resamples: how often they are drawn.
        confidence: share of intervals that hold the true value.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    figures = [statistic(rng.integers(images, size=images)) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(figures, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _student_within(t: float, freedom: int) -> float:
    """Return the chance that Student's t lies within -t to t."""
    angle = atan(t / sqrt(freedom))
    odd = freedom % 2
    term, total = (cos(angle), 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= cos(angle) ** 2 * k / (k + 1)
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total


def _correlation(counts: PairedCounts) -> float:
    """Return the phi coefficient, brought towards 0 by half an image where it is positive."""
    a, b, c, d = counts.both, counts.only_first, counts.only_second, counts.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if not margins:
        return 0.0
    cross = float(a * d - b * c)
    if cross > 0:
        cross = max(cross - counts.images / 2, 0.0)
    return cross / sqrt(margins)


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
