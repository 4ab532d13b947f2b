"""The class activation maps of several models, against the defects and against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

from ...edge_runtime.classifier import Classifier
from ...models.masks import MaskedImage
from ...models.metrics.statistics import Estimate, paired_counts, paired_interval
from ...models.pointing import Heatmap, HeatmapScore, hottest_places, on_defect, score_maps
from ..results.estimates import median


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
            score_maps(maps.heatmaps, images, label=label, cut=cut, tolerance=tolerance)
            for label in (None, *labels)
        ),
        same_place=float((places == first_places).all(1).mean()),
        difference=Estimate(float(hits.mean() - expected.mean()), paired_interval(counts)),
        infer_ms=maps.infer_ms,
        map_ms=maps.map_ms,
    )
