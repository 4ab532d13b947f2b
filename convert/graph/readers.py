"""What each Keras layer, or operation on Keras tensors, becomes in our graph."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from .calls import Call, activation, affine, array, bias, function_name, with_activation
from .nodes import (
    Affine,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Elementwise,
    GlobalAverage,
    Node,
    Pool,
    Reshape,
    UnitLength,
    ZeroPad,
)

# A reader returns the nodes of a call, the last of which makes the output (none if it does nothing
# at inference), or None if the layer has an option that we do not know.
Reader = Callable[[Call], "list[Node] | None"]


def _read_normalization(call: Call) -> list[Node] | None:
    mean, variance = array(call.layer.mean), array(call.layer.variance)
    if max(mean.shape[:-1], default=1) > 1:  # it normalises more than channels
        return None
    deviation = np.maximum(np.sqrt(variance.ravel()), 1e-7)
    if getattr(call.layer, "invert", False):
        return affine(call, deviation, mean.ravel())
    scale = 1 / deviation
    return affine(call, scale, -mean.ravel() * scale)


def _read_rescaling(call: Call) -> list[Node] | None:
    return affine(call, array(call.layer.scale), array(call.layer.offset))


def _read_layer_scale(call: Call) -> list[Node] | None:
    """Read ConvNeXt's learnt scale of each channel."""
    return affine(call, array(call.layer.gamma), np.float32(0))


def _read_scaled_sum(call: Call) -> list[Node]:
    """Read InceptionResNetV2's shortcut + scale * residual."""
    shortcut, residual = call.inputs
    scale = np.full(call.shape[-1], call.layer.scale, np.float32)
    scaled = Affine(f"{call.name}_scaled", (residual,), scale, 0 * scale)
    return [scaled, Elementwise(call.name, (shortcut, scaled.name), "add")]


