"""What a model calls otherwise than the reference does: confusion matrices, less each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.metrics.scoring import confusion_matrix
from ..results.schema import Benchmark, Model


@dataclass(frozen=True)
class Pair:
    """Images of one class that are called another.

    Attributes:
        truth: their class.
        guess: what they are called.
        before: how many the reference calls so.
        after: how many the model calls so.
    """

    truth: str
    guess: str
    before: int
    after: int

    @property
    def change(self) -> int:
        """How many more images the model calls so."""
        return self.after - self.before

    @property
    def worse(self) -> bool:
        """Whether the change is more mistakes, or fewer hits."""
        return (self.change > 0) != (self.truth == self.guess)


def confusion_change(benchmark: Benchmark, model: Model) -> NDArray[np.int64] | None:
    """Return the model's counts less the reference's, truth by guess; None without a reference."""
    counts = _counts(benchmark, model)
    return None if counts is None else counts[1] - counts[0]


def changed_pairs(benchmark: Benchmark, model: Model, *, at_most: int) -> list[Pair]:
    """Return the mistakes whose number changed, most changed first."""
    counts = _counts(benchmark, model)
    if counts is None:
        return []
    before, after = counts
    labels = benchmark.data.labels
    pairs = [
        Pair(labels[truth], labels[guess], int(before[truth, guess]), int(after[truth, guess]))
        for truth, guess in np.argwhere(before != after)
        if truth != guess
    ]
    return sorted(pairs, key=lambda pair: (-abs(pair.change), -pair.change))[:at_most]


def _counts(
    benchmark: Benchmark, model: Model
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    reference = benchmark.reference
    if not (model.against and model.metrics and reference and reference.metrics):
        return None
    truth, classes = np.asarray(benchmark.data.truth), len(benchmark.data.labels)
    before, after = (
        confusion_matrix(truth, np.asarray(one.guesses), classes=classes)
        for one in (reference.metrics, model.metrics)
    )
    return before, after
