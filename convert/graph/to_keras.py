"""From our graph to tf_keras, the Keras that TFLite's tools accept."""

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray
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

_BATCH = 16


class DeployModel(tf_keras.Model):  # type: ignore[misc]
    """A deploy graph as a tf_keras model: float32 RGB 0..255 in, the values of some nodes out.

    It calls its layers one after the other. A functional model would trace each of them while it is
    put together, and again when it is called.
    """

    def __init__(
        self, graph: Graph, layers_of: Mapping[str, Any], *, outputs: Sequence[str] = ()
    ) -> None:
        """Connect `layers_of`, by node, built, as `graph` says; otherwise as `build_tf_keras`."""
        # A constant name: tensors are called by it, and the same graph shall give the same file.
        super().__init__(name="deploy")
        self._batch = image_batch(graph)
        self._output_names = tuple(outputs) or (graph.output.name,)
        self._image, self._zero = graph.input.name, graph.input.zero
        self._nodes = tuple(graph.needed_for(self._output_names))
        self._layers_of = dict(layers_of)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def call(self, image: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        values = {self._image: image - self._zero if self._zero else image}
        for node in self._nodes:
            read = [values[name] for name in node.inputs]
            if node.name not in values:
                values[node.name] = self._layers_of[node.name](read if len(read) > 1 else read[0])
        made = [values[name] for name in self._output_names]
        return made if len(made) > 1 else made[0]

    def traced(self) -> Any:
        """Return a function of a batch of images that computes the model, traced once."""
        return tf.function(self.__call__, input_signature=[self._batch], autograph=False)


def build_tf_keras(graph: Graph, *, outputs: Sequence[str] = ()) -> DeployModel:
    """Return a tf_keras model of `graph`: float32 RGB 0..255 in, `outputs` out.

    Args:
        graph: a deploy graph.
        outputs: names of the nodes to return; the graph's output if empty.
    """
    return DeployModel(graph, build_layers(graph), outputs=outputs)


def scores_by(compute: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the scores of images, batch by batch, float32 of shape (images, classes).

    Args:
        compute: what `traced` returned of a model with one output.
        images: RGB uint8 of shape (images, height, width, 3).
    """
    starts = range(0, len(images), _BATCH)
    parts = [compute(images[i : i + _BATCH].astype(np.float32)).numpy() for i in starts]
    return np.concatenate(parts)


def image_batch(graph: Graph) -> Any:
    """Return the TensorFlow spec of any number of images: what is traced for it serves them all."""
    return tf.TensorSpec((None, *graph.input.shape), tf.float32)


def build_layers(
    graph: Graph, wrapped: Callable[[Node, Any], Any] = lambda _, layer: layer
) -> dict[str, Any]:
    """Return the tf_keras layer of each node but the input, built, with the node's arrays.

    Args:
        graph: a deploy graph.
        wrapped: makes of a node and its layer what shall stand there.
    """
    shapes: dict[str, tuple[int | None, ...]] = {graph.input.name: (None, *graph.input.shape)}
    built = {}
    for node in graph:
        if node.name in shapes:
            continue
        layer = _layer(node)
        read = [shapes[name] for name in node.inputs]
        shape = read if len(read) > 1 else read[0]
        _build(layer, shape)
        if isinstance(node, Conv | Depthwise | Dense | PixelPairs):
            layer.set_weights([node.kernel, node.bias])
        elif isinstance(node, UnknownLayer):
            layer.set_weights(list(node.weights))
        shapes[node.name] = tuple(layer.compute_output_shape(shape))
        built[node.name] = wrapped(node, layer)
        if built[node.name] is not layer:
            _build(built[node.name], shape)
    return built


def _build(layer: Any, shape: Any) -> None:
    with tf.name_scope(layer.name):  # the variables are called by it
        layer.build(shape)


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
