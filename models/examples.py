"""The images of a split as arrays, and how much each counts. Light: loads no TensorFlow."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ClassWeights = Literal["none", "sqrt", "balanced"]


@dataclass(frozen=True)
class Split:
    """The images of one split.

    Attributes:
        pixels: RGB uint8 of shape (images, height, width, 3).
        classes: class index of each, of shape (images,).
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.intp]


def image_weights(classes_of: NDArray[np.intp], *, rule: ClassWeights) -> NDArray[np.float32]:
    """Return the weight of each image in the loss, float32 of shape (images,), with mean 1.

    An image of class c, which has n_c images, weighs as 1, 1 / sqrt(n_c) or 1 / n_c.
    """
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[rule]
    weights = np.bincount(classes_of)[classes_of] ** -power
    return np.asarray(weights / weights.mean(), np.float32)
