"""Images of a batch mixed with one another, and their targets with them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class MixConfig:
    """How the images of a batch are mixed; where both are on, a coin decides for each batch.

    Attributes:
        mixup: alpha of Mixup (Zhang et al. 2018, https://arxiv.org/abs/1710.09412), which adds two
            images up; 0 is none. The share of the first is drawn from Beta(alpha, alpha).
        cutmix: alpha of CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899), which puts a
            piece of one image into another; 0 is none.
    """

    mixup: float = 0.0
    cutmix: float = 0.0


def mix_batch(batch: Batch, config: MixConfig, rng: np.random.Generator) -> Batch:
    """Return `batch` with each image mixed with another one's, by one share for all.

    The loss is then what it would be if each image's own loss, with its own weight, were added up
    by these shares: so weighs a target as its share times its weight.

    Args:
        batch: images (batch, h, w, 3), targets (batch, classes) that add up to 1, or to 0 where
            there is no label, weights (batch,).
        config: how.
        rng: what decides.
    """
    if not (config.mixup or config.cutmix):
        return batch
    images, targets, weights = batch
    other = rng.permutation(len(images))
    cuts = bool(config.cutmix) and (not config.mixup or rng.random() < 0.5)
    alpha = config.cutmix if cuts else config.mixup
    share = rng.beta(alpha, alpha)
    if cuts:
        rows, columns = _box(images.shape[1:3], 1 - share, rng)
        mixed = images.copy()
        mixed[:, rows, columns] = images[other][:, rows, columns]
        cut = (rows.stop - rows.start) * (columns.stop - columns.start)
        share = 1 - cut / (images.shape[1] * images.shape[2])
    else:
        mixed = share * images + (1 - share) * images[other]
    first, second = share * weights, (1 - share) * weights[other]
    total = first + second
    blended = (first[:, None] * targets + second[:, None] * targets[other]) / total[:, None]
    return mixed.astype(np.float32), blended.astype(np.float32), total.astype(np.float32)


def _box(size_hw: tuple[int, ...], area: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Return the rows and columns of a box of that share of the image, cut off at its border."""
    sides = []
    for size in size_hw:
        length = size * np.sqrt(area)
        middle = rng.uniform(0, size)
        low, high = np.clip(np.rint([middle - length / 2, middle + length / 2]), 0, size)
        sides.append(slice(int(low), int(high)))
    return sides[0], sides[1]
