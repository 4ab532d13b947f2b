"""The one way from a photograph to the model's input: training, calibration and device use it.

Mean and standard deviation are inside the model; here is only what changes the shape.
"""

from typing import Any, Literal, get_args

import cv2
import numpy as np

from .errors import EdgeclfError
from .images import RGBImage

ResizeRule = Literal["stretch", "crop", "pad"]
RESIZE_RULES: tuple[ResizeRule, ...] = get_args(ResizeRule)


def preprocess(rgb: RGBImage, *, size_hw: tuple[int, int], rule: ResizeRule) -> RGBImage:
    """Return `rgb` brought to the model's input size, uint8 of shape (*size_hw, 3).

    Args:
        rgb: uint8 of shape (height, width, 3), any size.
        size_hw: height and width of the model's input in pixels.
        rule: `stretch` ignores the aspect ratio, `crop` keeps the largest central part that has
            the input's, `pad` keeps everything and fills the rest with black.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"expected RGB uint8 (height, width, 3), got {rgb.dtype} {rgb.shape}")
    if rule not in RESIZE_RULES:
        raise ValueError(f"unknown resize rule {rule!r}; known: {', '.join(RESIZE_RULES)}")
    if rule == "crop":
        top, left, height, width = seen_part(
            (rgb.shape[0], rgb.shape[1]), size_hw=size_hw, rule=rule
        )
        rgb = rgb[top : top + height, left : left + width]
    if rule == "pad":
        height, width = _inside(rgb.shape[:2], size_hw)
        top, left = (size_hw[0] - height) // 2, (size_hw[1] - width) // 2
        padded = np.zeros((*size_hw, 3), np.uint8)
        padded[top : top + height, left : left + width] = _resize(rgb, (height, width))
        return padded
    return _resize(rgb, size_hw)


def seen_part(
    shape_hw: tuple[int, int], *, size_hw: tuple[int, int], rule: ResizeRule
) -> tuple[int, int, int, int]:
    """Return where the model's input lies in an image: top, left, height, width, in its pixels.

    With `pad` it reaches beyond the image: the top or the left is negative.

    Args:
        shape_hw: height and width of the image.
        size_hw: height and width of the model's input.
        rule: as of `preprocess`.
    """
    height, width = shape_hw
    if rule == "stretch":
        return 0, 0, height, width
    if rule == "crop":
        scale = min(height / size_hw[0], width / size_hw[1])
        part_height = max(1, min(height, round(size_hw[0] * scale)))
        part_width = max(1, min(width, round(size_hw[1] * scale)))
        return (height - part_height) // 2, (width - part_width) // 2, part_height, part_width
    inner_height, inner_width = _inside(shape_hw, size_hw)
    top, left = (size_hw[0] - inner_height) // 2, (size_hw[1] - inner_width) // 2
    scale_y, scale_x = height / inner_height, width / inner_width
    return (
        -round(top * scale_y),
        -round(left * scale_x),
        round(size_hw[0] * scale_y),
        round(size_hw[1] * scale_x),
    )


def _inside(shape_hw: tuple[int, ...], size_hw: tuple[int, int]) -> tuple[int, int]:
    scale = min(size_hw[0] / shape_hw[0], size_hw[1] / shape_hw[1])
    return (
        max(1, min(size_hw[0], round(shape_hw[0] * scale))),
        max(1, min(size_hw[1], round(shape_hw[1] * scale))),
    )


def _resize(rgb: RGBImage, size_hw: tuple[int, int]) -> RGBImage:
    """Halve until less than twice the size, then interpolate.

    INTER_LINEAR_EXACT is the only smooth interpolation of OpenCV that gives the same bits on x86
    and ARM; halving with it averages 2x2 pixels, so that nothing aliases.
    """
    height, width = rgb.shape[:2]
    while height >= 2 * size_hw[0] and width >= 2 * size_hw[1]:
        height, width = height // 2, width // 2
        rgb = _interpolate(rgb, (height, width))
    return _interpolate(rgb, size_hw)


def _interpolate(rgb: RGBImage, size_hw: tuple[int, int]) -> RGBImage:
    if rgb.shape[:2] == size_hw:
        return rgb
    resized = cv2.resize(rgb, size_hw[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(resized, dtype=np.uint8)


def check_pixels(pixels: Any) -> None:
    """Raise EdgeclfError unless `pixels` are uint8 of shape (height, width, 3), not empty."""
    if not isinstance(pixels, np.ndarray):
        raise EdgeclfError(
            f"an image of type {type(pixels).__name__}: expected a NumPy array of uint8 (height, "
            "width, 3); `read_image` reads one from a file"
        )
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        mend = "scale it to 0..255 and cast it" if pixels.dtype.kind == "f" else "convert it first"
        raise EdgeclfError(
            f"an image of {pixels.dtype} {pixels.shape}: expected uint8 (height, width, 3) with at "
            f"least one pixel; {mend}"
        )
