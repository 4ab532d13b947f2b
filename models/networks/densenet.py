"""DenseNet with preprocessing inside, in Keras 3.

Layer names are those of Keras Applications, so that its weights load by name.
"""

from typing import Any

from keras import layers

from .architectures import DenseNet

# ImageNet statistics of RGB in 0..1, as the weights of Keras Applications expect them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_EPSILON = 1.001e-5


def densenet_features(layout: DenseNet, image: Any) -> Any:
    """Return the last feature map for `image`, RGB 0..255 of shape (batch, height, width, 3)."""
    x = layers.Normalization(
        mean=[255 * mean for mean in IMAGENET_MEAN],
        variance=[(255 * std) ** 2 for std in IMAGENET_STD],
        name="normalization",
    )(image)
    size = {"imagenet": 7, "small": 3}[layout.stem]
    stem = layers.Conv2D(layout.stem_channels, size, strides=2, use_bias=False, name="conv1_conv")
    x = stem(layers.ZeroPadding2D(size // 2, name="zero_padding2d")(x))
    if layout.stem == "imagenet":
        x = _bn_relu(x, "conv1")
        x = layers.ZeroPadding2D(1, name="zero_padding2d_1")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, depth in enumerate(layout.blocks, start=2):
        if stage > 2:
            x = _transition(x, f"pool{stage - 1}")
        for index in range(depth):
            x = _dense_layer(x, f"conv{stage}_block{index + 1}", layout.growth_rate)
    x = layers.BatchNormalization(epsilon=_EPSILON, name="bn")(x)
    return layers.Activation("relu", name="relu")(x)


def _bn_relu(x: Any, prefix: str) -> Any:
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{prefix}_bn")(x)
    return layers.Activation("relu", name=f"{prefix}_relu")(x)


def _dense_layer(x: Any, name: str, growth_rate: int) -> Any:
    y = _bn_relu(x, f"{name}_0")
    y = layers.Conv2D(4 * growth_rate, 1, use_bias=False, name=f"{name}_1_conv")(y)
    y = _bn_relu(y, f"{name}_1")
    y = layers.Conv2D(growth_rate, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(y)
    return layers.Concatenate(name=f"{name}_concat")([x, y])


def _transition(x: Any, name: str) -> Any:
    x = _bn_relu(x, name)
    x = layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)
