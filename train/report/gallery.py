"""Test images, and where the model looks in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...edge_runtime.heatmap import overlay_heatmap
from ...edge_runtime.images import RGBImage
from ...models.report.figures import number
from ...models.report.thumbnails import picture_of
from ..evaluation.saliency import ImageSaliency

_SIDE = 160
_OUTLINE = (0, 255, 255)  # of the defect; no colour of the maps is near it


def make_cards(images: Sequence[ImageSaliency], *, data: Path) -> list[dict[str, Any]]:
    """Return a card per image as run.html names its parts; pictures are data URIs."""
    return [_card(one, data) for one in images]


def _card(one: ImageSaliency, data: Path) -> dict[str, Any]:
    name = one.path.relative_to(data).as_posix() if one.path.is_relative_to(data) else one.path.name
    heatmap = None
    if one.heatmap is not None:
        seen = overlay_heatmap(one.pixels, one.heatmap)
        if one.mask is not None:
            seen = _outlined(seen, one.mask)
        heatmap = picture_of(seen, side=_SIDE)
    return {
        "name": name,
        "truth": one.truth,
        "label": one.label,
        "score": number(one.score),
        "picture": picture_of(one.pixels, side=_SIDE),
        "heatmap": heatmap,
    }


def _outlined(seen: RGBImage, mask: np.ndarray) -> RGBImage:
    """Return the image with the mask's edge, two pixels of the thumbnail wide."""
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(2 * max(mask.shape) / _SIDE))
    return np.asarray(cv2.drawContours(seen.copy(), edges, -1, _OUTLINE, width), np.uint8)
