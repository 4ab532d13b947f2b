"""Whether a class activation map lies on the defect: the pointing game, and overlap.

Pointing game: the middle of the map's hottest place must lie on the defect, or near it (Zhang et
al., Top-down neural attention by excitation backprop, IJCV 126 (2018) 1084-1102: a
tolerance of 15 pixels). Overlap: what of the map lies above a share of its maximum, against the
mask, as intersection over union. The map is that of the photograph's own class, so that the figures
say where a model looks and not whether it is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .masks import Mask, MaskedImage
from .metrics.statistics import Estimate, Interval, bootstrap_interval, share_estimate

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
        near: share of those within the tolerance of it; the same.
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


def score_maps(
    heatmaps: Heatmap,
    images: Sequence[MaskedImage],
    *,
    label: str | None,
    cut: float,
    tolerance: float,
) -> HeatmapScore:
    """Return how the maps of the photographs of a class lie, or of all where `label` is None."""
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


def _near(mask: Mask, tolerance: float) -> Mask:
    """Return the pixels within `tolerance` of the mask."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squared distances between pixels are whole numbers. OpenCV's are off by a last bit, not always
    # the same one, which must not decide whether a pixel lies on the limit.
    return np.asarray(np.rint(np.square(away)) <= tolerance**2)


def _middle(mask: Mask) -> bool:
    return bool(mask[mask.shape[0] // 2, mask.shape[1] // 2])


def _share(hits: NDArray[np.bool_]) -> Estimate:
    return share_estimate(int(hits.sum()), images=len(hits))


def _mean_interval(values: NDArray[np.float64]) -> Interval:
    return bootstrap_interval(lambda drawn: float(values[drawn].mean()), images=len(values))
