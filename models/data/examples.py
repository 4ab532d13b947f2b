"""The images of a split as arrays, and how much each counts. Light: loads no TensorFlow."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ClassWeights = Literal["none", "sqrt", "balanced"]
Sampling = Literal["shuffled", "balanced"]

# Of an image without a label: only a teacher says what it shows.
NO_CLASS = -1


@dataclass(frozen=True)
class Split:
    """The images of one split.

    Attributes:
        pixels: RGB uint8 of shape (images, height, width, 3).
        classes: class index of each, or `NO_CLASS`; of shape (images,).
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.intp]


def image_weights(classes_of: NDArray[np.intp], *, rule: ClassWeights) -> NDArray[np.float32]:
    """Return the weight of each image in the loss, float32 of shape (images,), with mean 1.

    An image of class c, which has n_c images, weighs as 1, 1 / sqrt(n_c) or 1 / n_c; one without a
    class weighs 1.
    """
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[rule]
    has_class = classes_of != NO_CLASS
    labelled = classes_of[has_class]
    weights = np.bincount(labelled)[labelled] ** -power
    every = np.ones(len(classes_of), np.float32)
    every[has_class] = weights / weights.mean()
    return every


def draw_order(
    classes_of: NDArray[np.intp], *, sampling: Sampling, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the images of an epoch in the order in which they are shown, as many as there are.

    `shuffled` shows each once. `balanced` shows each class equally often, to one image: of a large
    class not all images, those of a small one several times, each as often as any, to one.
    """
    count = len(classes_of)
    if sampling == "shuffled":
        return rng.permutation(count)
    present = rng.permutation(np.unique(classes_of))
    chosen = []
    for place, index in enumerate(present):
        wanted = len(range(place, count, len(present)))
        images = np.flatnonzero(classes_of == index)
        rounds = -(-wanted // len(images))
        chosen.append(np.concatenate([rng.permutation(images) for _ in range(rounds)])[:wanted])
    return rng.permutation(np.concatenate(chosen))
