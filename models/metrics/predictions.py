"""What a model says of labelled images, which every metric is measured of."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .scoring import ClassScores, Labels, Metrics, score_predictions
from .statistics import Estimate, share_estimate


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


@dataclass(frozen=True, eq=False)
class Predictions:
    """The scores of a model for labelled images.

    Attributes:
        truth: class indices, of shape (images,), at least one.
        scores: float32 of shape (images, classes), 0 to 1.
        labels: class names in the order of the scores.
        reference: scores of the model that this one is compared with; None without one.
        good: the label of what is without a defect; None where the classes are of another kind.
    """

    truth: Labels
    scores: ClassScores
    labels: tuple[str, ...]
    reference: ClassScores | None = None
    good: str | None = None

    @cached_property
    def guess(self) -> Labels:
        """Index of the best class of each image, of shape (images,)."""
        return np.asarray(self.scores.argmax(1))

    @cached_property
    def plain(self) -> Metrics:
        """The metrics that need the best classes alone, without intervals."""
        return score_predictions(self.truth, self.guess, labels=self.labels)

    @cached_property
    def classes(self) -> tuple[ClassRecall, ...]:
        """One entry for each class that has images, in the order of the labels."""
        return tuple(
            ClassRecall(
                label=one.label,
                images=one.support,
                hits=round(one.recall * one.support),
                recall=share_estimate(round(one.recall * one.support), images=one.support),
                precision=one.precision,
                f1=one.f1,
            )
            for one in self.plain.classes
            if one.support
        )
