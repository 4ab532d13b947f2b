"""How a model compares with the reference on the same images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...models.metrics.predictions import Predictions
from ...models.metrics.registry import AGREEMENT
from ...models.metrics.scoring import ClassScores, Labels, accuracy_drop, recall_drops
from .schema import Against, Disagreement

_SHOWN = 50


def measure_against(
    truth: Labels,
    scores: ClassScores,
    *,
    reference: ClassScores,
    labels: tuple[str, ...],
    paths: Sequence[Path],
    folder: Path,
) -> Against:
    """Return how a model compares with the reference, both scores as in `Predictions`.

    Args:
        truth: class indices, of shape (images,).
        scores: of the model.
        reference: those of the reference.
        labels: class names in the order of the scores.
        paths: the files of the images.
        folder: what their paths are relative to.
    """
    guess, expected = scores.argmax(1), reference.argmax(1)
    agreement = AGREEMENT.measure(Predictions(truth, scores, labels, reference=reference))
    assert agreement
    differing = np.flatnonzero(guess != expected)
    kind = np.where(expected == truth, 0, np.where(guess == truth, 1, 2))[differing]
    surest_first = np.lexsort((-scores.max(1)[differing], kind))
    return Against(
        drop=accuracy_drop(truth, reference=expected, guess=guess),
        agreement=agreement,
        recall_drops=recall_drops(truth, reference=expected, guess=guess, labels=labels),
        disagreements=len(differing),
        shown=tuple(
            Disagreement(
                path=_shown_path(paths[i], folder),
                truth=labels[truth[i]],
                reference_guess=labels[expected[i]],
                reference_score=round(float(reference[i, expected[i]]), 6),
                guess=labels[guess[i]],
                score=round(float(scores[i, guess[i]]), 6),
            )
            for i in differing[surest_first][:_SHOWN]
        ),
    )


def _shown_path(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
