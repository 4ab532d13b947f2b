"""What the times of queries say: percentiles that can be claimed, and ratios with intervals."""

from collections.abc import Sequence
from math import exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.statistics import Estimate, Interval, student_interval

Milliseconds = Sequence[float] | NDArray[np.float64]


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
