"""From our graph to tf_keras, the Keras that TFLite's tools accept."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras import layers

from .nodes import (
    Activation,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Elementwise,
    GlobalAverage,
    Graph,
    Node,
    PixelPairs,
    Pool,
    Reshape,
    UnitLength,
    UnknownLayer,
    ZeroPad,
)
from .unknown_layers import build_unknown_layer


def build_tf_keras(graph: Graph, *, outputs: Sequence[str] = ()) -> Any:
    """Return a functional tf_keras model of `graph`: float32 RGB 0..255 in, `outputs` out.

    Args:
        graph: a deploy graph.
        outputs: names of the nodes to return; the graph's output if empty.
    """
    tensors = {graph.input.name: tf_keras.Input(graph.input.shape, name=graph.input.name)}
    arrays: dict[str, list[Any]] = {}
    for node in graph:
        if node.name in tensors:
            continue
        layer = _layer(node)
        read = [tensors[name] for name in node.inputs]
        tensors[node.name] = layer(read if len(read) > 1 else read[0])
        if isinstance(node, Conv | Depthwise | Dense | PixelPairs):
            arrays[node.name] = [node.kernel, node.bias]
        elif isinstance(node, UnknownLayer):
            arrays[node.name] = list(node.weights)
    chosen = [tensors[name] for name in outputs or [graph.output.name]]
    # A constant name: tensors are called by it, and the same graph shall give the same file.
    model = tf_keras.Model(tensors[graph.input.name], chosen, name="deploy")
    for layer in model.layers:
        if layer.name in arrays:
            layer.set_weights(arrays[layer.name])
    return model


@singledispatch
def _layer(node: Node) -> Any:
    raise TypeError(f"no layer for {type(node).__name__} {node.name!r}")


@_layer.register
def _(node: Conv) -> Any:
    return layers.Conv2D(
        node.kernel.shape[3],
        node.kernel.shape[:2],
        strides=node.strides,
        padding=node.padding,
        dilation_rate=node.dilation,
        groups=node.groups,
        name=node.name,
    )


@_layer.register
def _(node: Depthwise) -> Any:
    return layers.DepthwiseConv2D(
        node.kernel.shape[:2],
        strides=node.strides,
        padding=node.padding,
        depth_multiplier=node.kernel.shape[3],
        dilation_rate=node.dilation,
        name=node.name,
    )


@_layer.register
def _(node: PixelPairs) -> Any:
    return layers.Conv2D(len(node.bias), 1, trainable=False, name=node.name)


@_layer.register
def _(node: Dense) -> Any:
    return layers.Dense(node.kernel.shape[1], name=node.name)


@_layer.register
def _(node: Activation) -> Any:
    function = _hard_silu if node.function == "hard_silu" else getattr(tf.nn, node.function)
    return layers.Activation(function, name=node.name)


@_layer.register
def _(node: ZeroPad) -> Any:
    return layers.ZeroPadding2D(node.padding, name=node.name)


@_layer.register
def _(node: Pool) -> Any:
    kind = layers.MaxPooling2D if node.kind == "max" else layers.AveragePooling2D
    return kind(node.size, strides=node.strides, padding=node.padding, name=node.name)


@_layer.register
def _(node: GlobalAverage) -> Any:
    return layers.GlobalAveragePooling2D(keepdims=node.keepdims, name=node.name)


@_layer.register
def _(node: Concat) -> Any:
    return layers.Concatenate(name=node.name)


@_layer.register
def _(node: Elementwise) -> Any:
    return getattr(layers, node.kind.capitalize())(name=node.name)


@_layer.register
def _(node: Reshape) -> Any:
    return layers.Reshape(node.shape, name=node.name)


@_layer.register
def _(node: UnitLength) -> Any:
    return layers.UnitNormalization(axis=-1, name=node.name)


@_layer.register
def _(node: UnknownLayer) -> Any:
    return build_unknown_layer(node)


def _hard_silu(x: Any) -> Any:
    """Return x relu6(x + 3) / 6, in the form that TFLite makes HARD_SWISH of."""
    return x * tf.nn.relu6(x + 3) * (1 / 6)
