"""A written file, loaded in the device runtime and held against the float model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.classifier import Classifier
from ...edge_runtime.tflite.interpreter import delegated_parts, float_operators
from ...models.metrics.predictions import Predictions
from ...models.metrics.records import to_json
from ...models.metrics.registry import ESCAPE_RATE, IMAGE_AUROC, OVERKILL
from ...models.metrics.scoring import Metrics, agreement, score_predictions
from ...models.metrics.statistics import Estimate, share_estimate
from ...models.recommendation import Tradeoff, recommended_index
from ..recipes import KINDS, RECIPES
from .gate import GateResult, Limits, judge


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
class ConversionResult:
    """What was measured of a file.

    Attributes:
        recipe: how it was quantized.
        file: its name.
        bytes: its size.
        sha256: its digest.
        float_operators: operators that compute in floating point, by name.
        delegated_parts: parts of the graph that XNNPACK runs; 0 means slow plain kernels,
            None where the runtime does not tell.
        scores: how it fared on the scoring set; None without one.
        drop_points: accuracy lost against the float model, in percentage points.
        agreement: share of images on which both name the same class.
        largest_difference: of any score from the float model's.
        unknown: share of the scoring set that is unknown for its novelty, with Wilson's interval;
            None of a file that cannot tell.
        gate: what it lost, and whether that is too much; None without a scoring set.
        escape_rate: share of the defects that are called good; None without a good class.
        overkill: share of the good ones that are called a defect; the same.
        image_auroc: chance that a defect scores higher than a good image; None of a network that
            knows defects.
    """

    recipe: str
    file: str
    bytes: int
    sha256: str
    float_operators: dict[str, int]
    delegated_parts: int | None
    scores: Metrics | None
    drop_points: float | None
    agreement: float | None
    largest_difference: float | None
    gate: GateResult | None
    unknown: Estimate | None = None
    escape_rate: Estimate | None = None
    overkill: Estimate | None = None
    image_auroc: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        scores = None if self.scores is None else self.scores.to_json()
        gate = None if self.gate is None else self.gate.to_json()
        estimates = {
            "unknown": to_json(self.unknown),
            "escape_rate": to_json(self.escape_rate),
            "overkill": to_json(self.overkill),
            "image_auroc": to_json(self.image_auroc),
        }
        return vars(self) | {"scores": scores, "gate": gate} | estimates


@dataclass(frozen=True)
class Recommendation:
    """The model to ship.

    Attributes:
        recipe: how it is quantized.
        file: its name.
        reason: for people.
    """

    recipe: str
    file: str
    reason: str


def recommend(results: Sequence[ConversionResult]) -> Recommendation | None:
    """Return the smallest of the fastest kind among the models that passed the gate, if any did.

    Of files that are at most 2 % larger, the one that loses least.
    """
    index = recommended_index(
        [
            Tradeoff(
                is_harmless=result.gate is not None and result.gate.passed,
                drop_points=result.drop_points or 0.0,
                cost=result.bytes,
                speed_class=KINDS.index(RECIPES[result.recipe].kind),
            )
            for result in results
        ]
    )
    if index is None:
        return None
    best = results[index]
    kind = RECIPES[best.recipe].kind
    reason = f"{best.bytes / 1e6:.2f} MB, {kind}, drop {best.drop_points:.1f} points"
    return Recommendation(best.recipe, best.file, reason)


def verify(path: Path, scoring: ScoringSet | None, *, limits: Limits) -> ConversionResult:
    """Load the model at `path` as a device would, score it on `scoring`, hold it to `limits`."""
    classifier = Classifier(path)
    data = path.read_bytes()
    result = ConversionResult(
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
        unknown=None,
        gate=None,
    )
    if scoring is None:
        return result
    labels = classifier.spec.labels
    scores, novel = _file_answers(classifier, scoring.inputs)
    guess, reference = scores.argmax(1), scoring.reference.argmax(1)
    good = classifier.spec.good
    gate = judge(
        scoring.truth, reference=reference, guess=guess, labels=labels, limits=limits, good=good
    )
    predictions = Predictions(scoring.truth, scores, labels, good=good)
    return replace(
        result,
        scores=score_predictions(scoring.truth, guess, labels=labels),
        drop_points=gate.drop.points,
        agreement=agreement(reference, guess),
        largest_difference=float(np.abs(scores - scoring.reference).max()),
        unknown=None if novel is None else share_estimate(int(novel.sum()), images=len(novel)),
        gate=gate,
        escape_rate=ESCAPE_RATE.measure(predictions),
        overkill=OVERKILL.measure(predictions),
        image_auroc=IMAGE_AUROC.measure(predictions),
    )


def file_scores(classifier: Classifier, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a file's float32 scores (images, classes) for RGB uint8 (images, h, w, 3)."""
    return _file_answers(classifier, inputs)[0]


def _file_answers(
    classifier: Classifier, inputs: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return a file's scores, and which images are unknown for their novelty if it can tell."""
    scores = np.empty((len(inputs), len(classifier.spec.labels)), np.float32)
    novel = None if classifier.spec.novelty is None else np.zeros(len(inputs), np.bool_)
    with click.progressbar(inputs, label=f"Scoring {classifier.spec.recipe}") as bar:
        for index, image in enumerate(bar):
            if novel is None:
                scores[index] = classifier.scores(image)
            else:
                scores[index], novelty = classifier.answer(classifier.observe(image))
                novel[index] = novelty is not None and novelty.is_unknown
    return scores, novel
