"""Every architecture as a classifier with preprocessing inside, in Keras 3."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from .architectures import Architecture, DenseNet, EfficientNetLite, check_input
from .densenet import densenet_features
from .efficientnet_lite import efficientnet_lite_features

FEATURES_NAME = "avg_pool"
HEAD_NAME = "predictions"


def build_classifier(
    architecture: Architecture,
    *,
    classes: int,
    input_hw: tuple[int, int],
    dropout: float = 0.0,
    bn_momentum: float = 0.99,
) -> keras.Model:
    """Return an untrained classifier: RGB 0..255 (batch, *input_hw, 3) in, softmax scores out.

    Behind the last feature map each has the same layers: its mean, and one dense layer. Where an
    application has more there, as MobileNetV3, that is left out, as Keras does with
    `include_top=False`; so heatmaps are made of every architecture alike.

    Args:
        architecture: the network.
        classes: number of outputs.
        input_hw: input height and width in pixels.
        dropout: share of the features dropped before the head while training.
        bn_momentum: of the moving averages; short trainings from scratch need less than 0.99.
    """
    check_input(architecture, input_hw)
    image = keras.Input((*input_hw, 3), name="image")
    if isinstance(architecture.layout, DenseNet):
        x = densenet_features(architecture.layout, image)
    elif isinstance(architecture.layout, EfficientNetLite):
        x = efficientnet_lite_features(architecture.layout, image)
    else:
        x = _application_features(architecture, image)
    x = layers.GlobalAveragePooling2D(name=FEATURES_NAME)(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    scores = layers.Dense(classes, activation="softmax", name=HEAD_NAME)(x)
    model = keras.Model(image, scores, name=architecture.name.replace("-", "_"))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = bn_momentum
    return model


def traced(model: keras.Model) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return what computes `model` on a batch of any size: float32 images in, its outputs out.

    Keras's own prediction traces the network again when the size of the batch changes.
    """
    signature = [tf.TensorSpec(model.input.shape, tf.float32)]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def compute(images: Any) -> Any:
        computed = model(images, training=False)
        return computed if isinstance(computed, list) else [computed]

    return lambda images: [np.asarray(output) for output in compute(images)]


def with_features(
    model: keras.Model,
) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return what computes a classifier's scores and its features, as `traced` does."""
    features = model.get_layer(HEAD_NAME).input
    return traced(keras.Model(model.input, [model.output, features]))


def _application_features(architecture: Architecture, image: Any) -> Any:
    assert architecture.application is not None
    x = image
    if not architecture.scales_itself:
        x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    application = getattr(keras.applications, architecture.application)
    return application(include_top=False, weights=None, input_tensor=x).output
