"""From a Keras functional model to our graph, layer by layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.errors import EdgeclfError
from .graph import (
    Activation,
    Affine,
    Array,
    Concat,
    Conv,
    Dense,
    GlobalAverage,
    Graph,
    Input,
    Node,
    Pool,
    ZeroPad,
)


def read_keras(model: Any) -> Graph:
    """Return the inference graph of a functional Keras model.

    Raises:
        EdgeclfError: the model has layers that cannot be converted; each is named.
    """
    nodes: list[Node] = []
    made_by: dict[int, str] = {}
    unknown: list[str] = []
    for layer in model.layers:
        kind = type(layer).__name__
        tensors = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = tuple(made_by[id(tensor)] for tensor in tensors if id(tensor) in made_by)
        reader = _READERS.get(kind)
        read = reader(layer, inputs) if reader else None
        if read is None:
            unknown.append(f"{layer.name} ({kind})")
            read = [Node(layer.name, inputs)]
        nodes += read
        made_by[id(layer.output)] = (*inputs, *(node.name for node in read))[-1]
    if unknown:
        raise EdgeclfError(
            f"{model.name}: cannot convert the layers {', '.join(unknown)}; "
            f"known: {', '.join(_READERS)}"
        )
    return Graph(nodes)


# A reader returns the nodes of a layer (none if it does nothing at inference), or None if the
# layer has an option that we do not know.
_Reader = Callable[[Any, tuple[str, ...]], "list[Node] | None"]


def _read_input(layer: Any, _inputs: tuple[str, ...]) -> list[Node]:
    return [Input(layer.name, (), tuple(layer.batch_shape[1:]))]


def _read_normalization(layer: Any, inputs: tuple[str, ...]) -> list[Node]:
    scale = 1 / np.maximum(np.sqrt(_array(layer.variance).ravel()), 1e-7)
    return [_affine(layer, inputs, scale, -_array(layer.mean).ravel() * scale)]


def _read_batchnorm(layer: Any, inputs: tuple[str, ...]) -> list[Node]:
    scale = 1 / np.sqrt(_array(layer.moving_variance).astype(np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * _array(layer.gamma)
    shift = -_array(layer.moving_mean) * scale
    if layer.center:
        shift = shift + _array(layer.beta)
    return [_affine(layer, inputs, scale, shift)]


def _read_conv(layer: Any, inputs: tuple[str, ...]) -> list[Node] | None:
    if layer.groups != 1 or tuple(layer.dilation_rate) != (1, 1):
        return None
    bias = _bias(layer, layer.filters)
    conv = Conv(layer.name, inputs, _array(layer.kernel), bias, tuple(layer.strides), layer.padding)
    return _with_activation(layer, conv)


def _read_dense(layer: Any, inputs: tuple[str, ...]) -> list[Node] | None:
    dense = Dense(layer.name, inputs, _array(layer.kernel), _bias(layer, layer.units))
    return _with_activation(layer, dense)


def _read_activation(layer: Any, inputs: tuple[str, ...]) -> list[Node] | None:
    function = layer.activation.__name__
    return [Activation(layer.name, inputs, function)] if function in ("relu", "softmax") else None


def _read_zero_pad(layer: Any, inputs: tuple[str, ...]) -> list[Node]:
    (top, bottom), (left, right) = layer.padding
    return [ZeroPad(layer.name, inputs, ((top, bottom), (left, right)))]


def _read_max_pool(layer: Any, inputs: tuple[str, ...]) -> list[Node]:
    size, strides = tuple(layer.pool_size), tuple(layer.strides)
    return [Pool(layer.name, inputs, "max", size, strides, layer.padding)]


def _read_average_pool(layer: Any, inputs: tuple[str, ...]) -> list[Node]:
    size, strides = tuple(layer.pool_size), tuple(layer.strides)
    return [Pool(layer.name, inputs, "average", size, strides, layer.padding)]


def _read_global_average(layer: Any, inputs: tuple[str, ...]) -> list[Node] | None:
    return None if layer.keepdims else [GlobalAverage(layer.name, inputs)]


def _read_concat(layer: Any, inputs: tuple[str, ...]) -> list[Node] | None:
    return [Concat(layer.name, inputs)] if layer.axis in (-1, 3) else None


def _read_dropout(_layer: Any, _inputs: tuple[str, ...]) -> list[Node]:
    return []


_READERS: dict[str, _Reader] = {
    "InputLayer": _read_input,
    "Normalization": _read_normalization,
    "BatchNormalization": _read_batchnorm,
    "Conv2D": _read_conv,
    "Dense": _read_dense,
    "Activation": _read_activation,
    "ZeroPadding2D": _read_zero_pad,
    "MaxPooling2D": _read_max_pool,
    "AveragePooling2D": _read_average_pool,
    "GlobalAveragePooling2D": _read_global_average,
    "Concatenate": _read_concat,
    "Dropout": _read_dropout,
}


def _with_activation(layer: Any, node: Node) -> list[Node] | None:
    function = layer.activation.__name__
    if function == "linear":
        return [node]
    if function not in ("relu", "softmax"):
        return None
    return [node, Activation(f"{node.name}_{function}", (node.name,), function)]


def _affine(
    layer: Any, inputs: tuple[str, ...], scale: NDArray[Any], shift: NDArray[Any]
) -> Affine:
    return Affine(layer.name, inputs, scale.astype(np.float32), shift.astype(np.float32))


def _bias(layer: Any, channels: int) -> Array:
    return _array(layer.bias) if layer.use_bias else np.zeros(channels, np.float32)


def _array(variable: Any) -> Array:
    return np.asarray(variable, np.float32)
