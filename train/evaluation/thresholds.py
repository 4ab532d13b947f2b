"""From which score a class is believed, so that most of its images are."""

from dataclasses import dataclass

import numpy as np

from ...models.metrics.scoring import ClassScores, Labels
from ...models.metrics.statistics import Estimate, share_estimate

# An int8 file tells scores in so many steps; a threshold between two of them would miss its image.
_STEPS = 256


@dataclass(frozen=True)
class ThresholdScore:
    """A class's threshold, and what it does on images that it was not chosen on.

    Attributes:
        label: the class.
        threshold: the score from which it is believed, 0 to 1.
        val_images: its validation images.
        val_recall: share of those that reach it.
        images: its test images.
        recall: share of those that reach it; Wilson's interval, None without any.
        precision: share of the test images that reach it that are of the class; the same.
        named: share of its test images for which `edgeclf run` names it: the best of the classes
            that reach their thresholds; the same.
    """

    label: str
    threshold: float
    val_images: int
    val_recall: float
    images: int
    recall: Estimate | None
    precision: Estimate | None
    named: Estimate | None


def choose_thresholds(
    scores: ClassScores, truth: Labels, *, labels: tuple[str, ...], recall: float
) -> dict[str, float]:
    """Return by label the highest threshold that at least `recall` of the class's images reach.

    Args:
        scores: of images not trained on, float32 of shape (images, classes), 0 to 1.
        truth: class indices, of shape (images,).
        labels: class names in the order of the scores; a class without an image gets none.
        recall: 0 to 1.
    """
    chosen: dict[str, float] = {}
    for i, label in enumerate(labels):
        own = np.sort(scores[truth == i, i])[::-1]
        if len(own):
            # Rounding must not ask for one image more than 0.95 of 20.
            needed = int(np.ceil(recall * len(own) - 1e-9))
            lowest = float(own[max(needed, 1) - 1])
            chosen[label] = np.floor(lowest * _STEPS) / _STEPS
    return chosen


def score_thresholds(
    thresholds: dict[str, float],
    *,
    val: tuple[ClassScores, Labels],
    test: tuple[ClassScores, Labels],
    labels: tuple[str, ...],
) -> tuple[ThresholdScore, ...]:
    """Return what `thresholds` do; `val` and `test` are scores and truth as above."""
    (val_scores, val_truth), (scores, truth) = val, test
    named = named_labels(scores, thresholds, labels=labels)
    found = []
    for label, threshold in thresholds.items():
        i = labels.index(label)
        is_class, reaches = truth == i, scores[:, i] >= threshold
        own = val_scores[val_truth == i, i] >= threshold
        found.append(
            ThresholdScore(
                label=label,
                threshold=threshold,
                val_images=len(own),
                val_recall=float(own.mean()),
                images=int(is_class.sum()),
                recall=_share(int((is_class & reaches).sum()), int(is_class.sum())),
                precision=_share(int((is_class & reaches).sum()), int(reaches.sum())),
                named=_share(int((named[is_class] == i).sum()), int(is_class.sum())),
            )
        )
    return tuple(found)


def named_labels(
    scores: ClassScores, thresholds: dict[str, float], *, labels: tuple[str, ...]
) -> Labels:
    """Return the class that `edgeclf run` names of each image, -1 for none, of shape (images,)."""
    least = np.asarray([thresholds.get(label, 0.0) for label in labels])
    sure = scores >= least
    return np.where(sure.any(1), np.where(sure, scores, -1.0).argmax(1), -1)


def _share(hits: int, images: int) -> Estimate | None:
    return share_estimate(hits, images=images) if images else None
