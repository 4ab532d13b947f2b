"""The deploy graph with int8's rounding put into its float arithmetic.

tensorflow-model-optimization wraps the layers; where it rounds, our graph says. Its own registry
does not know which operators TFLite makes one of or gives one scale, rounds the 1x1 depthwise
convolutions with one scale for all channels, and starts from ranges of -6..6.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.quantization.keras import QuantizeConfig, QuantizeWrapperV2
from tensorflow_model_optimization.quantization.keras.quantizers import FixedQuantizer, Quantizer

from .build import build_tf_keras
from .graph import Conv, Dense, Depthwise, GlobalAverage, Graph, Node, Pool
from .ranges import TensorRange, keeps_values

_KERNELS = {Conv: "kernel", Dense: "kernel", Depthwise: "depthwise_kernel"}

# A channel of zeros still needs a width.
_LEAST = 1e-9


def learned(graph: Graph, model: Any) -> Graph:
    """Return `graph` with the kernels and biases of `model`, which `build_rounded` made of it."""
    arrays = {variable.name.split(":")[0]: variable for variable in model.trainable_weights}

    def fill(node: Node) -> Node:
        if not isinstance(node, Conv | Dense | Depthwise):
            return node
        kernel, bias = arrays[f"{node.name}/{_KERNELS[type(node)]}"], arrays[f"{node.name}/bias"]
        return replace(node, kernel=kernel.numpy(), bias=bias.numpy())

    return Graph([fill(node) for node in graph])


def build_rounded(graph: Graph, ranges: dict[str, TensorRange], *, weights: bool = True) -> Any:
    """Return a tf_keras model of `graph` that rounds as int8 does: RGB 0..255 in, scores out.

    Gradients pass through the rounding, but not through what a range cuts off. The scores
    themselves are not rounded, nor are the pixels, which are whole numbers.

    Args:
        graph: a deploy graph.
        ranges: what `calibrate_ranges` returned for it.
        weights: False leaves that to TFLite's converter, which does it alike.
    """

    def wrap(layer: Any) -> Any:
        config = _LayerRounding(graph[layer.name], graph, ranges, weights)
        return QuantizeWrapperV2(layer, config, name_prefix="") if config.rounds else layer

    return tf_keras.models.clone_model(build_tf_keras(graph), clone_function=wrap)


def rounding_steps(graph: Graph, ranges: dict[str, TensorRange], model: Any) -> list[Any]:
    """Return for each of `model.trainable_weights` how far apart its roundings lie.

    A kernel's channels are rounded to 127 steps of their largest value. A bias moves what its
    operator puts out, so that its unit is the step of that tensor.

    Returns:
        float32 arrays that broadcast against the weights.
    """
    units = {}
    for node in graph:
        if isinstance(node, Conv | Dense | Depthwise):
            axes = tuple(range(2 if isinstance(node, Depthwise) else node.kernel.ndim - 1))
            largest = np.abs(node.kernel).max(axes, keepdims=True)
            stored = ranges.get(node.name) or ranges[graph.consumers(node.name)[0].name]
            units[f"{node.name}/{_KERNELS[type(node)]}"] = np.maximum(largest, _LEAST) / 127
            units[f"{node.name}/bias"] = np.float32((stored.high - stored.low) / 255)
    return [tf.constant(units[weight.name.split(":")[0]]) for weight in model.trainable_weights]


class _LayerRounding(QuantizeConfig):  # type: ignore[misc]
    """What of one layer is rounded: its kernel, and its output over a fixed range."""

    def __init__(
        self, node: Node, graph: Graph, ranges: dict[str, TensorRange], weights: bool
    ) -> None:
        self._kernel = _KERNELS.get(type(node), "") if weights else ""
        self._channel_axes = 2 if isinstance(node, Depthwise) else 1
        self._output = None if keeps_values(node) else ranges.get(node.name)
        if node.name == graph.output.name:
            self._output = None
        self._averages = weights and isinstance(node, Pool | GlobalAverage)

    @property
    def rounds(self) -> bool:
        return bool(self._kernel or self._output)

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        if not self._kernel:
            return []
        return [(getattr(layer, self._kernel), _PerChannel(self._channel_axes))]

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        for weight in quantize_weights:
            setattr(layer, self._kernel, weight)

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:  # noqa: ARG002
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        pass

    def get_output_quantizers(self, layer: Any) -> list[Any]:  # noqa: ARG002
        if self._output is None:
            return []
        if self._averages:
            return [_HalfToEven(self._output)]
        low, high = self._output.low, self._output.high
        return [FixedQuantizer(num_bits=8, init_min=low, init_max=high, narrow_range=False)]

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("the graph and its ranges are what is saved")


class _HalfToEven(Quantizer):  # type: ignore[misc]
    """Rounds an average to 256 steps of a range, and one midway between two to the even one.

    A quarter of all averages of four whole numbers lie midway; rounding all of those up, as
    TensorFlow does elsewhere, shifts everything after a pooling by an eighth of a step.
    """

    def __init__(self, over: TensorRange) -> None:
        self._step = (over.high - over.low) / 255
        self._zero = round(-over.low / self._step)

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **_: Any) -> Any:  # noqa: ARG002
        steps = tf.clip_by_value(inputs / self._step, -self._zero, 255 - self._zero)
        return self._step * (steps + tf.stop_gradient(tf.round(steps) - steps))

    def get_config(self) -> dict[str, Any]:
        return {"step": self._step, "zero": self._zero}


class _PerChannel(Quantizer):  # type: ignore[misc]
    """Rounds each channel of a kernel to -127..127 steps of its largest value."""

    def __init__(self, channel_axes: int) -> None:
        self._channel_axes = channel_axes

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **_: Any) -> Any:  # noqa: ARG002
        channels = int(np.prod(inputs.shape[-self._channel_axes :]))
        flat = tf.reshape(inputs, (-1, channels))
        limit = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(flat), 0), _LEAST))
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            flat, -limit, limit, narrow_range=True
        )
        return tf.reshape(rounded, inputs.shape)

    def get_config(self) -> dict[str, Any]:
        return {"channel_axes": self._channel_axes}