def _read_batchnorm(call: Call) -> list[Node] | None:
    layer = call.layer
    if layer.axis not in (-1, len(call.shape)):
        return None
    scale = 1 / np.sqrt(array(layer.moving_variance).astype(np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * array(layer.gamma)
    shift = -array(layer.moving_mean) * scale
    if layer.center:
        shift = shift + array(layer.beta)
    return affine(call, scale, shift)


def _read_conv(call: Call) -> list[Node] | None:
    layer = call.layer
    conv = Conv(
        call.name,
        call.inputs,
        array(layer.kernel),
        bias(call),
        strides=tuple(layer.strides),
        padding=layer.padding,
        dilation=tuple(layer.dilation_rate),
        groups=layer.groups,
    )
    return with_activation(call, [conv])


def _read_depthwise(call: Call) -> list[Node] | None:
    layer = call.layer
    depthwise = Depthwise(
        call.name,
        call.inputs,
        array(layer.kernel),
        bias(call),
        strides=tuple(layer.strides),
        padding=layer.padding,
        dilation=tuple(layer.dilation_rate),
    )
    return with_activation(call, [depthwise])


def _read_separable(call: Call) -> list[Node] | None:
    layer = call.layer
    kernel = array(layer.depthwise_kernel)
    depthwise = Depthwise(
        f"{call.name}_depthwise",
        call.inputs,
        kernel,
        np.zeros(kernel.shape[2] * kernel.shape[3], np.float32),
        strides=tuple(layer.strides),
        padding=layer.padding,
        dilation=tuple(layer.dilation_rate),
    )
    pointwise = Conv(
        call.name,
        (depthwise.name,),
        array(layer.pointwise_kernel),
        bias(call),
        strides=(1, 1),
        padding="valid",
    )
    return with_activation(call, [depthwise, pointwise])


def _read_dense(call: Call) -> list[Node] | None:
    dense = Dense(call.name, call.inputs, array(call.layer.kernel), bias(call))
    return with_activation(call, [dense])


def _read_activation(call: Call) -> list[Node] | None:
    return activation(call, call.name, call.inputs, function_name(call.layer.activation))


def _read_relu(call: Call) -> list[Node] | None:
    layer = call.layer
    function = {None: "relu", 6: "relu6"}.get(layer.max_value)
    if layer.negative_slope or layer.threshold or function is None:
        return None
    return activation(call, call.name, call.inputs, function)


def _read_softmax(call: Call) -> list[Node] | None:
    if call.layer.axis not in (-1, len(call.shape)):
        return None
    return activation(call, call.name, call.inputs, "softmax")


def _read_gelu(call: Call) -> list[Node] | None:
    approximate = call.layer.approximate
    return None if approximate else activation(call, call.name, call.inputs, "gelu")


def _applies(function: str) -> Reader:
    return lambda call: activation(call, call.name, call.inputs, function)


def _read_zero_pad(call: Call) -> list[Node]:
    (top, bottom), (left, right) = call.layer.padding
    return [ZeroPad(call.name, call.inputs, ((top, bottom), (left, right)))]


def _read_max_pool(call: Call) -> list[Node]:
    size, strides = tuple(call.layer.pool_size), tuple(call.layer.strides)
    return [Pool(call.name, call.inputs, "max", size, strides, call.layer.padding)]


def _read_average_pool(call: Call) -> list[Node]:
    size, strides = tuple(call.layer.pool_size), tuple(call.layer.strides)
    return [Pool(call.name, call.inputs, "average", size, strides, call.layer.padding)]


def _read_global_average(call: Call) -> list[Node]:
    return [GlobalAverage(call.name, call.inputs, keepdims=call.layer.keepdims)]


def _read_global_max(call: Call) -> list[Node]:
    height, width, _ = call.shapes[0]
    name = call.name if call.layer.keepdims else f"{call.name}_pool"
    pool = Pool(name, call.inputs, "max", (height, width), (1, 1), "valid")
    return [pool] if call.layer.keepdims else [pool, Reshape(call.name, (name,), call.shape)]


def _read_mean(call: Call) -> list[Node] | None:
    axis = call.layer.axis
    if len(call.shapes[0]) != 3 or not isinstance(axis, tuple | list):
        return None
    if {index % 4 for index in axis} != {1, 2}:
        return None
    return [GlobalAverage(call.name, call.inputs, keepdims=call.layer.keepdims)]


def _read_reshape(call: Call) -> list[Node]:
    return [] if call.shape in call.shapes else [Reshape(call.name, call.inputs, call.shape)]


def _read_concat(call: Call) -> list[Node] | None:
    if call.layer.axis not in (-1, len(call.shape)):
        return None
    return [Concat(call.name, call.inputs)] if len(call.inputs) > 1 else []


def _read_merge(call: Call) -> list[Node] | None:
    if len({len(shape) for shape in call.shapes}) > 1:
        return None
    kind = cast(Any, type(call.layer).__name__.lower())
    return [Elementwise(call.name, call.inputs, kind)] if len(call.inputs) > 1 else []


def _read_arithmetic(call: Call) -> list[Node] | None:
    """Read an operation on two tensors, or on a tensor and a constant."""
    kind, (left, right) = type(call.layer).__name__, call.operands
    divides = kind in ("Divide", "TrueDivide")
    if len(call.inputs) == 2:
        return None if divides else _read_merge(call)
    constant = right if isinstance(left, str) else left
    assert not isinstance(constant, str)
    zero, one = np.float32(0), np.float32(1)
    if kind == "Add":
        return affine(call, one, constant)
    if kind == "Multiply":
        return affine(call, constant, zero)
    if kind == "Subtract":
        return affine(call, one, -constant) if right is constant else affine(call, -one, constant)
    return affine(call, 1 / constant, zero) if right is constant else None


def _read_negative(call: Call) -> list[Node] | None:
    return affine(call, np.float32(-1), np.float32(0))


def _read_unit_length(call: Call) -> list[Node] | None:
    over_channels = list(np.atleast_1d(call.layer.axis)) in ([-1], [len(call.shape)])
    return [UnitLength(call.name, call.inputs)] if over_channels else None


def _read_no_op(_call: Call) -> list[Node]:
    return []


LAYERS: dict[str, Reader] = {
    "Normalization": _read_normalization,
    "Rescaling": _read_rescaling,
    "LayerScale": _read_layer_scale,
    "CustomScaleLayer": _read_scaled_sum,
    "BatchNormalization": _read_batchnorm,
    "Conv2D": _read_conv,
    "DepthwiseConv2D": _read_depthwise,
    "SeparableConv2D": _read_separable,
    "Dense": _read_dense,
    "Activation": _read_activation,
    "ReLU": _read_relu,
    "Softmax": _read_softmax,
    "ZeroPadding2D": _read_zero_pad,
    "MaxPooling2D": _read_max_pool,
    "AveragePooling2D": _read_average_pool,
    "GlobalAveragePooling2D": _read_global_average,
    "GlobalMaxPooling2D": _read_global_max,
    "UnitNormalization": _read_unit_length,
    "Reshape": _read_reshape,
    "Flatten": _read_reshape,
    "Concatenate": _read_concat,
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _read_merge),
    **dict.fromkeys(
        (
            *("Identity", "ActivityRegularization", "Dropout", "AlphaDropout", "GaussianDropout"),
            *("GaussianNoise", "SpatialDropout1D", "SpatialDropout2D", "StochasticDepth"),
            *("RandAugment", "AugMix"),
        ),
        _read_no_op,
    ),
}

# What arithmetic on Keras tensors and the functions of keras.ops leave in a model.
OPERATIONS: dict[str, Reader] = {
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Divide", "TrueDivide"), _read_arithmetic),
    "Negative": _read_negative,
    "Relu": _applies("relu"),
    "Relu6": _applies("relu6"),
    "Sigmoid": _applies("sigmoid"),
    "Silu": _applies("silu"),
    "HardSigmoid": _applies("hard_sigmoid"),
    "HardSilu": _applies("hard_silu"),
    "Tanh": _applies("tanh"),
    "Gelu": _read_gelu,
    "Softmax": _read_softmax,
    "Mean": _read_mean,
    "Reshape": _read_reshape,
    "Concatenate": _read_concat,
    "Identity": _read_no_op,
}


def find_reader(call: Call, *, is_layer: bool) -> Reader | None:
    """Return what reads `call`: a Keras layer, or an operation on Keras tensors."""
    kind = type(call.layer).__name__
    if not is_layer:
        return OPERATIONS.get(kind)
    # Random augmentations are for training; one that resizes does so at inference too.
    if kind.startswith("Random") and call.shape in call.shapes:
        return _read_no_op
    return LAYERS.get(kind)
