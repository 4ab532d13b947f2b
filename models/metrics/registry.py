"""The metrics of a classifier, each a named value that every table, page and file is made of.

A further metric is a row here, a field of `MetricsWithIntervals` with None as its default (so that
older files are still read), and a row in docs/convert/benchmark.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..good_only import DEFECT, is_good_only
from .calibration_error import calibration_estimate
from .detection import auroc
from .predictions import Predictions
from .scoring import confusion_matrix
from .statistics import Estimate, bootstrap_interval, mean_share_interval, share_estimate

_RESAMPLES = 2000


@dataclass(frozen=True)
class Metric:
    """A figure of how right a model is.

    Attributes:
        name: key in JSON, and field of `MetricsWithIntervals`.
        title: heading of its column or row, without the unit.
        measure: takes predictions; returns the figure with its interval; None where it does
            not apply.
        unit: what it is counted in; empty for a share, 0 to 1.
        is_brief: whether it stands where there is room for few; `Metrics` has it too then.
    """

    name: str
    title: str
    measure: Callable[[Predictions], Estimate | None]
    unit: str = ""
    is_brief: bool = False

    @property
    def heading(self) -> str:
        """The title with the unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


def _accuracy(predictions: Predictions) -> Estimate:
    hits = int((predictions.guess == predictions.truth).sum())
    return share_estimate(hits, images=len(predictions.truth))


def _top5_accuracy(predictions: Predictions) -> Estimate | None:
    truth, scores = predictions.truth, predictions.scores
    if scores.shape[1] <= 10:
        return None
    best = np.argpartition(-scores, 5, axis=1)[:, :5]
    return share_estimate(int((best == truth[:, np.newaxis]).any(1).sum()), images=len(truth))


def _macro_f1(predictions: Predictions) -> Estimate:
    truth, guess, value = predictions.truth, predictions.guess, predictions.plain.macro_f1
    # With nothing wrong the bootstrap has nothing to draw; F1 and recall are the same share then.
    if value == 1:
        return Estimate(value, _balanced_accuracy(predictions).interval)
    classes = int(max(truth.max(), guess.max())) + 1

    def macro_f1(index: NDArray[np.intp]) -> float:
        confusion = confusion_matrix(truth[index], guess[index], classes=classes)
        support, called = confusion.sum(1), confusion.sum(0)
        f1 = 2 * np.diag(confusion) / np.maximum(support + called, 1)
        return float(f1[support > 0].mean())

    return Estimate(value, bootstrap_interval(macro_f1, images=len(truth), resamples=_RESAMPLES))


def _balanced_accuracy(predictions: Predictions) -> Estimate:
    recalls = [one.recall for one in predictions.classes]
    interval = mean_share_interval(
        [recall.value for recall in recalls], [recall.interval for recall in recalls]
    )
    return Estimate(predictions.plain.balanced_accuracy, interval)


def _calibration_error(predictions: Predictions) -> Estimate:
    return calibration_estimate(predictions.truth, predictions.scores)


def _escape_rate(predictions: Predictions) -> Estimate | None:
    if predictions.good is None:
        return None
    good = predictions.labels.index(predictions.good)
    defects = predictions.guess[predictions.truth != good]
    if not len(defects):
        return None
    return share_estimate(int((defects == good).sum()), images=len(defects))


def _overkill(predictions: Predictions) -> Estimate | None:
    if predictions.good is None:
        return None
    good = predictions.labels.index(predictions.good)
    passed = predictions.guess[predictions.truth == good]
    if not len(passed):
        return None
    return share_estimate(int((passed != good).sum()), images=len(passed))


def _image_auroc(predictions: Predictions) -> Estimate | None:
    if not is_good_only(predictions.labels):
        return None
    is_defect = predictions.truth == predictions.labels.index(DEFECT)
    score = predictions.scores[:, predictions.labels.index(DEFECT)]
    if is_defect.all() or not is_defect.any():
        return None
    value = auroc(score[~is_defect], score[is_defect])

    def drawn(index: NDArray[np.intp]) -> float:
        good, defects = index[~is_defect[index]], index[is_defect[index]]
        return auroc(score[good], score[defects]) if len(good) and len(defects) else value

    interval = bootstrap_interval(drawn, images=len(score), resamples=_RESAMPLES)
    return Estimate(value, interval)


def _agreement(predictions: Predictions) -> Estimate | None:
    if predictions.reference is None:
        return None
    same = int((predictions.guess == predictions.reference.argmax(1)).sum())
    return share_estimate(same, images=len(predictions.truth))


ACCURACY = Metric("accuracy", "accuracy", _accuracy, is_brief=True)
CALIBRATION_ERROR = Metric("calibration_error", "calibration error", _calibration_error)
# Where a class is named as the good one: defects called good, and good ones called a defect.
ESCAPE_RATE = Metric("escape_rate", "escape rate", _escape_rate)
OVERKILL = Metric("overkill", "overkill", _overkill)
# Of a model that has seen good images only: the chance that a defect scores higher than one.
IMAGE_AUROC = Metric("image_auroc", "image AUROC", _image_auroc)
# In the order in which they stand beside each other.
METRICS = (
    ACCURACY,
    Metric("top5_accuracy", "top-5 accuracy", _top5_accuracy),
    Metric("macro_f1", "macro-F1", _macro_f1, is_brief=True),
    Metric("balanced_accuracy", "balanced accuracy", _balanced_accuracy),
    CALIBRATION_ERROR,
    ESCAPE_RATE,
    OVERKILL,
    IMAGE_AUROC,
)
# What is left out where no model has it.
OPTIONAL_METRICS = (ESCAPE_RATE, OVERKILL, IMAGE_AUROC)
BRIEF_METRICS = tuple(metric for metric in METRICS if metric.is_brief)
# Of a model against its reference.
AGREEMENT = Metric("agreement", "agreement", _agreement)
