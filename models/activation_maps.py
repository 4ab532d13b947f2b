"""Class activation maps of the float model; `edge_runtime.heatmap` tells what they are."""

import keras
import numpy as np
from numpy.typing import NDArray

from .float_model import FloatModel
from .networks.classifier import HEAD_NAME

_BATCH = 32


def class_activation_maps(
    model: FloatModel, inputs: NDArray[np.uint8], classes: NDArray[np.intp]
) -> NDArray[np.float32] | None:
    """Return where the class `classes[i]` stands in image i; None if the network has no such maps.

    Behind a global average and one dense layer they are what Grad-CAM gives, too, up to a factor
    (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391).

    Args:
        model: the classifier.
        inputs: RGB uint8 of shape (images, height, width, 3).
        classes: class indices, of shape (images,).

    Returns:
        float32 of shape (images, rows, columns): positive places speak for the class.
    """
    network = model.keras_model
    head = network.get_layer(HEAD_NAME)
    pooling = head.input._keras_history.operation
    pools = keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D
    if not isinstance(pooling, pools):
        return None
    features = keras.Model(network.input, pooling.input)
    # Called, not predicted: that would trace it for these few images.
    weights = head.get_weights()[0].T[classes]  # (images, channels)
    maps = [
        np.einsum(
            "nhwc,nc->nhw",
            np.asarray(features(inputs[i : i + _BATCH].astype(np.float32), training=False)),
            weights[i : i + _BATCH],
        )
        for i in range(0, len(inputs), _BATCH)
    ]
    return np.concatenate(maps) if maps else None
