"""What repeated measurements say: percentiles that can be claimed, ratios and slopes."""

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt

import numpy as np
from numpy.typing import NDArray

from ...models.metrics.statistics import Estimate, Interval, student_interval, student_quantile

Samples = Sequence[float] | NDArray[np.float64]
Milliseconds = Samples


def median(values: Milliseconds) -> float:
    """Return the nearest-rank median: one of the values, below which no more than half lie."""
    return float(np.percentile(values, 50, method="inverted_cdf"))


def percentile_estimate(
    times: Milliseconds, *, percentile: float, confidence: float = 0.99
) -> float | None:
    """Return the early-stopping estimate of a percentile; None where there are too few times.

    The true percentile is below it with that confidence, which the plain percentile of a sample
    does not tell: of n times the t-th largest, with the largest t for which

        P(at most t of n are above the true percentile) = sum over x = 0..t of
            C(n, x) percentile^(n-x) (1 - percentile)^x  <  1 - confidence.

    There is none without t >= 1, so that 90 % needs 64 and 99 % needs 662 times. This is the rule
    of MLPerf for a single stream: `MinPassingQueriesFinder` in loadgen/early_stopping.cc and
    `PerformanceSummary::EarlyStopping` in loadgen/results.cc of mlcommons/inference, tolerance 0.

    Args:
        times: in any order.
        percentile: 0.9 for the 90th.
        confidence: that the true one is not above the estimate.
    """
    n, above = len(times), 0
    tail = exp(n * log(percentile))
    for x in range(1, n + 1):
        ways = lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
        tail += exp(ways + (n - x) * log(percentile) + x * log(1 - percentile))
        if tail >= 1 - confidence:
            break
        above = x
    return float(np.sort(times)[n - above]) if above else None


def ratio_estimate(
    rounds: Sequence[Milliseconds], *, reference: Sequence[Milliseconds]
) -> Estimate:
    """Return the ratio of the medians of the first to those of the reference, round by round.

    Each round is a fresh process of both, so it is the rounds that repeat, and not the queries in
    them: the mean of the logarithms with Student's t over the rounds (Kalibera and Jones 2013).

    Args:
        rounds: times of at least two rounds.
        reference: those of the reference in the same rounds.
    """
    logs = log_ratios(rounds, reference=reference)
    interval = student_interval(logs)
    return Estimate(exp(sum(logs) / len(logs)), Interval(exp(interval.low), exp(interval.high)))


def log_ratios(rounds: Sequence[Milliseconds], *, reference: Sequence[Milliseconds]) -> list[float]:
    """Return the logarithm of the ratio of the medians of each round."""
    return [log(median(one) / median(other)) for one, other in zip(rounds, reference, strict=True)]


def slope_estimate(
    at: Samples, values: Samples, *, blocks: int = 20, confidence: float = 0.95
) -> Estimate:
    """Return by how much `values` grow for each unit of `at`, by least squares.

    What is measured again and again of one process is alike from one moment to the next, so that
    each sample is not news: the means of equal stretches of `at` are, with Student's t for two
    fewer degrees of freedom than stretches. 10 to 30 are the right number: Schmeiser, Batch size
    effects in the analysis of simulation output, Operations Research 30 (1982) 556-568.

    Args:
        at: when each was measured, ascending.
        values: what was measured then.
        blocks: into how many stretches they are put; those without a sample count for nothing.
        confidence: share of intervals that hold the true slope.

    Raises:
        ValueError: fewer than three stretches have a sample.
    """
    times, measured = np.asarray(at, np.float64), np.asarray(values, np.float64)
    edges = np.linspace(times[0], times[-1], blocks + 1)[1:-1]
    block = np.searchsorted(edges, times, side="right")
    means = [(times[block == each].mean(), measured[block == each].mean()) for each in set(block)]
    if len(means) < 3:
        raise ValueError(f"samples in {len(means)} stretches of time; a slope takes 3")
    x, y = np.array(means).T
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    freedom = len(means) - 2
    error = sqrt(float(((y - slope * x) ** 2).sum()) / freedom / float(x @ x))
    half = student_quantile((1 + confidence) / 2, freedom=freedom) * error
    return Estimate(slope, Interval(slope - half, slope + half))
