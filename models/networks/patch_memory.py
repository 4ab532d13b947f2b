"""A network that has seen good images only: how far each patch lies from a memory of good patches.

That is PatchCore (Roth et al. 2022, https://arxiv.org/abs/2106.08265) as one graph of ordinary
operators, so that each file and runtime computes it: a patch's features go through a projection, a
constant is put beside them, and all is brought to length 1. The cosines with the patches in the
memory, vectors of length 1 too, are then a 1x1 convolution, and the nearest one is a maximum. For
vectors of length 1 the squared distance is 2 - 2 cos; the constant leaves it nearly that of the
features before. The mean distance of 3x3 places is held against what good images have there.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from .architectures import ARCHITECTURES, Architecture, DenseNet, check_input
from .classifier import HEAD_NAME
from .densenet import densenet_features

PROJECTION_NAME = "patch_projection"
MEMORY_NAME = "patch_memory"
ANOMALY_NAME = "patch_anomaly"

# The memory holds a multiple of this: maxima are taken of so many patches side by side.
PATCHES_STEP = 64

# Logit of `defect` where a patch lies in the memory.
_SUREST_GOOD = -4.0
# Patches that are so many times as far as the mean threshold, and as the largest, are not separated
# apart: the steps of int8 lie below.
_FARTHEST_OF_MEAN, _FARTHEST_OF_LARGEST = 4.0, 2.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PatchMemory:
    """What good patches are like.

    Attributes:
        kernel: of the projection, of shape (channels, dimensions).
        bias: the same, of shape (dimensions,).
        constant: what stands beside the projected features.
        patches: of length 1, of shape (patches, dimensions + 1).
        thresholds: distance, 1 - cos, from which on a place is a defect, above 0, of shape (rows,
            columns).
    """

    kernel: Floats
    bias: Floats
    constant: float
    patches: Floats
    thresholds: Floats

    @property
    def farthest(self) -> float:
        """The distance beyond which patches are not separated."""
        mean, largest = float(self.thresholds.mean()), float(self.thresholds.max())
        return max(_FARTHEST_OF_MEAN * mean, _FARTHEST_OF_LARGEST * largest)


def check_good_only(architecture: Architecture) -> None:
    """Raise EdgeclfError if patches cannot be taken of the network."""
    if not isinstance(architecture.layout, DenseNet):
        known = ", ".join(
            name for name, each in ARCHITECTURES.items() if isinstance(each.layout, DenseNet)
        )
        raise EdgeclfError(
            f"--good-only takes patches of a DenseNet, {architecture.name} is none; give --arch, "
            f"one of {known}"
        )


def patch_network(architecture: Architecture, *, input_hw: tuple[int, int]) -> keras.Model:
    """Return an untrained network from RGB 0..255 (batch, *input_hw, 3) to features of patches.

    They are what the second dense block reads and what becomes of it, each the mean of 3x3 places:
    (batch, rows, columns, channels). What comes after that block is left out.

    Raises:
        EdgeclfError: the network is no DenseNet.
    """
    check_good_only(architecture)
    check_input(architecture, input_hw)
    layout = architecture.layout
    assert isinstance(layout, DenseNet)
    image = keras.Input((*input_hw, 3), name="image")
    whole = keras.Model(image, densenet_features(layout, image))
    after = "pool3_conv" if len(layout.blocks) > 2 else "relu"
    levels = [whole.get_layer(name).output for name in ("pool2_pool", after)]
    joined = layers.Concatenate(name="patch_levels")(levels)
    mean = layers.AveragePooling2D(3, strides=1, padding="same", name="patch_mean")(joined)
    return keras.Model(image, mean, name=architecture.name.replace("-", "_"))


def good_only_classifier(
    architecture: Architecture, *, input_hw: tuple[int, int], dimensions: int, patches: int
) -> keras.Model:
    """Return an untrained network that tells good images from defects.

    RGB 0..255 (batch, *input_hw, 3) in; the scores of `GOOD_ONLY_LABELS` out.

    Args:
        architecture: a DenseNet.
        input_hw: input height and width in pixels.
        dimensions: of a patch, the constant included.
        patches: in the memory, a multiple of `PATCHES_STEP`.
    """
    features = patch_network(architecture, input_hw=input_hw)
    rows, columns = features.output.shape[1:3]
    x = layers.Conv2D(dimensions, 1, name=PROJECTION_NAME)(features.output)
    x = layers.UnitNormalization(name="patch_direction")(x)
    x = layers.Conv2D(patches, 1, activation="relu", name=MEMORY_NAME)(x)
    for places in (patches // PATCHES_STEP, PATCHES_STEP):
        x = layers.Reshape((rows * columns, places, -1))(x)
        x = layers.MaxPooling2D((1, places))(x)
    x = layers.Reshape((rows, columns, 1), name="patch_nearest")(x)
    x = layers.AveragePooling2D(3, strides=1, padding="same", name="patch_smooth")(x)
    x = layers.Reshape((1, 1, rows * columns))(x)
    x = layers.DepthwiseConv2D(1, name=ANOMALY_NAME)(x)
    x = layers.Reshape((rows, columns, 1), name="patch_map")(x)
    x = layers.GlobalMaxPooling2D(name="max_pool")(x)
    scores = layers.Dense(2, activation="softmax", name=HEAD_NAME)(x)
    return keras.Model(features.input, scores, name=features.name)


def fill_memory(model: keras.Model, memory: PatchMemory) -> None:
    """Give a network of `good_only_classifier` what `memory` holds.

    The memory's layer gives max(cos - 1 + farthest, 0), of which the last ones make a logit that is
    0 at the threshold of each place.
    """
    farthest = memory.farthest
    slopes = _SUREST_GOOD / memory.thresholds.reshape(1, 1, -1, 1)
    kernel = np.pad(memory.kernel, ((0, 0), (0, 1)))
    bias = np.append(memory.bias, memory.constant)
    patches = memory.patches.T
    arrays = {
        PROJECTION_NAME: (kernel[np.newaxis, np.newaxis], bias),
        MEMORY_NAME: (patches[np.newaxis, np.newaxis], np.full(patches.shape[1], farthest - 1)),
        ANOMALY_NAME: (slopes, _SUREST_GOOD - slopes.ravel() * farthest),
        HEAD_NAME: (np.array([[-0.5, 0.5]]), np.zeros(2)),
    }
    for name, weights in arrays.items():
        model.get_layer(name).set_weights([np.asarray(each, np.float32) for each in weights])
