"""Changes to a training image that leave its class as it is."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ...edge_runtime.images import RGBImage
from .randaugment import apply_policy

Flip = Literal["none", "horizontal", "both"]


@dataclass(frozen=True)
class AugmentConfig:
    """How far a training image may be changed; every draw is uniform.

    Attributes:
        rotation: degrees to either side.
        zoom: share by which it grows or shrinks.
        flip: `none`, `horizontal`, or `both` ways.
        brightness: share of the full range by which it is lightened or darkened.
        operations: how many operations of RandAugment follow.
        magnitude: how far each of them goes, 0..1.
    """

    rotation: float = 15.0
    zoom: float = 0.1
    flip: Flip = "horizontal"
    brightness: float = 0.1
    operations: int = 0
    magnitude: float = 0.3


def augment(rgb: RGBImage, config: AugmentConfig, rng: np.random.Generator) -> RGBImage:
    """Return a changed copy of `rgb`, uint8 of the same shape (height, width, 3).

    Rotation, zoom and flips are one affine map, so that the image is interpolated once; what it
    uncovers is filled by reflection.
    """
    height, width = rgb.shape[:2]
    angle = rng.uniform(-config.rotation, config.rotation)
    zoom = rng.uniform(1 - config.zoom, 1 + config.zoom)
    flip_x, flip_y = rng.random(2) < 0.5
    shift = rng.uniform(-config.brightness, config.brightness) * 255

    center = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.vstack([cv2.getRotationMatrix2D(center, angle, zoom), [0, 0, 1]])
    if flip_x and config.flip != "none":
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    if flip_y and config.flip == "both":
        matrix = np.array([[1.0, 0, 0], [0, -1, height - 1], [0, 0, 1]]) @ matrix
    moved = cv2.warpAffine(
        rgb, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    lit: RGBImage = np.clip(moved + np.float32(shift), 0, 255).astype(np.uint8)
    return apply_policy(lit, operations=config.operations, magnitude=config.magnitude, rng=rng)
