"""One class against the rest, over all thresholds: ROC and precision-recall."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.metrics.detection import auroc
from ...models.metrics.scoring import ClassScores, Labels


@dataclass(frozen=True, eq=False)
class ClassCurves:
    """How well a score tells a class from the rest.

    Attributes:
        label: the class.
        images: how many it has.
        recall: share of its images that score at least a threshold, of shape (thresholds + 1,),
            from 0 to 1; a threshold for each score that occurs, falling.
        false_alarms: share of the other images that do; the same.
        precision: share of the images that do that are of the class; 1 where there are none.
        auc: area under the ROC curve, 0 to 1.
        average_precision: mean precision over the steps of recall, 0 to 1; not interpolated,
            which would flatter (Davis and Goadrich, ICML 2006).
    """

    label: str
    images: int
    recall: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    precision: NDArray[np.float64]
    auc: float
    average_precision: float


def class_curves(
    truth: Labels, scores: ClassScores, *, labels: tuple[str, ...]
) -> tuple[ClassCurves, ...]:
    """Return the curves of each class that has images while others have some, too.

    Args:
        truth: class indices, of shape (images,).
        scores: float32 of shape (images, classes).
        labels: class names in the order of the scores.
    """
    return tuple(
        _curves(truth == i, scores[:, i], label=label)
        for i, label in enumerate(labels)
        if 0 < (truth == i).sum() < len(truth)
    )


def _curves(is_class: NDArray[np.bool_], score: NDArray[np.float32], *, label: str) -> ClassCurves:
    order = np.argsort(-score, kind="stable")
    # Equal scores pass a threshold together.
    last = np.flatnonzero(np.diff(score[order], append=-np.inf))
    hits = np.append(0, np.cumsum(is_class[order])[last])
    called = np.append(0, last + 1)
    recall = hits / is_class.sum()
    false_alarms = (called - hits) / (~is_class).sum()
    precision = np.append(1.0, hits[1:] / called[1:])
    return ClassCurves(
        label=label,
        images=int(is_class.sum()),
        recall=recall,
        false_alarms=false_alarms,
        precision=precision,
        auc=auroc(score[~is_class], score[is_class]),
        average_precision=float((np.diff(recall) * precision[1:]).sum()),
    )
