"""The features of the float model: what every file of it gives as its second output."""

import keras
import numpy as np
from numpy.typing import NDArray

from .float_model import FloatModel
from .networks.classifier import FEATURES_NAME

_BATCH = 32


def float_features(
    model: FloatModel, inputs: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of the last feature map of images, and their scores.

    Args:
        model: the classifier.
        inputs: RGB uint8 of shape (images, height, width, 3), one image or more.

    Returns:
        float32 of shape (images, channels), and of shape (images, classes).
    """
    network = model.keras_model
    both = keras.Model(network.input, [network.get_layer(FEATURES_NAME).output, network.output])
    batches = [
        both.predict_on_batch(inputs[i : i + _BATCH].astype("float32"))
        for i in range(0, len(inputs), _BATCH)
    ]
    features, scores = (np.concatenate(part) for part in zip(*batches, strict=True))
    return features, scores
