"""How bright, coloured, sharp and contrasty an image is, and whether known images were so.

A network may compute of a covered lens what it computes of a dark screen, and of a blurred surface
what it computes of a clean one. The pixels themselves differ by far.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import RGBImage
from ..validation.strict_json import member, typed
from .features import Floats

# Each property, and what an image is that has less or more of it than all that is known. A black
# frame is without detail and contrast as well: the first that is outside is said.
PROPERTIES = {
    "brightness": ("darker", "brighter"),
    "red": ("of other colours", "of other colours"),
    "blue": ("of other colours", "of other colours"),
    "detail": ("more blurred", "with more detail"),
    "contrast": ("with less contrast", "with more contrast"),
}
# What brightness and contrast, and what detail have added before the logarithm is taken, in levels
# of 256: what is nearly nothing does not differ much from nothing.
_LEVELS, _DETAIL_LEVELS = 4, 1
# At either end, of which a stray photograph may be one.
_LEFT_OUT = 0.005
# Known images may lie outside of the range by this share of its width, and at least by so much: 12
# of 256 levels of a colour; a factor of 1.3 in brightness, of 1.4 in detail and contrast.
_MARGIN = 0.25
_LEAST_MARGINS = np.array([0.25, 12.0, 12.0, 0.35, 0.35])


def appearance_of(model_input: RGBImage) -> Floats:
    """Return the properties of an image, float32 of shape (properties,).

    Brightness is the mean of all values, detail the mean absolute Laplacian of green, a measure of
    focus (Pertuz et al. 2013, https://doi.org/10.1016/j.patcog.2012.11.011), and contrast the
    standard deviation within a channel; each is a logarithm. Red and blue are how much higher their
    means are than that of green.

    Args:
        model_input: RGB uint8 of shape (height, width, 3), as the model takes it.
    """
    red, green, blue, _ = cv2.mean(model_input)
    mean_square = cv2.norm(model_input, cv2.NORM_L2SQR) / model_input.size
    variance = mean_square - (red * red + green * green + blue * blue) / 3
    edges = cv2.Laplacian(cv2.extractChannel(model_input, 1), cv2.CV_16S)
    properties = (
        math.log(_LEVELS + (red + green + blue) / 3),
        red - green,
        blue - green,
        math.log(_DETAIL_LEVELS + cv2.norm(edges, cv2.NORM_L1) / edges.size),
        math.log(_LEVELS + math.sqrt(max(variance, 0.0))),
    )
    return np.array(properties, np.float32)


@dataclass(frozen=True)
class Departure:
    """How far an image's appearance is from that of known images.

    Attributes:
        share: of the way from the middle of their range to its end; above 1 it is outside.
        words: what the image is that is outside, such as `darker`; empty inside.
    """

    share: float
    words: str


@dataclass(frozen=True)
class AppearanceRange:
    """What known images look like.

    Attributes:
        low: the least that is known of each property.
        high: the most, which is larger.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def around(cls, appearances: NDArray[np.floating]) -> "AppearanceRange":
        """Return the range of images, of shape (images, properties), and some way around it."""
        low = np.quantile(appearances, _LEFT_OUT, axis=0, method="lower").astype(np.float64)
        high = np.quantile(appearances, 1 - _LEFT_OUT, axis=0, method="higher").astype(np.float64)
        margins = np.maximum(_MARGIN * (high - low), _LEAST_MARGINS)
        return cls(tuple(map(float, low - margins)), tuple(map(float, high + margins)))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "AppearanceRange":
        """Read the JSON object of a range; a damaged one is a ValueError, KeyError or TypeError."""
        low, high = (
            [float(typed(name, one, int, float)) for one in member(values, name, list)]
            for name in ("low", "high")
        )
        fits = len(low) == len(high) == len(PROPERTIES)
        if not fits or not (np.isfinite([low, high]).all() and np.less(low, high).all()):
            raise ValueError("a range of appearances that is none")
        return cls(tuple(low), tuple(high))

    def departure(self, appearance: NDArray[np.floating]) -> Departure:
        """Return how far an image, of shape (properties,), is from the middle where it is most."""
        farthest, words = 0.0, ""
        values = zip(appearance.tolist(), self.low, self.high, PROPERTIES.values(), strict=True)
        for value, low, high, (less, more) in values:
            way = (2 * value - low - high) / (high - low)
            farthest = max(farthest, abs(way))
            if abs(way) > 1 and not words:
                words = more if way > 0 else less
        return Departure(farthest, words)


def departure_from(
    ranges: Sequence[AppearanceRange], appearance: NDArray[np.floating] | None
) -> Departure | None:
    """Return how far an image is from the nearest of some ranges; None if nothing is known of it.

    Args:
        ranges: of the training images, and of each class that was taught.
        appearance: of the image, of shape (properties,).
    """
    if appearance is None or not ranges:
        return None
    return min((one.departure(appearance) for one in ranges), key=lambda departure: departure.share)
