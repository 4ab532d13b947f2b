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

from ..graph.nodes import Activation, Conv, Dense, Depthwise, Graph, Node, PixelPairs, Pool
from ..graph.to_keras import DeployModel, build_layers
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


def annotate(
    graph: Graph, ranges: dict[str, TensorRange], *, outputs: Sequence[str] = ()
) -> DeployModel:
    """Return a tf_keras model of `graph` that tells TFLite's converter the range of each tensor.

    RGB 0..255 in, scores out, which are not rounded, nor are the pixels, which are whole numbers.
    """

    def with_range(node: Node, layer: Any) -> Any:
        tensor = None if keeps_values(node) else ranges.get(node.name)
        if tensor is None or node.name == graph.output.name:
            return layer
        return wrap(layer, Rounding(output=over_range(tensor.low, tensor.high)))

    return DeployModel(graph, build_layers(graph, with_range), outputs=outputs)


def build_fake_quant(
    graph: Graph, ranges: dict[str, TensorRange], *, outputs: tuple[str, ...] = ()
) -> DeployModel:
    """Return a tf_keras model of `graph` that computes as int8 does: RGB 0..255 in, scores out.

    Gradients pass through the rounding, but not through what a range cuts off. The scores
    themselves are not rounded, nor are relative logits, most of which their limits cut off: a mean
    that a bias shall correct would not be seen.

    Args:
        graph: a deploy graph.
        ranges: what `calibrate_ranges` returned for it.
        outputs: names of the nodes to return, in steps where int8 stores them; the scores if empty.
    """
    layers = fake_quant_layers(graph, ranges)
    model = DeployModel(graph, {layer.node.name: layer for layer in layers}, outputs=outputs)
    model.rounded = [layer.layer for layer in layers]  # Keras finds the weights there
    return model


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

    def __call__(self, read: Any) -> Any:
        """Return what the node makes of a tensor or a list of them, in steps where int8 has it."""
        tensors = read if isinstance(read, list) else [read]
        values = [
            tensor if unit is None else tensor * unit
            for tensor, unit in zip(tensors, self.read_units, strict=True)
        ]
        return self.layer(values if len(values) > 1 else values[0])

    def weight(self, name: str) -> Any:
        """Return the variable `name` of the node, in real numbers."""
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
        limited = {node.name for node in graph if isinstance(node, Dense) and node.limits}
        real = limited | {graph.output.name}
        self._steps = {name: Steps.over(ranges[name]) for name in ranges if name not in real}
        for node in graph:  # what a ReLU reads is never stored: it is made in the ReLU's steps
            if node.name not in self._steps and node.name not in real:
                self._steps[node.name] = self._steps[graph.consumers(node.name)[0].name]

    def layers(self) -> list[FakeQuantLayer]:
        built = build_layers(_without_six(self._graph), self._rounded)
        return [self._layer(node, built[node.name]) for node in self._graph if node.name in built]

    def _layer(self, node: Node, layer: Any) -> FakeQuantLayer:
        units = [self._steps.get(name) for name in node.inputs]
        made = self._steps.get(node.name)
        read_units: tuple[Any, ...] = (None,) * len(units)
        if self._is_real(node):
            read_units = tuple(unit and unit.size for unit in units)
        return FakeQuantLayer(node, layer, read_units, float(made.size) if made else None)

    def _is_real(self, node: Node) -> bool:
        """Return whether `node` computes in real numbers: in int8 too, or as it is not rounded."""
        stored = all(name in self._steps for name in (node.name, *node.inputs))
        return not (stored and _counts(node))

    def _rounded(self, node: Node, layer: Any) -> Any:
        made = self._steps.get(node.name)
        rounding = None
        if self._is_real(node):
            rounding = _round_reals(node, made)
        elif isinstance(node, LINEAR):
            rounding = _round_sums(node, layer, self._steps[node.inputs[0]], self._steps[node.name])
        elif not keeps_values(node) and isinstance(node, Pool):
            rounding = Rounding(output=By(self._steps[node.name].average))
        return layer if rounding is None else wrap(layer, rounding)


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
