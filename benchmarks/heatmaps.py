"""Whether a class activation map lies on the defect: the pointing game, and overlap.

Pointing game: the middle of the map's hottest place must lie on the defect, or near it (Zhang et
al., Top-down neural attention by excitation backprop, IJCV 126 (2018) 1084-1102: a
tolerance of 15 pixels). Overlap: what of the map lies above a share of its maximum, against the
mask, as intersection over union. The map is that of the photograph's own class, so that the figures
say where a model looks and not whether it is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import cv2
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.classifier import Classifier
from ..edge_runtime.statistics import (
    Interval,
    bootstrap_interval,
    paired_counts,
    paired_interval,
    wilson_interval,
)
from .estimates import median
from .masks import Mask, MaskedImage
from .results import Estimate

# Zhang et al. 2018.
TOLERANCE = 15.0
# What a map's maximum is cut at where nothing is chosen: Zhou et al. 2016.
CUT = 0.2
# Of which one is chosen on other images.
CUTS = tuple(round(0.05 * step, 2) for step in range(1, 20))

Heatmap = NDArray[np.float32]


@dataclass(frozen=True)
class HeatmapScore:
    """How the maps of some photographs lie.

    Attributes:
        label: the class of the photographs; None for those of all classes.
        images: how many there are.
        on_defect: share of maps with the middle of the hottest place on the defect; Wilson's.
        near: share of those within the tolerance of it; likewise.
        chance: mean share of the picture that is defect: `on_defect` of a random point, and
            `overlap` of a map that marks everything.
        near_chance: mean share of the picture within the tolerance: `near` of a random point.
        centre: share of photographs with the defect in the very middle: `on_defect` of a map that
            always points there.
        overlap: mean intersection over union, 0 to 1; bootstrap.
    """

    label: str | None
    images: int
    on_defect: Estimate
    near: Estimate
    chance: float
    near_chance: float
    centre: float
    overlap: Estimate


@dataclass(frozen=True)
class ModelHeatmaps:
    """The maps of one model.

    Attributes:
        name: as tables call it.
        recipe: how it was quantized.
        map_hw: rows and columns of its maps.
        cut: the share of a map's maximum above which it counts as marked.
        scores: of all photographs, then of each class.
        same_place: share of photographs whose hottest place is that of the first model's map.
        difference: `on_defect` less the first model's, -1 to 1; Newcombe's interval.
        infer_ms: median time of an inference.
        map_ms: median time of making a map after it.
    """

    name: str
    recipe: str
    map_hw: tuple[int, int]
    cut: float
    scores: tuple[HeatmapScore, ...]
    same_place: float
    difference: Estimate
    infer_ms: float
    map_ms: float


@dataclass(frozen=True, eq=False)
class Maps:
    """What a model's maps of some photographs are.

    Attributes:
        heatmaps: of each photograph's class, float32 of shape (images, rows, columns).
        infer_ms: median time of an inference.
        map_ms: median time of making a map after it.
    """

    heatmaps: Heatmap
    infer_ms: float
    map_ms: float


def make_maps(classifier: Classifier, images: Sequence[MaskedImage]) -> Maps:
    """Return the map of each photograph's own class."""
    labels = classifier.spec.labels
    heatmaps: list[Heatmap] = []
    ticks: list[tuple[int, int, int]] = []
    classifier.infer(images[0].pixels)  # warms up
    for image in images:
        start = perf_counter_ns()
        classifier.infer(image.pixels)
        middle = perf_counter_ns()
        heatmaps.append(classifier.class_activation_map(labels.index(image.label)))
        ticks.append((start, middle, perf_counter_ns()))
    infer_ms, map_ms = (median(times) for times in np.diff(ticks, axis=1).T / 1e6)
    return Maps(np.stack(heatmaps), infer_ms, map_ms)


