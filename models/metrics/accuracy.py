"""How right a model is, with intervals, from its class scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scoring import Labels, confusion_matrix, score_predictions
from .statistics import (
    Estimate,
    Interval,
    bootstrap_interval,
    mean_share_interval,
    share_estimate,
)

_BINS = 15
_MOST_CLASSES_OF_CONFUSION = 100
_RESAMPLES = 2000

ClassScores = NDArray[np.float32]


@dataclass(frozen=True)
class ClassRecall:
    """How one class fared with one model.

    Attributes:
        label: the class.
        images: how many it has.
        hits: how many of these were called so.
        recall: their share, with Wilson's interval.
        precision: share of the images called so that are so; 0 if none was called so.
        f1: harmonic mean of the two.
    """

    label: str
    images: int
    hits: int
    recall: Estimate
    precision: float
    f1: float


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


@dataclass(frozen=True)
class MetricsWithIntervals:
    """How a model fared on the images.

    Attributes:
        top1: share of images whose best class is right; Wilson's interval.
        top5: share whose class is among the best five, Wilson's; None up to 10 classes.
        macro_f1: mean F1 of the classes that have images; bootstrap.
        balanced_accuracy: mean of their recalls.
        calibration_error: expected calibration error, 0 to 1; bootstrap.
        calibration: the bins behind it that hold images, from low scores to high.
        classes: one entry for each class that has images, in the order of the labels.
        confusion: counts, truth by guess, over all labels; None beyond 100.
        guesses: index of the best class of each image, in the order of the data set.
    """

    top1: Estimate
    top5: Estimate | None
    macro_f1: Estimate
    balanced_accuracy: Estimate
    calibration_error: Estimate
    calibration: tuple[CalibrationBin, ...]
    classes: tuple[ClassRecall, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    guesses: tuple[int, ...]


def measure_accuracy(
    truth: Labels, scores: ClassScores, *, labels: tuple[str, ...]
) -> MetricsWithIntervals:
    """Return the figures of a model.

    Args:
        truth: class indices, of shape (images,), at least one.
        scores: float32 of shape (images, classes), 0 to 1.
        labels: class names in the order of the scores.
    """
    guess = scores.argmax(1)
    metrics = score_predictions(truth, guess, labels=labels)
    classes = tuple(
        ClassRecall(
            label=score.label,
            images=score.support,
            hits=round(score.recall * score.support),
            recall=share_estimate(round(score.recall * score.support), images=score.support),
            precision=score.precision,
            f1=score.f1,
        )
        for score in metrics.classes
        if score.support
    )
    balanced = Estimate(
        metrics.balanced_accuracy,
        mean_share_interval(
            [one.recall.value for one in classes], [one.recall.interval for one in classes]
        ),
    )
    return MetricsWithIntervals(
        top1=share_estimate(int((guess == truth).sum()), images=len(truth)),
        top5=_top5(truth, scores),
        macro_f1=_macro_f1(truth, guess, metrics.macro_f1, balanced),
        balanced_accuracy=balanced,
        calibration_error=calibration_estimate(truth, scores),
        calibration=calibration_bins(truth, scores),
        classes=classes,
        confusion=metrics.confusion if len(labels) <= _MOST_CLASSES_OF_CONFUSION else None,
        guesses=tuple(int(index) for index in guess),
    )


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
    """Return the calibration error with its interval, of `measure_accuracy`'s arguments."""
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


def _macro_f1(truth: Labels, guess: Labels, value: float, balanced: Estimate) -> Estimate:
    # With nothing wrong the bootstrap has nothing to draw; F1 and recall are the same share then.
    if value == 1:
        return Estimate(value, balanced.interval)
    classes = int(max(truth.max(), guess.max())) + 1

    def macro_f1(index: NDArray[np.intp]) -> float:
        confusion = confusion_matrix(truth[index], guess[index], classes=classes)
        support, called = confusion.sum(1), confusion.sum(0)
        f1 = 2 * np.diag(confusion) / np.maximum(support + called, 1)
        return float(f1[support > 0].mean())

    return Estimate(value, bootstrap_interval(macro_f1, images=len(truth), resamples=_RESAMPLES))


def _top5(truth: Labels, scores: ClassScores) -> Estimate | None:
    if scores.shape[1] <= 10:
        return None
    best = np.argpartition(-scores, 5, axis=1)[:, :5]
    return share_estimate(int((best == truth[:, np.newaxis]).any(1).sum()), images=len(truth))
