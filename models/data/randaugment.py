"""RandAugment (Cubuk et al. 2020): a few operations at random, all of one strength.

https://arxiv.org/abs/1909.13719. Cutout is not among them (CutMix is in `mix`), nor inversion of
all colours; what a shift uncovers is filled by reflection, as everywhere here.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.images import RGBImage

# Takes an image and a level in -1..1: how far, and to which side where there are two.
Operation = Callable[[RGBImage, float], RGBImage]


def apply_policy(
    rgb: RGBImage, *, operations: int, magnitude: float, rng: np.random.Generator
) -> RGBImage:
    """Return `rgb` after `operations` of `POLICY`, uint8 of the same shape (height, width, 3).

    Args:
        rgb: the image.
        operations: how many, each drawn anew.
        magnitude: how far each goes, 0..1; the side is drawn.
        rng: what decides.
    """
    names = list(POLICY)
    for index in rng.integers(len(names), size=operations):
        level = magnitude * rng.choice([-1.0, 1.0])
        rgb = POLICY[names[index]](rgb, level)
    return rgb


def _blend(rgb: RGBImage, other: NDArray[np.float32], level: float) -> RGBImage:
    """Move away from `other` or towards it, by up to nine tenths."""
    moved = other + (1 + 0.9 * level) * (rgb - other)
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


def _color(rgb: RGBImage, level: float) -> RGBImage:
    return _blend(rgb, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., np.newaxis].astype("f4"), level)


def _contrast(rgb: RGBImage, level: float) -> RGBImage:
    return _blend(rgb, np.full_like(rgb, rgb.mean(), np.float32), level)


def _brightness(rgb: RGBImage, level: float) -> RGBImage:
    return _blend(rgb, np.zeros_like(rgb, np.float32), level)


def _sharpness(rgb: RGBImage, level: float) -> RGBImage:
    return _blend(rgb, cv2.blur(rgb, (3, 3)).astype(np.float32), level)


def _autocontrast(rgb: RGBImage, _level: float) -> RGBImage:
    low, high = rgb.min((0, 1)).astype(np.float32), rgb.max((0, 1)).astype(np.float32)
    stretched = (rgb - low) * (255 / np.maximum(high - low, 1))
    return np.where(high > low, np.rint(stretched), rgb).astype(np.uint8)


def _equalize(rgb: RGBImage, _level: float) -> RGBImage:
    return np.stack([cv2.equalizeHist(rgb[..., channel]) for channel in range(3)], -1).astype("u1")


def _posterize(rgb: RGBImage, level: float) -> RGBImage:
    dropped = round(4 * abs(level))
    return (rgb >> dropped << dropped).astype(np.uint8)


def _solarize(rgb: RGBImage, level: float) -> RGBImage:
    return np.where(rgb >= 256 * (1 - abs(level)), 255 - rgb, rgb).astype(np.uint8)


def _moved(rgb: RGBImage, matrix: list[list[float]]) -> RGBImage:
    """Apply a map of coordinates whose origin is the middle of the image."""
    height, width = rgb.shape[:2]
    middle = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    whole = middle @ np.array([*matrix, [0, 0, 1]]) @ np.linalg.inv(middle)
    return np.asarray(
        cv2.warpAffine(
            rgb, whole[:2], (width, height), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        np.uint8,
    )  # fmt: skip


def _rotate(rgb: RGBImage, level: float) -> RGBImage:
    angle = np.deg2rad(30 * level)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return _moved(rgb, [[cos, -sin, 0], [sin, cos, 0]])


def _shear_x(rgb: RGBImage, level: float) -> RGBImage:
    return _moved(rgb, [[1, 0.3 * level, 0], [0, 1, 0]])


def _shear_y(rgb: RGBImage, level: float) -> RGBImage:
    return _moved(rgb, [[1, 0, 0], [0.3 * level, 1, 0]])


def _translate_x(rgb: RGBImage, level: float) -> RGBImage:
    return _moved(rgb, [[1, 0, 0.45 * level * rgb.shape[1]], [0, 1, 0]])


def _translate_y(rgb: RGBImage, level: float) -> RGBImage:
    return _moved(rgb, [[1, 0, 0], [0, 1, 0.45 * level * rgb.shape[0]]])


POLICY: dict[str, Operation] = {
    "identity": lambda rgb, _: rgb,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "posterize": _posterize,
    "solarize": _solarize,
    "color": _color,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "rotate": _rotate,
    "shear-x": _shear_x,
    "shear-y": _shear_y,
    "translate-x": _translate_x,
    "translate-y": _translate_y,
}