def score_model(
    maps: Maps,
    images: Sequence[MaskedImage],
    *,
    reference: Maps,
    name: str,
    recipe: str,
    cut: float,
    tolerance: float,
) -> ModelHeatmaps:
    """Return how the maps of a model lie on `images`, with `reference` those of the first model."""
    hits = on_defect(maps.heatmaps, images)
    expected = on_defect(reference.heatmaps, images)
    counts = paired_counts(hits, expected)
    labels = tuple(dict.fromkeys(image.label for image in images))
    places, first_places = hottest_places(maps.heatmaps), hottest_places(reference.heatmaps)
    return ModelHeatmaps(
        name=name,
        recipe=recipe,
        map_hw=(maps.heatmaps.shape[1], maps.heatmaps.shape[2]),
        cut=cut,
        scores=tuple(
            _score(maps.heatmaps, images, label=label, cut=cut, tolerance=tolerance)
            for label in (None, *labels)
        ),
        same_place=float((places == first_places).all(1).mean()),
        difference=Estimate(float(hits.mean() - expected.mean()), paired_interval(counts)),
        infer_ms=maps.infer_ms,
        map_ms=maps.map_ms,
    )


def hottest_places(heatmaps: Heatmap) -> NDArray[np.intp]:
    """Return row and column of the highest value of each map, of shape (images, 2)."""
    flat = heatmaps.reshape(len(heatmaps), -1).argmax(1)
    return np.stack(np.unravel_index(flat, heatmaps.shape[1:]), axis=1)


def on_defect(
    heatmaps: Heatmap, images: Sequence[MaskedImage], *, tolerance: float = 0.0
) -> NDArray[np.bool_]:
    """Tell of each map whether the middle of its hottest place lies within `tolerance` pixels of
    the defect."""
    rows_columns = np.asarray(heatmaps.shape[1:])
    return np.asarray([
        _near(image.mask, tolerance)[
            tuple(((place + 0.5) * image.mask.shape / rows_columns).astype(int))
        ]
        for place, image in zip(hottest_places(heatmaps), images, strict=True)
    ], np.bool_)  # fmt: skip


def overlaps(
    heatmaps: Heatmap, images: Sequence[MaskedImage], *, cut: float
) -> NDArray[np.float64]:
    """Return the intersection over union of each map's marked part and the mask, (images,)."""
    found = []
    for heatmap, image in zip(heatmaps, images, strict=True):
        speaking = np.maximum(heatmap, 0)
        height, width = image.mask.shape
        enlarged = cv2.resize(speaking, (width, height), interpolation=cv2.INTER_LINEAR)
        marked = (enlarged > 0) & (enlarged >= cut * speaking.max())
        found.append((marked & image.mask).sum() / (marked | image.mask).sum())
    return np.asarray(found)


def choose_cut(heatmaps: Heatmap, images: Sequence[MaskedImage]) -> float:
    """Return the cut with the best mean overlap, for use on other images."""
    return max(CUTS, key=lambda cut: float(overlaps(heatmaps, images, cut=cut).mean()))


def _score(
    heatmaps: Heatmap,
    images: Sequence[MaskedImage],
    *,
    label: str | None,
    cut: float,
    tolerance: float,
) -> HeatmapScore:
    chosen = [i for i, image in enumerate(images) if label in (None, image.label)]
    maps, own = heatmaps[chosen], [images[i] for i in chosen]
    hit, near = on_defect(maps, own), on_defect(maps, own, tolerance=tolerance)
    overlap = overlaps(maps, own, cut=cut)
    return HeatmapScore(
        label=label,
        images=len(own),
        on_defect=_share(hit),
        near=_share(near),
        chance=float(np.mean([image.mask.mean() for image in own])),
        near_chance=float(np.mean([_near(image.mask, tolerance).mean() for image in own])),
        centre=float(np.mean([_middle(image.mask) for image in own])),
        overlap=Estimate(float(overlap.mean()), _mean_interval(overlap)),
    )


def _near(mask: Mask, tolerance: float) -> Mask:
    """Return the pixels within `tolerance` of the mask."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= tolerance)


def _middle(mask: Mask) -> bool:
    return bool(mask[mask.shape[0] // 2, mask.shape[1] // 2])


def _share(hits: NDArray[np.bool_]) -> Estimate:
    return Estimate(float(hits.mean()), wilson_interval(int(hits.sum()), images=len(hits)))


def _mean_interval(values: NDArray[np.float64]) -> Interval:
    return bootstrap_interval(lambda drawn: float(values[drawn].mean()), images=len(values))
