"""What a model says of known, foreign and disturbed images."""

import time
from collections import Counter
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.classifier import Classifier
from ...edge_runtime.prediction import least_scores, name_best
from ...models.metrics.detection import auroc, catch_curve, grouped_share
from ...models.metrics.statistics import Estimate, share_estimate
from ...models.report.figures import figure
from .disturbances import DISTURBANCES, distinct

SCHEMA = 1

_LABELS_SHOWN = 3
_MOST_POINTS = 200  # of a curve
_REPETITIONS = 200  # of what takes microseconds


@dataclass(frozen=True)
class Answers:
    """What a model says of images.

    Attributes:
        deviations: of their novelty, of shape (images,).
        doubts: 1 less the best score, of shape (images,).
        labels: the label of each.
    """

    deviations: NDArray[np.float64]
    doubts: NDArray[np.float64]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class KnownImages:
    """Images of the model's classes that it was not trained on.

    Attributes:
        images: how many.
        groups: of how many things these are.
        unknown: share of them that is unknown for its novelty, each group weighing the same.
        said: how many have each label.
    """

    images: int
    groups: int
    unknown: Estimate
    said: dict[str, int]


@dataclass(frozen=True)
class ForeignImages:
    """Images that the model cannot know, against the known ones.

    Attributes:
        name: of their folder, or of what was done to the known ones.
        images: how many.
        auroc: area under the ROC curve of the novelty.
        softmax_auroc: the same of the best score, lowest first.
        caught: share of them that is unknown for its novelty, with Wilson's interval.
        said: how many have each label.
        curve: shares of known and of foreign images above a falling limit of novelty.
    """

    name: str
    images: int
    auroc: float
    softmax_auroc: float
    caught: Estimate
    said: dict[str, int]
    curve: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class NoveltyBenchmark:
    """The whole measurement.

    Attributes:
        schema: rises when a field changes meaning.
        name: of the model's file.
        recipe: how it was quantized.
        threshold: the novelty above which it calls an image unknown.
        known: images of its classes.
        foreign: the folders of other images, in the order given.
        disturbed: the known images after each disturbance.
        infer_ms: median milliseconds of an inference.
        judge_ms: median milliseconds of judging its novelty after it.
        model_bytes: what the judging takes of the file.
    """

    schema: int
    name: str
    recipe: str
    threshold: float
    known: KnownImages
    foreign: tuple[ForeignImages, ...]
    disturbed: tuple[ForeignImages, ...]
    infer_ms: float
    judge_ms: float
    model_bytes: int


def answer(classifier: Classifier, images: NDArray[np.uint8], *, name: str) -> Answers:
    """Return what a model with novelty says of images.

    Args:
        classifier: the model.
        images: its inputs, RGB uint8 of shape (images, height, width, 3).
        name: of the images, for the progress.
    """
    spec = classifier.spec
    least = least_scores(spec.labels, classifier.thresholds, 0.0)
    deviations, doubts, labels = [], [], []
    with click.progressbar(images, label=f"Novelty of {name}") as bar:
        for image in bar:
            scores, novelty = classifier.answer(classifier.observe(image))
            assert novelty is not None
            deviations.append(novelty.deviations)
            doubts.append(1 - float(scores.max()))
            named = name_best(scores, labels=spec.labels, least=least, top=1, ms=0, novelty=novelty)
            labels.append(named.label)
    return Answers(np.asarray(deviations), np.asarray(doubts), tuple(labels))


def score_known(answers: Answers, groups: NDArray[np.intp], *, limit: float) -> KnownImages:
    """Return how many known images a model calls unknown.

    Args:
        answers: what it says of them.
        groups: what thing each shows, of shape (images,).
        limit: the deviate above which an image is unknown.
    """
    return KnownImages(
        images=len(groups),
        groups=len(np.unique(groups)),
        unknown=grouped_share(answers.deviations > limit, groups),
        said=dict(Counter(answers.labels).most_common()),
    )


def score_foreign(known: Answers, foreign: Answers, *, name: str, limit: float) -> ForeignImages:
    """Return how well a model tells foreign images from known ones.

    Args:
        known: what it says of the known ones.
        foreign: what it says of the others.
        name: of these.
        limit: as of `score_known`.
    """
    curve = catch_curve(known.deviations, foreign.deviations)
    places = np.unique(np.linspace(0, len(curve) - 1, _MOST_POINTS).round().astype(int))
    caught = int((foreign.deviations > limit).sum())
    return ForeignImages(
        name=name,
        images=len(foreign.labels),
        auroc=auroc(known.deviations, foreign.deviations),
        softmax_auroc=auroc(known.doubts, foreign.doubts),
        caught=share_estimate(caught, images=len(foreign.labels)),
        said=dict(Counter(foreign.labels).most_common()),
        curve=tuple((float(x), float(y)) for x, y in curve[places]),
    )


def score_disturbed(
    classifier: Classifier, images: NDArray[np.uint8], known: Answers, *, limit: float
) -> tuple[ForeignImages, ...]:
    """Return what a model says of known images that are disturbed, one of the same each.

    Args:
        classifier: the model.
        images: the known images, as its inputs.
        known: what it says of them.
        limit: as of `score_known`.
    """
    return tuple(
        score_foreign(
            known,
            answer(classifier, distinct(np.stack([disturb(one) for one in images])), name=name),
            name=name,
            limit=limit,
        )
        for name, disturb in DISTURBANCES.items()
    )


def cells_of(one: ForeignImages) -> list[str]:
    """Return the row of a table: name, images, both AUROC, share that is unknown, labels."""
    return [
        one.name,
        str(one.images),
        f"{one.auroc:.4f}",
        f"{one.softmax_auroc:.4f}",
        figure(one.caught),
        said_text(one.said),
    ]


def said_text(counts: dict[str, int]) -> str:
    """Return in a few words how many images have which label."""
    shown = [f"{label} {count}" for label, count in list(counts.items())[:_LABELS_SHOWN]]
    return ", ".join(shown) + (", …" if len(counts) > _LABELS_SHOWN else "")


def measure_cost(classifier: Classifier, images: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the median milliseconds of an inference, and of judging its novelty after it."""
    known = classifier.knowledge
    infer, judge = [], []
    for image in images[:_REPETITIONS]:
        start = time.perf_counter()
        output, features, _ = known.tensors.compute(image, with_features=True)
        computed = time.perf_counter()
        known.answer(known.observed(image, output, features))
        judge.append(time.perf_counter() - computed)
        infer.append(computed - start)
    return 1000 * float(np.median(infer)), 1000 * float(np.median(judge))
