"""EfficientNet-Lite with preprocessing inside, in Keras 3.

The layout is that of the lite variants in tensorflow/tpu: EfficientNet (Tan and Le 2019,
https://arxiv.org/abs/1905.11946) with ReLU6 for swish and without squeeze and excitation; stem and
head have the same width in all of them, and the first and the last stage the same depth.

Layer names are those of the published weights, so that these load by name.
"""

import math
from typing import Any, NamedTuple

from keras import layers

from .architectures import EfficientNetLite

_MEAN, _DEVIATION = 127, 128
_EPSILON = 1e-3
_STEM, _HEAD = 32, 1280  # channels


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def efficientnet_lite_features(layout: EfficientNetLite, image: Any) -> Any:
    """Return the last feature map for `image`, RGB 0..255 of shape (batch, height, width, 3)."""
    x = layers.Rescaling(1 / _DEVIATION, offset=-_MEAN / _DEVIATION, name="rescaling")(image)
    x = _conv(x, _STEM, 3, stride=2, name="conv_stem")
    x = _bn_relu6(x, "bn0")
    index = 0
    for stage in _STAGES:
        fixed = stage in (_STAGES[0], _STAGES[-1])
        repeats = stage.repeats if fixed else math.ceil(layout.depth * stage.repeats)
        channels = _rounded(layout.width * stage.channels)
        for repeat in range(repeats):
            stride = 1 if repeat else stage.stride
            x = _block(x, f"blocks_{index}", stage, channels=channels, stride=stride)
            index += 1
    return _bn_relu6(_conv(x, _HEAD, 1, name="conv_head"), "bn1")


def _rounded(channels: float) -> int:
    """Return the multiple of 8 next to `channels`, which it may undercut by a tenth at most."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _block(x: Any, name: str, stage: _Stage, *, channels: int, stride: int) -> Any:
    """Return an inverted residual: expanded, convolved channel by channel, projected, added."""
    y = x
    if stage.expansion > 1:
        y = _conv(y, stage.expansion * x.shape[-1], 1, name=f"{name}_expand_conv")
        y = _bn_relu6(y, f"{name}_bn0")
    y = layers.DepthwiseConv2D(
        stage.kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise_conv",
    )(y)
    y = _conv(_bn_relu6(y, f"{name}_bn1"), channels, 1, name=f"{name}_project_conv")
    y = _bn(y, f"{name}_bn2")
    if stride == 1 and x.shape[-1] == channels:
        y = layers.Add(name=f"{name}_add")([y, x])
    return y


def _conv(x: Any, channels: int, size: int, *, name: str, stride: int = 1) -> Any:
    conv = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False, name=name)
    return conv(x)


def _bn(x: Any, name: str) -> Any:
    return layers.BatchNormalization(epsilon=_EPSILON, name=name)(x)


def _bn_relu6(x: Any, name: str) -> Any:
    return layers.ReLU(6, name=f"{name}_relu6")(_bn(x, name))
