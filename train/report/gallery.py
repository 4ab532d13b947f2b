"""Test images, and where the model looks in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...edge_runtime.heatmap import overlay_heatmap
from ...edge_runtime.images import RGBImage
from ...models.report.figures import number
from ...models.report.thumbnails import picture_of
from ..evaluation.saliency import ImageSaliency

_SIDE = 160
_OUTLINE = (0, 255, 255)  # of the defect; no colour of the maps is near it


@dataclass(frozen=True)
class Card:
    """A test image, and where the model looks in it.

    Attributes:
        name: the file, relative to the folder of the data.
        truth: its class.
        label: the class of the map.
        score: of that class.
        picture: what the model takes, as a data URI.
        heatmap: the map over it, as a data URI; None if the network has no such maps.
    """

    name: str
    truth: str
    label: str
    score: str
    picture: str
    heatmap: str | None


def make_cards(images: Sequence[ImageSaliency], *, data: Path) -> list[Card]:
    """Return a card per image."""
    return [_card(one, data) for one in images]


def _card(one: ImageSaliency, data: Path) -> Card:
    name = one.path.relative_to(data).as_posix() if one.path.is_relative_to(data) else one.path.name
    heatmap = None
    if one.heatmap is not None:
        seen = overlay_heatmap(one.pixels, one.heatmap)
        if one.mask is not None:
            seen = _outlined(seen, one.mask)
        heatmap = picture_of(seen, side=_SIDE)
    picture = picture_of(one.pixels, side=_SIDE)
    return Card(name, one.truth, one.label, number(one.score), picture, heatmap)


def _outlined(seen: RGBImage, mask: np.ndarray) -> RGBImage:
    """Return the image with the mask's edge, two pixels of the thumbnail wide."""
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(2 * max(mask.shape) / _SIDE))
    return np.asarray(cv2.drawContours(seen.copy(), edges, -1, _OUTLINE, width), np.uint8)
