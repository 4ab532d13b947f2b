"""What happens to a camera: no light, too much, noise, a finger, no focus, another way up."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.images import RGBImage

_FINGER = (176, 112, 92)  # RGB of skin that daylight shines through
_CAST = np.array([1.25, 1.0, 0.65])  # gains of red, green and blue: daylight taken for a lamp's


def black_frame(rgb: RGBImage) -> RGBImage:
    """Return an image of the size of `rgb` without any light."""
    return np.zeros_like(rgb)


def white_frame(rgb: RGBImage) -> RGBImage:
    """Return an image of the size of `rgb` that is overexposed everywhere."""
    return np.full_like(rgb, 255)


def noise(rgb: RGBImage) -> RGBImage:
    """Return an image of the size of `rgb` of independent values; the same for the same `rgb`."""
    seed = int(rgb.astype(np.uint64).sum())
    return np.random.default_rng(seed).integers(0, 256, rgb.shape, np.uint8)


def finger(rgb: RGBImage) -> RGBImage:
    """Return `rgb` behind a finger on the lens: out of focus, and nearly all of the image."""
    height, width = rgb.shape[:2]
    cover = np.zeros((height, width), np.float32)
    middle = (round(0.45 * width), round(0.55 * height))
    cv2.ellipse(cover, middle, (round(0.6 * width), round(0.55 * height)), 30, 0, 360, 1.0, -1)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.08 * width), np.float32)[..., np.newaxis]
    mixed = cover * np.array(_FINGER, np.float32) + (1 - cover) * rgb
    return np.asarray(np.rint(mixed), np.uint8)


def strong_blur(rgb: RGBImage) -> RGBImage:
    """Return `rgb` out of focus, by a Gaussian of a twentieth of its width."""
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), rgb.shape[1] / 20), np.uint8)


def upside_down(rgb: RGBImage) -> RGBImage:
    """Return `rgb` turned by half a turn."""
    return np.ascontiguousarray(rgb[::-1, ::-1])


def colour_cast(rgb: RGBImage) -> RGBImage:
    """Return `rgb` as a camera with another white balance has it."""
    return np.asarray(np.clip(np.rint(rgb * _CAST), 0, 255), np.uint8)


DISTURBANCES: dict[str, Callable[[RGBImage], RGBImage]] = {
    "black frame": black_frame,
    "white frame": white_frame,
    "noise": noise,
    "finger on the lens": finger,
    "strong blur": strong_blur,
    "upside down": upside_down,
    "colour cast": colour_cast,
}


def distinct(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `images`, of shape (images, height, width, 3), without repetitions, in their order."""
    seen: dict[bytes, int] = {}
    for place, image in enumerate(images):
        seen.setdefault(image.tobytes(), place)
    return images[list(seen.values())]
