"""Accuracy and what stands behind it. Confusion matrices have the truth in rows."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .statistics import Interval, mcnemar_p, paired_counts, paired_interval

Labels = NDArray[np.intp]
ClassScores = NDArray[np.float32]
Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class ClassMetrics:
    """How one class fared.

    Attributes:
        label: the class.
        precision: share of the images called so that are so, 0 to 1; 0 if none was called so.
        recall: share of the class's images that were called so, 0 to 1.
        f1: harmonic mean of the two.
        support: number of the class's images.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """How a model fared on labelled images.

    Attributes:
        accuracy: share of images whose top-1 is right, 0 to 1.
        macro_f1: mean of the F1 of the classes that have images.
        balanced_accuracy: mean of their recalls.
        images: number of images.
        classes: one entry for each class that has images or was predicted.
        confusion: counts, truth by guess, over all labels in order.
    """

    accuracy: float
    macro_f1: float
    balanced_accuracy: float
    images: int
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the scores as a JSON object; beyond 100 classes without the confusion matrix."""
        values = vars(self) | {"classes": [asdict(score) for score in self.classes]}
        if len(self.confusion) > 100:
            del values["confusion"]
        return values


@dataclass(frozen=True)
class Drop:
    """What a model loses against a reference on the same images.

    Attributes:
        label: the class that the images are of; None for all images.
        images: number of images.
        lost: images that the reference has right and the model has wrong.
        gained: images that the model has right and the reference has wrong.
        points: share of right images that is lost, in percentage points; below 0 it is gained.
        interval: of 95 % for `points`.
        p_value: of McNemar's exact test that nothing is lost or gained, 0 to 1.
    """

    label: str | None
    images: int
    lost: int
    gained: int
    points: float
    interval: Interval
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would rarely show such a difference: p below 0.05."""
        return self.p_value < 0.05

    def to_json(self) -> dict[str, Any]:
        """Return the drop as a JSON object; the interval is a list of its ends."""
        return vars(self) | {"interval": [self.interval.low, self.interval.high]}


def score_predictions(truth: Labels, guess: Labels, *, labels: tuple[str, ...]) -> Metrics:
    """Score the class indices `guess` against `truth`, both of shape (images,)."""
    confusion = confusion_matrix(truth, guess, classes=len(labels))
    hits = np.diag(confusion).astype(float)
    support, called = confusion.sum(1), confusion.sum(0)
    precision = hits / np.maximum(called, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + called, 1)
    present = support > 0
    return Metrics(
        accuracy=float(hits.sum() / max(len(truth), 1)),
        macro_f1=float(f1[present].mean()) if present.any() else 0.0,
        balanced_accuracy=float(recall[present].mean()) if present.any() else 0.0,
        images=len(truth),
        classes=tuple(
            ClassMetrics(
                labels[i], float(precision[i]), float(recall[i]), float(f1[i]), int(support[i])
            )
            for i in np.flatnonzero(support + called)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def confusion_matrix(truth: Labels, guess: Labels, *, classes: int) -> NDArray[np.int64]:
    """Count truth against guess, int64 of shape (classes, classes)."""
    counts = np.bincount(truth * classes + guess, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def drop_points(truth: Labels, *, reference: Labels, guess: Labels) -> float:
    """Return the accuracy that `guess` loses against `reference`, in percentage points."""
    return accuracy_drop(truth, reference=reference, guess=guess).points


def accuracy_drop(truth: Labels, *, reference: Labels, guess: Labels) -> Drop:
    """Return what `guess` loses against `reference` on all images, each of shape (images,)."""
    return _drop(None, reference == truth, guess == truth)


def recall_drops(
    truth: Labels, *, reference: Labels, guess: Labels, labels: tuple[str, ...]
) -> tuple[Drop, ...]:
    """Return what `guess` loses on the images of each class that has any, in their order."""
    return tuple(
        _drop(labels[i], reference[truth == i] == i, guess[truth == i] == i)
        for i in np.unique(truth)
    )


def escape_rise(truth: Labels, *, reference: Labels, guess: Labels, good: int) -> Drop:
    """Return what `guess` loses on the defects, the images that are not of the class `good`: the
    share that is not called good, which is the rise of the escape rate."""
    defects = truth != good
    return _drop(None, reference[defects] != good, guess[defects] != good)


def agreement(reference: Labels, guess: Labels) -> float:
    """Return the share of images on which both models name the same class, 0 to 1."""
    return float(np.mean(reference == guess))


def _drop(label: str | None, reference_right: Hits, right: Hits) -> Drop:
    counts = paired_counts(reference_right, right)
    shares = paired_interval(counts)
    lost, gained = counts.only_first, counts.only_second
    return Drop(
        label=label,
        images=counts.images,
        lost=lost,
        gained=gained,
        # One division of whole numbers: 3 of 300 images are exactly 1.0 points.
        points=100 * (lost - gained) / max(counts.images, 1),
        interval=Interval(100 * shares.low, 100 * shares.high),
        p_value=mcnemar_p(counts),
    )
