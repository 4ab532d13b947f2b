"""Biases that give every layer's rounded output the mean that float has.

A rounded weight is wrong by the same amount for every image, and what it multiplies has a mean, so
that its error has one, too. Layer after layer they add up to logits that err in one direction.
Nagel et al. 2019 (https://arxiv.org/abs/1906.04721, 4.2) move each channel's bias by the difference
of the means over calibration images, the layers in turn, so that each one sees what the corrected
ones before it make. That is computed here in whole numbers, bit for bit as the file will.
"""

from dataclasses import dataclass, replace
from typing import Any

import click
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..graph.nodes import Conv, Dense, Depthwise, Graph, upper_limit
from ..graph.to_keras import build_tf_keras, image_batch
from ..quantize.fake_quant import FakeQuantLayer, fake_quant_layers, on_grid
from ..quantize.ranges import TensorRange, stored_as
from .technique import Technique

_LAYERS = (Conv, Depthwise, Dense)

# All values of a layer on all of these images lie in memory.
_MOST_IMAGES = 64

_BATCH = 8

# Behind a ReLU a bias moves the mean only where values are positive, and below 6 of a ReLU6. Where
# fewer are than this share, their number is too uncertain to divide by.
_LEAST_SHARE = 0.25


@dataclass(frozen=True)
class _Channels:
    """What float makes of a layer's channels, ReLU included.

    Attributes:
        mean: float64 of shape (channels,).
        moved: share of the values that a bias moves, of the same shape; 1 without a ReLU.
    """

    mean: NDArray[np.float64]
    moved: NDArray[np.float64] | float


def bias_correction(
    graph: Graph, ranges: dict[str, TensorRange], inputs: NDArray[np.uint8]
) -> Graph:
    """Return `graph` with biases that make up for the mean errors of its int8 outputs.

    Args:
        graph: a deploy graph without unknown layers.
        ranges: what `calibrate_ranges` returned for it; the file must have the same.
        inputs: RGB uint8 of shape (images, height, width, 3); the first 64 are looked at.
    """
    inputs = inputs[:_MOST_IMAGES]
    in_float = _float_channels(graph, inputs)
    pixels = inputs.astype(np.int16) - graph.input.zero
    values: dict[str, NDArray[Any]] = {graph.input.name: pixels}
    last_reader = {name: node.name for node in graph for name in node.inputs}
    biases: dict[str, NDArray[np.float32]] = {}
    layers = fake_quant_layers(on_grid(graph, ranges), ranges)
    with click.progressbar(layers, label="Correcting biases") as bar:
        for layer in bar:
            name = layer.node.name
            read = [values[source] for source in layer.node.inputs]
            made = _compute(layer, read)
            if name in in_float:
                wanted, unit = in_float[name], layer.unit or 1.0
                error = wanted.mean - unit * _means(made)
                bias = layer.weight("bias")
                before = bias.numpy()
                bias.assign_add((error / wanted.moved).astype(np.float32))
                made = _compute(layer, read)
                # A channel that hardly varies is rounded to the same step everywhere: to another
                # one, perhaps, that is farther off.
                worse = np.abs(wanted.mean - unit * _means(made)) > np.abs(error)
                if worse.any():
                    bias.assign(np.where(worse, before, bias.numpy()))
                    made = _compute(layer, read)
                biases[name] = bias.numpy()
            values[name] = made if layer.unit is None else made.astype(np.int16)
            for source in layer.node.inputs:
                if last_reader[source] == name:
                    values.pop(source, None)
    return Graph(
        [
            replace(node, bias=biases[node.name]) if isinstance(node, _LAYERS) else node
            for node in graph
        ]
    )


def _float_channels(graph: Graph, inputs: NDArray[np.uint8]) -> dict[str, _Channels]:
    layers = [node.name for node in graph if isinstance(node, _LAYERS)]
    seen = [stored_as(graph, name) for name in layers]
    model = build_tf_keras(graph, outputs=seen)
    limits = [upper_limit(graph[name]) for name in seen]

    @tf.function(input_signature=[image_batch(graph)], autograph=False)  # type: ignore[untyped-decorator]
    def means(images: Any) -> Any:
        made = tf.nest.flatten(model(images, training=False))
        axes = [list(range(len(values.shape) - 1)) for values in made]
        return [
            (tf.reduce_mean(values, axis), tf.reduce_mean(_between(values, limit), axis))
            for values, axis, limit in zip(made, axes, limits, strict=True)
        ]

    batches = _batches(inputs)
    shares = np.array([len(batch) for batch in batches]) / len(inputs)
    of_batches = [means(batch.astype(np.float32)) for batch in batches]
    channels = {}
    for place, (name, stored) in enumerate(zip(layers, seen, strict=True)):
        both = [[mean.numpy() for mean in of_batch[place]] for of_batch in of_batches]
        mean, positive = np.tensordot(shares, np.asarray(both, np.float64), 1)
        fused = name != stored
        channels[name] = _Channels(mean, np.maximum(positive, _LEAST_SHARE) if fused else 1.0)
    return channels


def _between(values: Any, limit: float) -> Any:
    """Return 1 where a value of a ReLU that ends at `limit` is at neither end, else 0."""
    return tf.cast((values > 0) & (values < limit), tf.float32)


def _means(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of each channel."""
    mean: NDArray[np.float64] = values.mean(tuple(range(values.ndim - 1)), dtype=np.float64)
    return mean


def _compute(layer: FakeQuantLayer, read: list[NDArray[Any]]) -> NDArray[np.float32]:
    """Return what `layer` makes of all images of `read`, float32."""
    made = []
    for batch in zip(*(_batches(values) for values in read), strict=True):
        tensors = [tf.constant(values, tf.float32) for values in batch]
        made.append(layer(tensors if len(tensors) > 1 else tensors[0]).numpy())
    return np.concatenate(made)


def _batches(images: NDArray[Any]) -> list[NDArray[Any]]:
    return [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]


TECHNIQUE = Technique("bias_correction", correct=bias_correction)
