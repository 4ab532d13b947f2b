"""Scores averaged over several augmented copies of each test image, which no device does."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...models.data.augment import AugmentConfig, augment

_BATCH = 32


def averaged_scores(
    scores: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    pixels: NDArray[np.uint8],
    *,
    config: AugmentConfig,
    draws: int,
    seed: int,
) -> NDArray[np.float32]:
    """Return the mean scores (images, classes) of each image as it is and changed in other looks.

    Args:
        scores: the model.
        pixels: RGB uint8 of shape (images, height, width, 3).
        config: how far images are changed.
        draws: copies of each image.
        seed: of the changes.
    """
    total = np.asarray(scores(pixels), np.float32)
    for draw in range(1, draws):
        parts = []
        for start in range(0, len(pixels), _BATCH):
            changed = [
                augment(image, config, np.random.default_rng([seed, draw, index]))
                for index, image in enumerate(pixels[start : start + _BATCH], start)
            ]
            parts.append(scores(np.stack(changed)))
        total = total + np.concatenate(parts)
    return np.asarray(total / draws, np.float32)
