"""How right a model is, with intervals, from its class scores."""

from dataclasses import dataclass
from typing import Any

from .calibration_error import CalibrationBin, calibration_bins
from .predictions import ClassRecall, Predictions
from .registry import METRICS, Metric
from .scoring import ClassScores, Labels
from .statistics import Estimate

_MOST_CLASSES_OF_CONFUSION = 100


@dataclass(frozen=True, kw_only=True)
class MetricsWithIntervals:
    """How a model fared on the images.

    Attributes:
        accuracy: share of images whose best class is right; Wilson's interval.
        top5_accuracy: share whose class is among the best five, Wilson's; None up to 10 classes.
        macro_f1: mean F1 of the classes that have images; bootstrap.
        balanced_accuracy: mean of their recalls.
        calibration_error: expected calibration error, 0 to 1; bootstrap.
        escape_rate: share of the defects that are called good; Wilson's. None without a good class.
        overkill: share of the good ones that are called a defect; the same.
        image_auroc: chance that a defect scores higher than a good image, ties as half, of a model
            that has seen good images only; bootstrap. None of another.
        calibration: the bins behind it that hold images, from low scores to high.
        classes: one entry for each class that has images, in the order of the labels.
        confusion: counts, truth by guess, over all labels; None beyond 100.
        guesses: index of the best class of each image, in the order of the data set.
    """

    accuracy: Estimate
    top5_accuracy: Estimate | None
    macro_f1: Estimate
    balanced_accuracy: Estimate
    calibration_error: Estimate
    escape_rate: Estimate | None = None
    overkill: Estimate | None = None
    image_auroc: Estimate | None = None
    calibration: tuple[CalibrationBin, ...]
    classes: tuple[ClassRecall, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    guesses: tuple[int, ...]

    def estimate(self, metric: Metric) -> Estimate | None:
        """Return the figure of `metric`, one of `METRICS`."""
        found: Estimate | None = getattr(self, metric.name)
        return found


def measure_metrics(
    truth: Labels, scores: ClassScores, *, labels: tuple[str, ...], good: str | None = None
) -> MetricsWithIntervals:
    """Return the figures of a model; arguments as those of `Predictions`."""
    predictions = Predictions(truth, scores, labels, good=good)
    figures: dict[str, Any] = {metric.name: metric.measure(predictions) for metric in METRICS}
    confusion = predictions.plain.confusion
    return MetricsWithIntervals(
        **figures,
        calibration=calibration_bins(truth, scores),
        classes=predictions.classes,
        confusion=confusion if len(labels) <= _MOST_CLASSES_OF_CONFUSION else None,
        guesses=tuple(int(index) for index in predictions.guess),
    )
