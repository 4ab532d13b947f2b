"""Accuracy and what stands behind it. Confusion matrices have the truth in rows."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class ClassScore:
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
class Scores:
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
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the scores as a JSON object; beyond 100 classes without the confusion matrix."""
        values = vars(self) | {"classes": [asdict(score) for score in self.classes]}
        if len(self.confusion) > 100:
            del values["confusion"]
        return values


def score_predictions(truth: Labels, guess: Labels, *, labels: tuple[str, ...]) -> Scores:
    """Score the class indices `guess` against `truth`, both of shape (images,)."""
    confusion = confusion_matrix(truth, guess, classes=len(labels))
    hits = np.diag(confusion).astype(float)
    support, called = confusion.sum(1), confusion.sum(0)
    precision = hits / np.maximum(called, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + called, 1)
    present = support > 0
    return Scores(
        accuracy=float(hits.sum() / max(len(truth), 1)),
        macro_f1=float(f1[present].mean()) if present.any() else 0.0,
        balanced_accuracy=float(recall[present].mean()) if present.any() else 0.0,
        images=len(truth),
        classes=tuple(
            ClassScore(
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
    return float(np.mean(reference == truth) - np.mean(guess == truth)) * 100


def agreement(reference: Labels, guess: Labels) -> float:
    """Return the share of images on which both models name the same class, 0 to 1."""
    return float(np.mean(reference == guess))
