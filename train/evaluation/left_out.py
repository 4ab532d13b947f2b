"""How well a class would be noticed that the training had not held: each in turn is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...models.data.examples import Split
from ...models.float_model import FloatModel
from ...models.metrics.detection import auroc
from ...models.metrics.statistics import Estimate, wilson_interval
from ...models.novelty.fit import Observed, novelty_deviations
from .temperature import at_temperature

# A class that is left out leaves two others at least to be separated.
_FEWEST_CLASSES = 3
_FEWEST_IMAGES = 2
_MOST_TRAIN = 1000


@dataclass(frozen=True)
class LeftOutClass:
    """A class of which the novelty model knows nothing, against those that it knows.

    Attributes:
        label: the class.
        images: how many of it were judged, none of which the network was trained on.
        known: the same of the other classes.
        novelty: area under the ROC curve of the novelty, 0 to 1; Wilson.
        softmax: the same of the best score, lowest first.
    """

    label: str
    images: int
    known: int
    novelty: Estimate
    softmax: Estimate


def observed(
    features: Sequence[NDArray[np.float32]],
    scores: Sequence[NDArray[np.float32]],
    classes: Sequence[NDArray[np.intp]],
) -> Observed:
    """Return what a network computed of images, in parts, as one; every image is its own group."""
    joined = np.concatenate(classes)
    groups = np.arange(len(joined))
    return Observed(np.concatenate(features), np.concatenate(scores), joined, groups)


def leave_classes_out(
    model: FloatModel, train: Split, held_out: Observed, *, temperature: float
) -> tuple[LeftOutClass, ...]:
    """Return for each class how well its images are separated by a model without it.

    The class leaves the scores and the training images of the novelty model; the network itself
    was trained with it, so that a class which is truly new may be noticed less well.

    Args:
        model: the network, with its scores as trained.
        train: images that it was trained on, of which a thousand are taken.
        held_out: what it computes of others, with calibrated scores.
        temperature: that calibrates its scores.
    """
    labels = model.info.labels
    if len(labels) < _FEWEST_CLASSES:
        return ()
    chosen = np.random.default_rng(0).permutation(len(train.classes))[:_MOST_TRAIN]
    as_trained, features = model.observe(train.pixels[chosen])
    scores = at_temperature(as_trained, temperature)
    fitted = observed([features], [scores], [train.classes[chosen]])
    found = (_leave_out(place, fitted, held_out, labels) for place in range(len(labels)))
    return tuple(one for one in found if one is not None)


def _leave_out(
    place: int, train: Observed, held_out: Observed, labels: tuple[str, ...]
) -> LeftOutClass | None:
    """Return how well a class is noticed; None if too few images can tell."""
    foreign, others = held_out.classes == place, np.delete(np.arange(len(labels)), place)
    rest = train.classes != place
    images, known = int(foreign.sum()), int((~foreign).sum())
    if min(images, known) < _FEWEST_IMAGES or not rest.any() or rest.all():
        return None
    judged = _without(held_out, others)
    novelty = novelty_deviations(_without(train.some(rest), others), judged, known=~foreign)
    return LeftOutClass(
        labels[place],
        images,
        known,
        novelty=_auroc_estimate(novelty, foreign),
        softmax=_auroc_estimate(1 - judged.scores.max(1), foreign),
    )


def _without(observed: Observed, others: NDArray[np.intp]) -> Observed:
    """Return what was observed with the scores of the `others` alone, which add up to 1 again."""
    scores = observed.scores[:, others].astype(np.float64)
    scores /= np.maximum(scores.sum(1, keepdims=True), np.finfo(np.float64).tiny)
    places = np.searchsorted(others, observed.classes)
    return replace(observed, scores=scores.astype(np.float32), classes=places)


def _auroc_estimate(values: NDArray[np.floating], foreign: NDArray[np.bool_]) -> Estimate:
    """Return the AUROC with Wilson's interval of a share of as many draws as the fewer images."""
    value = auroc(values[~foreign], values[foreign])
    draws = int(min(foreign.sum(), (~foreign).sum()))
    return Estimate(value, wilson_interval(round(value * draws), images=draws))
