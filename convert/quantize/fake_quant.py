"""The deploy graph as int8 computes it, in tf_keras: to train it, and to test it.

The network counts in steps: a value is the whole number that its int8 tensor holds, less the zero
point. A layer multiplies whole numbers of input and kernel steps and adds a whole number; float32
holds all of them exactly. The sum is brought to steps of the output as XNNPACK does it, by one
factor in float32 and rounding to the nearest, half to even. So this network and the file that is
made of it compute the same numbers, not just similar ones: rounded a hundred times over, a last bit
here would be as much noise as the quantization itself.

That holds for convolutions and dense layers and what passes values on. Other operators (additions,
sigmoids) compute in real numbers and are rounded afterwards, alike but not bit for bit.

tensorflow-model-optimization wraps the layers; what is rounded and how, our graph says. Its own
registry does not know which operators TFLite makes one of or gives one scale, rounds the 1x1
depthwise convolutions with one scale for all channels, and starts from ranges of -6..6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ..graph.nodes import Activation, Conv, Dense, Depthwise, Graph, Node, PixelPairs, Pool
from ..graph.to_keras import build_tf_keras
from .int8_steps import KERNELS, LINEAR, Steps, divided, kernel_step, own_kernel_step, whole
from .ranges import TensorRange, keeps_values
from .tfmot import By, Rounding, over_range, wrap


def learned(graph: Graph, model: Any) -> Graph:
    """Return `graph` with the kernels and biases of `model`, made of it by `build_fake_quant`."""
    arrays = {variable.name.split(":")[0]: variable for variable in model.trainable_weights}

    def fill(node: Node) -> Node:
        if not isinstance(node, LINEAR):
            return node
        kernel, bias = arrays[f"{node.name}/{KERNELS[type(node)]}"], arrays[f"{node.name}/bias"]
        return replace(node, kernel=kernel.numpy(), bias=bias.numpy())

    return Graph([fill(node) for node in graph])


def on_grid(graph: Graph, ranges: dict[str, TensorRange]) -> Graph:
    """Return `graph` with kernels and biases that are whole numbers of steps.

    Whoever rounds them again, TFLite or we, then finds the same whole numbers.
    """
    return Graph(
        [
            _on_grid(node, ranges.get(node.inputs[0])) if isinstance(node, LINEAR) else node
            for node in graph
        ]
    )


def _on_grid(node: Conv | Dense | Depthwise, read: TensorRange | None) -> Node:
    step = own_kernel_step(node)
    kernel = np.rint(node.kernel / step) * step
    bias = node.bias
    if read is not None:
        unit = Steps.over(read).size * step.ravel()
        bias = np.rint(bias / unit) * unit
    return replace(node, kernel=kernel.astype(np.float32), bias=bias.astype(np.float32))


def annotate(graph: Graph, ranges: dict[str, TensorRange]) -> Any:
    """Return a tf_keras model of `graph` that tells TFLite's converter the range of each tensor.

    RGB 0..255 in, scores out, which are not rounded, nor are the pixels, which are whole numbers.
    """

    def with_range(layer: Any) -> Any:
        node = graph[layer.name]
        tensor = None if keeps_values(node) else ranges.get(node.name)
        if tensor is None or node.name == graph.output.name:
            return layer
        return wrap(layer, Rounding(output=over_range(tensor.low, tensor.high)))

    return tf_keras.models.clone_model(build_tf_keras(graph), clone_function=with_range)


def build_fake_quant(
    graph: Graph, ranges: dict[str, TensorRange], *, outputs: tuple[str, ...] = ()
) -> Any:
    """Return a tf_keras model of `graph` that computes as int8 does: RGB 0..255 in, scores out.

    Gradients pass through the rounding, but not through what a range cuts off. The scores
    themselves are not rounded, nor are relative logits, most of which their limits cut off: a mean
    that a bias shall correct would not be seen.

    Args:
        graph: a deploy graph.
        ranges: what `calibrate_ranges` returned for it.
        outputs: names of the nodes to return, in steps where int8 stores them; the scores if empty.
    """
    return _FakeQuant(graph, ranges).model(outputs)


@dataclass(frozen=True)
class FakeQuantLayer:
    """One node of a graph as int8 computes it.

    Attributes:
        node: the graph's.
        layer: the tf_keras layer, with its rounding.
        read_units: what a step of each tensor that it reads stands for, where the layer computes in
            real numbers; None where it takes them as they are.
        unit: what a step of what it makes stands for; None for real numbers.
    """

    node: Node
    layer: Any
    read_units: tuple[np.float32 | None, ...]
    unit: float | None

    def __call__(self, read: Sequence[Any]) -> Any:
        """Return what the node makes of the tensors `read`, in steps where int8 stores it."""
        values = [
            tensor if unit is None else tensor * unit
            for tensor, unit in zip(read, self.read_units, strict=True)
        ]
        return self.layer(values if len(values) > 1 else values[0])

    def weight(self, name: str) -> Any:
        """Return the variable `name` of the node, in real numbers, once it was called."""
        [variable] = [
            variable
            for variable in self.layer.weights
            if variable.name.split(":")[0] == f"{self.node.name}/{name}"
        ]
        return variable


def fake_quant_layers(graph: Graph, ranges: dict[str, TensorRange]) -> list[FakeQuantLayer]:
    """Return what `build_fake_quant` puts together, node by node, without the input."""
    return _FakeQuant(graph, ranges).layers()


def rounding_steps(graph: Graph, ranges: dict[str, TensorRange], model: Any) -> list[Any]:
    """Return for each of `model.trainable_weights` how far apart its roundings lie.

    A kernel's channels are rounded to 127 steps of their largest value. A bias moves what its
    operator puts out, so that its unit is the step of that tensor.

    Returns:
        float32 arrays that broadcast against the weights.
    """
    units: dict[str, Any] = {}
    for node in graph:
        if isinstance(node, LINEAR):
            units[f"{node.name}/{KERNELS[type(node)]}"] = own_kernel_step(node)
            stored = ranges.get(node.name) or ranges[graph.consumers(node.name)[0].name]
            units[f"{node.name}/bias"] = Steps.over(stored).size
    return [tf.constant(units[weight.name.split(":")[0]]) for weight in model.trainable_weights]


class _FakeQuant:
    """Puts the layers of a graph together so that they count in steps."""

    def __init__(self, graph: Graph, ranges: dict[str, TensorRange]) -> None:
        self._graph = graph
        self._layers = build_tf_keras(_without_six(graph))
        limited = {node.name for node in graph if isinstance(node, Dense) and node.limits}
        real = limited | {graph.output.name}
        self._steps = {name: Steps.over(ranges[name]) for name in ranges if name not in real}
        for node in graph:  # what a ReLU reads is never stored: it is made in the ReLU's steps
            if node.name not in self._steps and node.name not in real:
                self._steps[node.name] = self._steps[graph.consumers(node.name)[0].name]

    def model(self, outputs: tuple[str, ...]) -> Any:
        image = self._graph.input
        tensors = {image.name: tf_keras.Input(image.shape, name=image.name)}
        for layer in self.layers():
            node = layer.node
            tensors[node.name] = layer([tensors[name] for name in node.inputs])
        chosen = [tensors[name] for name in outputs or (self._graph.output.name,)]
        return tf_keras.Model(tensors[image.name], chosen, name="rounded")

    def layers(self) -> list[FakeQuantLayer]:
        return [self._layer(node) for node in self._graph if node is not self._graph.input]

    def _layer(self, node: Node) -> FakeQuantLayer:
        layer = self._layers.get_layer(node.name)
        units = [self._steps.get(name) for name in node.inputs]
        made = self._steps.get(node.name)
        rounding = None
        read_units: tuple[Any, ...] = (None,) * len(units)
        if made is None or None in units or not _counts(node):
            read_units = tuple(unit and unit.size for unit in units)
            rounding = _round_reals(node, made)
        elif isinstance(node, LINEAR) and (unit := units[0]) is not None:
            rounding = _round_sums(node, layer, unit, made)
        elif not keeps_values(node) and isinstance(node, Pool):
            rounding = Rounding(output=By(made.average))
        if rounding is not None:
            layer = wrap(layer, rounding)
        return FakeQuantLayer(node, layer, read_units, float(made.size) if made else None)


def _without_six(graph: Graph) -> Graph:
    """Return `graph` with ReLU for ReLU6, whose range in int8 ends at 6 or before."""

    def plain(node: Node) -> Node:
        if isinstance(node, Activation) and node.function == "relu6":
            return replace(node, function="relu")
        return node

    return Graph([plain(node) for node in graph])


def _counts(node: Node) -> bool:
    """Return whether `node` computes with whole numbers in int8."""
    relu = isinstance(node, Activation) and node.function in {"relu", "relu6"}
    return relu or keeps_values(node) or isinstance(node, (*LINEAR, PixelPairs, Pool))


def _round_sums(node: Node, layer: Any, read: Steps, made: Steps) -> Rounding:
    """Return how a layer counts that reads steps, multiplies whole numbers and makes steps.

    The factor is XNNPACK's, in float32 and in this order: input step times kernel step by output
    step, https://github.com/google/XNNPACK/blob/master/src/operators/convolution-nhwc.c
    """
    kernel = getattr(layer, KERNELS[type(node)])

    def unit() -> Any:
        return tf.reshape(read.size * kernel_step(node, kernel), [-1])

    return Rounding(
        kernel=(
            KERNELS[type(node)],
            By(lambda values: whole(values / kernel_step(node, values))),
        ),
        bias=By(lambda values: whole(values / unit())),
        output=By(lambda sums: made.nearest(whole(sums) * divided(unit(), made.size))),
    )


def _round_reals(node: Node, made: Steps | None) -> Rounding | None:
    """Return what is rounded of a layer that computes in real numbers, if anything is."""

    def kernel(values: Any) -> Any:
        step = kernel_step(node, values)
        return whole(values / step) * step

    rounding = Rounding(
        kernel=(KERNELS[type(node)], By(kernel)) if isinstance(node, LINEAR) else None,
        output=made and By(lambda values: made.nearest(values / made.size)),
    )
    return rounding if rounding.kernel or rounding.output else None
