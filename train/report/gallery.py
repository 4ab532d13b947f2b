"""Test images, and where the model looks in them."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...edge_runtime.heatmap import overlay_heatmap
from ...edge_runtime.images import RGBImage
from ...models.report.figures import number
from ...models.report.markup import Markup, join, tag
from ...models.report.thumbnails import picture_of
from ..evaluation.saliency import ImageSaliency

_SIDE = 160
_OUTLINE = (0, 255, 255)  # of the defect; no colour of the maps is near it


def draw_saliency(images: Sequence[ImageSaliency], *, data: Path) -> Markup:
    """Return a card per image: as the model takes it, and with the map of the class it names."""
    return tag("ul", join(_card(one, data) for one in images), class_="pairs")


def _card(one: ImageSaliency, data: Path) -> Markup:
    name = one.path.relative_to(data).as_posix() if one.path.is_relative_to(data) else one.path.name
    pictures = [_picture(one.pixels, alt=f"{name}, {one.truth}")]
    if one.heatmap is not None:
        seen = overlay_heatmap(one.pixels, one.heatmap)
        if one.mask is not None:
            seen = _outlined(seen, one.mask)
        pictures.append(_picture(seen, alt=f"where {one.label} is seen in {name}"))
    score = tag("span", number(one.score), class_="score")
    text = (
        join([one.label, " ", score])
        if one.label == one.truth
        else join([one.truth, " called ", one.label, " ", score])
    )
    return tag(
        "li",
        tag("div", *pictures),
        tag("p", text, class_="kind"),
        tag("p", name, class_="path"),
    )


def _picture(pixels: RGBImage, *, alt: str) -> Markup:
    return tag("img", src=picture_of(pixels, side=_SIDE), alt=alt, title=alt, loading="lazy")


def _outlined(seen: RGBImage, mask: np.ndarray) -> RGBImage:
    """Return the image with the mask's edge, two pixels of the thumbnail wide."""
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(2 * max(mask.shape) / _SIDE))
    return np.asarray(cv2.drawContours(seen.copy(), edges, -1, _OUTLINE, width), np.uint8)
