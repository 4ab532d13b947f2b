"""The memory of good patches, fitted on features of good images. NumPy only."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.metrics.detection import grouped_share, upper_limit
from ...models.metrics.statistics import Estimate
from ...models.networks.patch_memory import PATCHES_STEP, PatchMemory
from .coreset import greedy_coreset

Floats = NDArray[np.float32]

# The projection is fitted on so many images; the patches to choose from are so many.
_MOST_PROJECTED, _MOST_CANDIDATES = 100, 40_000
# The constant beside projected features, in their mean lengths: the larger, the nearer is the
# cosine's distance to that of the features, and the coarser are the steps of int8.
_CONSTANT = 3.0
# Of the variance of the widest direction, added to all: what hardly varies is not blown up.
_LEAST_VARIANCE = 0.01
_FOLDS = 5
# Of how many groups the mean of all places counts as much as that of one place.
_GROUPS_OF_PRIOR = 30
# From which on their spread tells what a further group brings.
_FEWEST_GROUPS = 4
_LEAST_DISTANCE = 1e-6
_BATCH = 32


@dataclass(frozen=True)
class HeldOut:
    """Good images that the memory did not hold when they were measured.

    Attributes:
        images: how many.
        groups: of how many things these are.
        defects: share of them that is called a defect, each group weighing the same.
    """

    images: int
    groups: int
    defects: Estimate


def fit_memory(
    features: Callable[[NDArray[np.intp]], Floats],
    *,
    train: NDArray[np.intp],
    val: NDArray[np.intp],
    groups: NDArray[np.intp],
    dimensions: int,
    patches: int,
    false_defect: float,
    seed: int,
) -> tuple[PatchMemory, HeldOut]:
    """Return the memory of the patches of `train`, and the good images that its threshold is of.

    The threshold comes from images that a memory does not hold: `val`, and those of `train` from
    memories of the other groups.

    Args:
        features: of images by their places, float32 of shape (images, rows, columns, channels).
        train: places of the images to remember.
        val: of further good images.
        groups: what thing each image shows, of shape (all images,).
        dimensions: of the projection.
        patches: at most so many, rounded down to a multiple of `PATCHES_STEP`.
        false_defect: share of good images that may be called a defect, above 0, below 0.5.
        seed: of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    drawn = features(rng.permutation(train)[:_MOST_PROJECTED])
    rows_columns = drawn.shape[1:3]
    kernel, bias = _projection(drawn, dimensions, rng)
    projected = _project(features, np.concatenate([train, val]), kernel, bias)
    lengths = [np.linalg.norm(projected[int(place)], axis=-1).mean() for place in train]
    constant = _CONSTANT * max(float(np.mean(lengths)), _LEAST_DISTANCE)
    unit = {place: _with_constant(vectors, constant) for place, vectors in projected.items()}

    def remember(places: NDArray[np.intp]) -> Floats:
        vectors = np.concatenate([unit[int(place)] for place in places])
        few = vectors[rng.permutation(len(vectors))[:_MOST_CANDIDATES]]
        count = max(patches // PATCHES_STEP, 1) * PATCHES_STEP
        return few[np.resize(greedy_coreset(few, count, seed=seed), count)]

    def measure(places: NDArray[np.intp], memory: Floats) -> list[Floats]:
        return [
            distance_map(unit[int(place)].reshape(*rows_columns, -1), memory) for place in places
        ]

    memory = remember(train)
    maps, of_group = measure(val, memory), list(groups[val])
    for fold in _folds(groups[train], rng):
        rest = np.setdiff1d(train, train[fold])
        maps += measure(train[fold], remember(rest))
        of_group += list(groups[train[fold]])
    thresholds, held_out = _thresholds(np.stack(maps), np.asarray(of_group), false_defect)
    return PatchMemory(kernel, bias, constant, memory, thresholds), held_out


def distance_map(vectors: Floats, memory: Floats) -> Floats:
    """Return how far the patches of an image are from the nearest one in the memory, above 0, as
    the mean of 3x3 places: of shape (rows, columns).

    Args:
        vectors: of length 1, of shape (rows, columns, dimensions).
        memory: the same, of shape (patches, dimensions).
    """
    return _mean_of_3x3(np.maximum(1 - (vectors @ memory.T).max(-1), _LEAST_DISTANCE))


def _mean_of_3x3(values: Floats) -> Floats:
    """Return the mean of each place and its neighbours; beyond the border there are none."""
    padded = np.pad(values, 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return np.asarray(np.nanmean(windows, (2, 3)), np.float32)


def _thresholds(
    maps: Floats, groups: NDArray[np.intp], false_defect: float
) -> tuple[Floats, HeldOut]:
    """Return the distance from which each place is a defect, and the images that it comes from.

    It is proportional to the mean distance at the place. That of few groups is drawn towards the
    mean of all places.

    Args:
        maps: distances of images that the memory did not hold, of shape (images, rows, columns).
        groups: what thing each image shows, of shape (images,).
        false_defect: share of good images that may be called a defect.
    """
    count = len(np.unique(groups))
    own = count / (count + _GROUPS_OF_PRIOR)
    usual = own * _mean_of_3x3(maps.mean(0)) + (1 - own) * maps.mean()
    farthest = np.log((maps / usual).max((1, 2)))
    limit = upper_limit(farthest, groups, false_defect, fewest_groups=_FEWEST_GROUPS)
    held_out = HeldOut(
        images=len(maps), groups=count, defects=grouped_share(farthest > limit, groups)
    )
    return np.asarray(math.exp(limit) * usual, np.float32), held_out


def _projection(
    features: Floats, dimensions: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return what brings patches to drawn directions, in which all vary alike: kernel and bias.

    Each channel counts alike, however wide it is. Principal components would leave out where good
    patches hardly vary, which is where defects show.
    """
    patches = features.reshape(-1, features.shape[-1]).astype(np.float64)
    mean, deviation = patches.mean(0), patches.std(0)
    scale = 1 / np.maximum(deviation, _LEAST_DISTANCE + 1e-3 * float(deviation.max()))
    drawn = scale[:, np.newaxis] * rng.normal(size=(len(scale), dimensions)) / len(scale) ** 0.5
    projected = (patches - mean) @ drawn
    variances, axes = np.linalg.eigh(projected.T @ projected / len(projected))
    widest = max(float(variances[-1]), _LEAST_DISTANCE)
    kernel = drawn @ axes / np.sqrt(np.maximum(variances, 0) + _LEAST_VARIANCE * widest)
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)


def _project(
    features: Callable[[NDArray[np.intp]], Floats],
    places: NDArray[np.intp],
    kernel: Floats,
    bias: Floats,
) -> dict[int, Floats]:
    """Return the projected patches of each image, of shape (patches, dimensions)."""
    projected = {}
    for start in range(0, len(places), _BATCH):
        part = places[start : start + _BATCH]
        for place, image in zip(part, features(part), strict=True):
            projected[int(place)] = image.reshape(-1, len(kernel)) @ kernel + bias
    return projected


def _with_constant(vectors: Floats, constant: float) -> Floats:
    joined = np.pad(vectors, ((0, 0), (0, 1)), constant_values=np.float32(constant))
    return np.asarray(joined / np.linalg.norm(joined, axis=1, keepdims=True), np.float32)


def _folds(groups: NDArray[np.intp], rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return the places of each fold, no group in two; none where there is one group."""
    numbers = np.unique(groups, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    fold_of = rng.permutation(count)[numbers] % min(_FOLDS, count)
    return [np.flatnonzero(fold_of == fold) for fold in range(min(_FOLDS, count)) if count > 1]
