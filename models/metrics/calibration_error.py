"""The expected calibration error of a model's scores, with its interval and its bins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scoring import ClassScores, Labels
from .statistics import Estimate, Interval, bootstrap_interval

_BINS = 15
_RESAMPLES = 2000


@dataclass(frozen=True)
class CalibrationBin:
    """The images whose best score lies in one of 15 equal ranges.

    Attributes:
        images: how many.
        score: their mean best score.
        accuracy: share of them that is right.
    """

    images: int
    score: float
    accuracy: float


def calibration_error(right: NDArray[np.bool_], best: NDArray[np.floating]) -> float:
    """Return the expected calibration error of 15 equal ranges of scores, 0 to 1.

    The mean distance between how sure the model is and how often it is right: Guo, Pleiss, Sun and
    Weinberger, On calibration of modern neural networks, ICML 2017, equation 3.

    Args:
        right: whether the best class is the true one, of shape (images,).
        best: the best score of each image, 0 to 1.
    """
    gaps = np.bincount(_bin(best), weights=right - best.astype(np.float64), minlength=_BINS)
    return float(np.abs(gaps).sum() / len(best))


def calibration_interval(
    right: NDArray[np.bool_], best: NDArray[np.floating], *, seed: int = 0
) -> Interval:
    """Return the interval of `calibration_error`, of the same arguments.

    The error is too large by chance alone, and the bootstrap's are too large once more, so the
    interval is the pivotal one, which turns the distances of the bootstrap around (Efron and
    Tibshirani 1993, chapter 13). It starts from 0 where a perfectly calibrated model could have
    shown this error: Bröcker and Smith, Weather and Forecasting 22 (2007) 651-661.
    """
    error = calibration_error(right, best)
    drawn = bootstrap_interval(
        lambda index: calibration_error(right[index], best[index]),
        images=len(right),
        resamples=_RESAMPLES,
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    by_chance = [
        calibration_error(rng.random(len(best)) < best, best) for _ in range(_RESAMPLES // 4)
    ]
    is_chance = error <= np.quantile(by_chance, 0.95)
    low = 0.0 if is_chance else max(2 * error - drawn.high, 0.0)
    return Interval(min(low, error), max(2 * error - drawn.low, error))


def _bin(best: NDArray[np.floating]) -> NDArray[np.intp]:
    return np.asarray(np.clip(np.ceil(best * _BINS) - 1, 0, _BINS - 1), np.intp)


def calibration_estimate(truth: Labels, scores: ClassScores) -> Estimate:
    """Return the calibration error with its interval, of class indices (images,) and
    float32 scores (images, classes), 0 to 1."""
    right, best = scores.argmax(1) == truth, scores.max(1)
    return Estimate(calibration_error(right, best), calibration_interval(right, best))


def calibration_bins(truth: Labels, scores: ClassScores) -> tuple[CalibrationBin, ...]:
    """Return the bins behind the calibration error, of the same arguments."""
    right, best = scores.argmax(1) == truth, scores.max(1)
    bins = _bin(best)
    return tuple(
        CalibrationBin(
            images=int((bins == i).sum()),
            score=float(best[bins == i].mean()),
            accuracy=float(right[bins == i].mean()),
        )
        for i in np.unique(bins)
    )
