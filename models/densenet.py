"""DenseNet with preprocessing inside, in Keras 3.

Layer names are those of Keras Applications, so that its weights load by name.
"""

from typing import Any

import keras
from keras import layers

from .architectures import Architecture

# ImageNet statistics of RGB in 0..1, as the weights of Keras Applications expect them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

FEATURES_NAME = "avg_pool"
HEAD_NAME = "predictions"
_EPSILON = 1.001e-5


def build_classifier(
    architecture: Architecture,
    *,
    classes: int,
    input_hw: tuple[int, int],
    dropout: float = 0.0,
    bn_momentum: float = 0.99,
) -> keras.Model:
    """Return an untrained classifier: RGB 0..255 (batch, *input_hw, 3) in, softmax scores out.

    Args:
        architecture: the network.
        classes: number of outputs.
        input_hw: input height and width in pixels.
        dropout: share of the features dropped before the head while training.
        bn_momentum: of the moving averages; short trainings from scratch need less than 0.99.
    """
    net = _Builder(architecture.growth_rate, bn_momentum)
    image = keras.Input((*input_hw, 3), name="image")
    x = layers.Normalization(
        mean=[255 * mean for mean in IMAGENET_MEAN],
        variance=[(255 * std) ** 2 for std in IMAGENET_STD],
        name="normalization",
    )(image)
    size = {"imagenet": 7, "small": 3}[architecture.stem]
    stem = layers.Conv2D(
        architecture.stem_channels, size, strides=2, use_bias=False, name="conv1_conv"
    )
    x = stem(layers.ZeroPadding2D(size // 2, name="zero_padding2d")(x))
    if architecture.stem == "imagenet":
        x = net.bn_relu(x, "conv1")
        x = layers.ZeroPadding2D(1, name="zero_padding2d_1")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, depth in enumerate(architecture.blocks, start=2):
        if stage > 2:
            x = net.transition(x, f"pool{stage - 1}")
        for index in range(depth):
            x = net.dense_layer(x, f"conv{stage}_block{index + 1}")
    x = layers.BatchNormalization(epsilon=_EPSILON, momentum=bn_momentum, name="bn")(x)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.GlobalAveragePooling2D(name=FEATURES_NAME)(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    scores = layers.Dense(classes, activation="softmax", name=HEAD_NAME)(x)
    return keras.Model(image, scores, name=architecture.name.replace("-", "_"))


class _Builder:
    def __init__(self, growth_rate: int, bn_momentum: float) -> None:
        self.growth_rate = growth_rate
        self.bn_momentum = bn_momentum

    def bn_relu(self, x: Any, prefix: str) -> Any:
        x = layers.BatchNormalization(
            epsilon=_EPSILON, momentum=self.bn_momentum, name=f"{prefix}_bn"
        )(x)
        return layers.Activation("relu", name=f"{prefix}_relu")(x)

    def dense_layer(self, x: Any, name: str) -> Any:
        y = self.bn_relu(x, f"{name}_0")
        y = layers.Conv2D(4 * self.growth_rate, 1, use_bias=False, name=f"{name}_1_conv")(y)
        y = self.bn_relu(y, f"{name}_1")
        y = layers.Conv2D(
            self.growth_rate, 3, padding="same", use_bias=False, name=f"{name}_2_conv"
        )(y)
        return layers.Concatenate(name=f"{name}_concat")([x, y])

    def transition(self, x: Any, name: str) -> Any:
        x = self.bn_relu(x, name)
        x = layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
        return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)
