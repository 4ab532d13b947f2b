"""What a convolution multiplies its kernel with, at places that are drawn."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def draw_windows(
    values: Array,
    *,
    kernel_hw: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str,
    places: int,
    rng: np.random.Generator,
) -> Array:
    """Return the windows of a convolution at places drawn with replacement.

    Args:
        values: what it reads, of shape (images, height, width, channels).
        kernel_hw: height and width of the kernel.
        strides: down and across.
        dilation: distance of the kernel's rows, and of its columns.
        padding: `valid`, or `same` as TensorFlow pads, the odd one at the end.
        places: windows of each image.
        rng: draws them.

    Returns:
        float32 of shape (images * places, kernel height, kernel width, channels).
    """
    taps = [np.arange(0, size * step, step) for size, step in zip(kernel_hw, dilation, strict=True)]
    margins = [(0, 0)] * 4
    for axis, (tap, stride) in enumerate(zip(taps, strides, strict=True), start=1):
        if padding == "same":
            length = values.shape[axis]
            total = max((-(-length // stride) - 1) * stride + tap[-1] + 1 - length, 0)
            margins[axis] = (total // 2, total - total // 2)
    padded = np.pad(values, margins)
    images = np.repeat(np.arange(len(values)), places)
    corners = [
        stride * rng.integers(0, (length - tap[-1] - 1) // stride + 1, len(images))
        for length, tap, stride in zip(padded.shape[1:3], taps, strides, strict=True)
    ]
    rows, columns = (corner[:, np.newaxis] + tap for corner, tap in zip(corners, taps, strict=True))
    return np.asarray(padded[images[:, None, None], rows[:, :, None], columns[:, None, :]])
