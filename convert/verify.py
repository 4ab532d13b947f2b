"""A written file, loaded in the device runtime and held against the float model."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.classifier import Classifier
from ..edge_runtime.interpreter import delegated_parts, float_operators
from ..edge_runtime.scoring import Scores, agreement, drop_points, score_predictions


@dataclass(frozen=True)
class ScoringSet:
    """Labelled images and what the float model says of them.

    Attributes:
        inputs: RGB uint8 of shape (images, height, width, 3).
        truth: class index of each, of shape (images,).
        reference: the float model's scores, float32 of shape (images, classes).
    """

    inputs: NDArray[np.uint8]
    truth: NDArray[np.intp]
    reference: NDArray[np.float32]


@dataclass(frozen=True)
class Verdict:
    """What was measured of a file.

    Attributes:
        recipe: how it was quantized.
        file: its name.
        bytes: its size.
        sha256: its digest.
        float_operators: operators that compute in floating point, by name.
        delegated_parts: parts of the graph that XNNPACK runs; 0 means slow plain kernels.
        scores: how it fared on the scoring set; None without one.
        drop_points: accuracy lost against the float model, in percentage points.
        agreement: share of images on which both name the same class.
        largest_difference: of any score from the float model's.
    """

    recipe: str
    file: str
    bytes: int
    sha256: str
    float_operators: dict[str, int]
    delegated_parts: int
    scores: Scores | None
    drop_points: float | None
    agreement: float | None
    largest_difference: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as a JSON object."""
        scores = None if self.scores is None else self.scores.to_json()
        return vars(self) | {"scores": scores}


def verify(path: Path, scoring: ScoringSet | None) -> Verdict:
    """Load the model at `path` as a device would, and score it on `scoring`."""
    classifier = Classifier(path)
    data = path.read_bytes()
    verdict = Verdict(
        recipe=classifier.spec.recipe,
        file=path.name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        float_operators=float_operators(classifier.interpreter),
        delegated_parts=delegated_parts(classifier.interpreter),
        scores=None,
        drop_points=None,
        agreement=None,
        largest_difference=None,
    )
    if scoring is None:
        return verdict
    scores = _scores(classifier, scoring.inputs)
    guess, reference = scores.argmax(1), scoring.reference.argmax(1)
    return replace(
        verdict,
        scores=score_predictions(scoring.truth, guess, labels=classifier.spec.labels),
        drop_points=drop_points(scoring.truth, reference=reference, guess=guess),
        agreement=agreement(reference, guess),
        largest_difference=float(np.abs(scores - scoring.reference).max()),
    )


def _scores(classifier: Classifier, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    scores = np.empty((len(inputs), len(classifier.spec.labels)), np.float32)
    with click.progressbar(inputs, label=f"Scoring {classifier.spec.recipe}") as bar:
        for index, image in enumerate(bar):
            scores[index] = classifier.scores(image)
    return scores
