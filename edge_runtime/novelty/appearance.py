"""How bright, contrasty, sharp and coloured an image is, and whether known images were so.

A network may compute of a covered lens what it computes of a dark screen, and of a blurred surface
what it computes of a clean one. The pixels themselves differ by far.
"""

import math
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
# Known images may lie outside of the range of those that were seen by this share of its width,
# and at least by so much: 12 of 256 levels of a colour, a quarter to a half of the others' amount.
_MARGIN = 0.25
_LEAST_MARGINS = np.array([0.25, 12.0, 12.0, 0.35, 0.35])


def appearance_of(model_input: RGBImage) -> Floats:
    """Return the properties of an image, float32 of shape (properties,).

    Brightness is the mean of all values, contrast their standard deviation within a channel, and
    detail what changes from pixel to pixel less what changes over two, which is nothing where all
    is smooth; each is the logarithm of 1 more. Red and blue are how much higher their means are
    than that of green.

    Args:
        model_input: RGB uint8 of shape (height, width, 3), as the model takes it.
    """
    red, green, blue, _ = cv2.mean(model_input)
    mean_square = cv2.norm(model_input, cv2.NORM_L2SQR) / model_input.size
    variance = mean_square - (red * red + green * green + blue * blue) / 3
    properties = (
        math.log1p((red + green + blue) / 3),
        red - green,
        blue - green,
        math.log1p(_detail(model_input)),
        math.log1p(math.sqrt(max(variance, 0.0))),
    )
    return np.array(properties, np.float32)


def _detail(pixels: RGBImage) -> float:
    return 2 * _change(pixels, 1) - _change(pixels, 2)


def _change(pixels: RGBImage, apart: int) -> float:
    """Return the mean absolute difference of values so many rows apart, and of columns, in sum."""
    pairs = (pixels[apart:], pixels[:-apart]), (pixels[:, apart:], pixels[:, :-apart])
    return sum(cv2.norm(one, other, cv2.NORM_L1) / one.size for one, other in pairs if one.size)


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
        low, high = appearances.min(0).astype(np.float64), appearances.max(0).astype(np.float64)
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
            raise ValueError(f"a range of appearance from {low} to {high}")
        return cls(tuple(low), tuple(high))

    def including(self, appearances: NDArray[np.floating]) -> "AppearanceRange":
        """Return the range with further images, of shape (images, properties), in it."""
        if not len(appearances):
            return self
        low = np.minimum(self.low, appearances.min(0) - _LEAST_MARGINS)
        high = np.maximum(self.high, appearances.max(0) + _LEAST_MARGINS)
        return AppearanceRange(tuple(map(float, low)), tuple(map(float, high)))

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
