"""A novelty model from the features and scores of training and held-out images. NumPy only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.novelty.appearance import AppearanceRange, departure_from
from ...edge_runtime.novelty.features import doubt_of, unit_length
from ...edge_runtime.novelty.model import HeldOut, Novelty, NoveltyModel
from ...edge_runtime.novelty.space import encoded
from ..metrics.detection import grouped_share, upper_limit

Doubles = NDArray[np.float64]

# Bytes of all axes and class means, in float16. In base64 and with the rest that is 1 MB.
_MOST_BYTES = 700_000
_MOST_AXES = 256
# Of the variance of the training images, what the axes leave out.
_LEFT_OUT = 1e-4
_LEAST_DEVIATION = 1e-6
_FOLDS, _LEAST_FITTED = 10, 0.75
# Of fewer, the limit for a group yet unseen lies so far out that foreign images are within.
_FEWEST_GROUPS = 20
# Of distance and doubt, each in its standard deviations: found by leaving classes out.
_WEIGHTS = (1.0, 2.0)
_ANY_SHARE = 0.01  # where no limit is set


@dataclass(frozen=True)
class Observed:
    """What a file computes of images.

    Attributes:
        features: float32 of shape (images, channels).
        scores: float32 of shape (images, classes).
        classes: class index of each, of shape (images,).
        groups: what thing each shows, of shape (images,); every image its own where that is not
            known.
        appearances: float32 of shape (images, properties); None to judge by the features alone.
    """

    features: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]
    groups: NDArray[np.intp]
    appearances: NDArray[np.float32] | None = None

    def some(self, chosen: NDArray[Any]) -> "Observed":
        """Return what was observed of the images that `chosen` indexes."""
        parts = {name: part[chosen] for name, part in vars(self).items() if part is not None}
        return Observed(**parts)


def fit_novelty(train: Observed, held_out: Observed, *, false_unknown: float) -> NoveltyModel:
    """Return the novelty model of a file.

    Args:
        train: what it computes of training images, at least one of each class.
        held_out: the same of images that the network was not trained on, at least two.
        false_unknown: share of known images that may be said to be unknown, above 0, below 0.5.
    """
    model = _fit_features(train, false_unknown=false_unknown)
    model = _with_limits(model, held_out, _cross_distances(train, false_unknown=false_unknown))
    if train.appearances is not None:
        model = replace(model, appearance=AppearanceRange.around(train.appearances))
    novel = np.asarray([novelty.is_unknown for novelty in _judged(model, held_out)])
    if train.appearances is not None and held_out.appearances is not None:
        known = np.concatenate([train.appearances, held_out.appearances])
        model = replace(model, appearance=AppearanceRange.around(known))
    unknown = grouped_share(novel, held_out.groups)
    figures = HeldOut(
        images=len(novel),
        groups=len(np.unique(held_out.groups)),
        unknown=unknown.value,
        interval=(unknown.interval.low, unknown.interval.high),
    )
    return replace(model, held_out=figures)


def novelty_deviations(train: Observed, judged: Observed, *, known: NDArray[np.bool_]) -> Doubles:
    """Return how novel images are, as standard normal deviates of shape (images,).

    The limits are those of the known images among them, which takes a tenth of the time of
    `fit_novelty`, and is enough to put the images into an order.

    Args:
        train: as of `fit_novelty`.
        judged: the images.
        known: which of them are of the model's classes, two or more: of shape (images,).
    """
    model = _fit_features(train, false_unknown=_ANY_SHARE)
    model = _with_limits(model, judged.some(known))
    return np.asarray([novelty.deviations for novelty in _judged(model, judged)], np.float64)


def _with_limits(
    model: NoveltyModel, held_out: Observed, *further: tuple[Doubles, NDArray[np.intp]]
) -> NoveltyModel:
    """Return the model with the limits that held-out images set, and `further` log distances of
    known images with their groups."""
    distances = _log_distances(model, held_out.features)
    doubts = np.asarray([doubt_of(scores) for scores in held_out.scores], np.float64)
    of_distance, of_doubt = (
        weight / max(float(part.std()), _LEAST_DEVIATION)
        for weight, part in zip(_WEIGHTS, (distances, doubts), strict=True)
    )
    blends = of_distance * distances + of_doubt * doubts
    share = model.false_unknown / 2  # either limit makes unknown: each gets half
    return replace(
        model,
        distance=_mean_and_limit(((distances, held_out.groups), *further), share),
        weights=(of_distance, of_doubt),
        blend=_mean_and_limit(((blends, held_out.groups),), share),
    )


def _judged(model: NoveltyModel, images: Observed) -> list[Novelty]:
    looks = images.appearances if images.appearances is not None else [None] * len(images.classes)
    answers = zip(images.features, images.scores, looks, strict=True)
    return [
        model.judge(features, scores, departure=departure_from(model.appearance_ranges, look))
        for features, scores, look in answers
    ]


def _fit_features(train: Observed, *, false_unknown: float) -> NoveltyModel:
    """Return the model of the features alone; its figures of held-out images are still empty."""
    unit = unit_length(train.features).astype(np.float64)
    centre = unit.mean(0)
    offsets = unit - centre
    places = np.unique(train.classes)
    means = np.zeros((train.scores.shape[1], offsets.shape[1]))
    for place in places:
        means[place] = offsets[train.classes == place].mean(0)
    within = offsets - means[train.classes]
    shrinkage, mean_variance = ledoit_wolf(within)
    axes = _axes(offsets, classes=len(means))
    along = within @ axes.T
    covariance = (1 - shrinkage) * along.T @ along / len(along)
    variances, turn = np.linalg.eigh(covariance + shrinkage * mean_variance * np.eye(len(axes)))
    axes = turn.T @ axes
    channels = offsets.shape[1]
    beside = (1 - shrinkage) * (np.square(within).sum() - np.square(along).sum()) / len(within)
    rest = beside / max(channels - len(axes), 1) + shrinkage * mean_variance
    smallest = max(float(variances.max(initial=mean_variance)), 1e-12) * 1e-9
    return NoveltyModel(
        channels=channels,
        centre=encoded(centre, "<f4"),
        axes=encoded(axes, "<f2"),
        variances=encoded(np.maximum(variances, smallest), "<f4"),
        rest_variance=max(float(rest), smallest),
        class_means=encoded(means @ axes.T, "<f2"),
        distance=(0.0, 1.0),
        weights=(1.0, 1.0),
        blend=(0.0, 1.0),
        false_unknown=false_unknown,
        held_out=HeldOut(0, 0, 0.0, (0.0, 1.0)),
    )


def _axes(offsets: Doubles, *, classes: int) -> Doubles:
    """Return the directions that hold most of the variance, of shape (axes, channels)."""
    room = _MOST_BYTES // 2 // (offsets.shape[1] + classes)
    _, sizes, axes = np.linalg.svd(offsets, full_matrices=False)
    variances = np.square(sizes)
    needed = int(np.searchsorted(np.cumsum(variances), (1 - _LEFT_OUT) * variances.sum())) + 1
    return np.asarray(axes[: max(1, min(needed, room, _MOST_AXES))])


def ledoit_wolf(offsets: Doubles) -> tuple[float, float]:
    """Return how far to shrink the covariance of `offsets`, and the mean variance to shrink it to.

    Ledoit and Wolf 2004, https://doi.org/10.1016/S0047-259X(03)00096-4: the shrinkage that is
    nearest to the true covariance, 0 to 1.

    Args:
        offsets: of shape (images, channels), with mean 0.
    """
    images, channels = offsets.shape
    # With few images the products of images are fewer than those of channels.
    products = offsets @ offsets.T if images < channels else offsets.T @ offsets
    squares = float(np.square(products).sum()) / images**2
    mean_variance = float(np.square(offsets).sum()) / images / channels
    scatter = squares - channels * mean_variance**2
    if scatter <= 0 or mean_variance <= 0:
        return 1.0, max(mean_variance, _LEAST_DEVIATION**2)
    lengths = np.square(offsets).sum(1)
    error = (float(np.square(lengths).sum()) / images - squares) / images
    return min(max(error, 0.0) / scatter, 1.0), mean_variance


def _log_distances(model: NoveltyModel, features: NDArray[np.float32]) -> Doubles:
    return np.asarray([math.log(model.distance_of(each)) for each in features], np.float64)


def _cross_distances(train: Observed, *, false_unknown: float) -> tuple[Doubles, NDArray[np.intp]]:
    """Return the log distances of training images from models that lack their group; the groups.

    Where groups are few, the held-out ones do not hold all that is known, and these are more. Left
    out are images whose class the fold does not leave, and folds that leave too few images to speak
    for a model of all of them.
    """
    groups = np.unique(train.groups, return_inverse=True)[1]
    folds = min(_FOLDS, int(groups.max()) + 1)
    fold_of = np.random.default_rng(0).permutation(int(groups.max()) + 1)[groups] % folds
    found, found_groups = [np.zeros(0)], [np.zeros(0, np.intp)]
    for fold in range(folds if folds > 1 else 0):
        fitted = np.flatnonzero(fold_of != fold)
        present = np.isin(train.classes, train.classes[fitted])
        tested = np.flatnonzero((fold_of == fold) & present)
        if len(fitted) < _LEAST_FITTED * len(fold_of):
            continue
        model = _fit_features(train.some(fitted), false_unknown=false_unknown)
        found.append(_log_distances(model, train.features[tested]))
        found_groups.append(groups[tested])
    return np.concatenate(found), np.concatenate(found_groups)


def _mean_and_limit(
    parts: Sequence[tuple[Doubles, NDArray[np.intp]]], share: float
) -> tuple[float, float]:
    """Return the mean of all values, and a limit that at most `share` of known images exceed.

    Each part, values with their groups, sets a limit, and the highest counts.
    """
    mean = float(np.concatenate([values for values, _ in parts]).mean())
    limits = [
        upper_limit(values, groups, share, fewest_groups=_FEWEST_GROUPS)
        for values, groups in parts
        if len(values)
    ]
    return mean, max(*limits, mean + _LEAST_DEVIATION)
