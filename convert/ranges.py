"""Which tensors of a deploy graph are quantized in int8, and over what ranges."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .build import build_tf_keras
from .graph import (
    Activation,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Elementwise,
    Graph,
    Input,
    Node,
    Pool,
    Reshape,
    ZeroPad,
)

_BATCH = 16

# A tensor that never differs from zero still needs a width.
_NARROWEST = 1e-6


@dataclass(frozen=True)
class TensorRange:
    """The extremes that 256 steps stand for; zero is always among them."""

    low: float
    high: float


# What is no image any more, features averaged over it and logits, belongs to few classes: one that
# did not calibrate exceeds its extremes, and a cut logit changes the scores most of all.
_HEADROOM = 1.25

# TFLite prescribes these: scale 1/256 or 1/128.
_PRESCRIBED = {
    "softmax": TensorRange(0, 255 / 256),
    "sigmoid": TensorRange(0, 255 / 256),
    "tanh": TensorRange(-1, 127 / 128),
}
_PIXELS = TensorRange(0, 255)


def calibrate_ranges(graph: Graph, inputs: NDArray[np.uint8]) -> dict[str, TensorRange]:
    """Return the range of each tensor that int8 stores, by node, from the extremes over `inputs`.

    A convolution and the ReLU that alone reads it are one operator: its tensor is never stored.
    What is flat gets a quarter more.
    Pooling, padding, reshaping and concatenating leave int8 values as they are, so that what goes
    in and what comes out share one range.

    Args:
        graph: a deploy graph.
        inputs: RGB uint8 of shape (images, height, width, 3).
    """
    stored = [node for node in graph if not _is_fused(graph, node)]
    extremes = _extremes(graph, [node.name for node in stored], inputs)
    for node in stored:
        if isinstance(node, Input):
            extremes[node.name] = _PIXELS
        elif isinstance(node, Activation) and node.function in _PRESCRIBED:
            extremes[node.name] = _PRESCRIBED[node.function]
        elif not graph.is_image(node.name):
            cut = extremes[node.name]
            extremes[node.name] = TensorRange(_HEADROOM * cut.low, _HEADROOM * cut.high)
    ranges = {}
    for names in _sharing(stored):
        shared = _around([extremes[name] for name in names])
        ranges.update(dict.fromkeys(names, shared))
    return ranges


def keeps_values(node: Node) -> bool:
    """Return whether `node` only passes on values that it reads, in int8 as in float."""
    return _shares(node) and not (isinstance(node, Pool) and node.kind == "average")


def _is_fused(graph: Graph, node: Node) -> bool:
    linear = isinstance(node, Conv | Depthwise | Dense) or (
        isinstance(node, Elementwise) and node.kind in {"add", "subtract", "multiply"}
    )
    readers = graph.consumers(node.name)
    return linear and [
        isinstance(reader, Activation) and reader.function in {"relu", "relu6"}
        for reader in readers
    ] == [True]


def _shares(node: Node) -> bool:
    """Return whether TFLite gives what `node` reads and makes the same scale."""
    return isinstance(node, Concat | Pool | Reshape | ZeroPad) or (
        isinstance(node, Elementwise) and node.kind in {"maximum", "minimum"}
    )


def _sharing(nodes: Iterable[Node]) -> list[set[str]]:
    """Return the tensors in sets of those that share their range."""
    sets: dict[str, set[str]] = {}
    for node in nodes:
        sets[node.name] = {node.name}
        if _shares(node):
            joined = sets[node.name].union(*(sets[name] for name in node.inputs))
            sets.update(dict.fromkeys(joined, joined))
    return list({id(names): names for names in sets.values()}.values())


def _around(ranges: list[TensorRange]) -> TensorRange:
    low = min(0.0, *(one.low for one in ranges))
    return TensorRange(low, max(low + _NARROWEST, *(one.high for one in ranges)))


def _extremes(graph: Graph, names: list[str], inputs: NDArray[np.uint8]) -> dict[str, TensorRange]:
    model = build_tf_keras(graph, outputs=names)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def low_and_high(images: Any) -> Any:
        values = model(images, training=False)
        return [[tf.reduce_min(v) for v in values], [tf.reduce_max(v) for v in values]]

    batches = [
        np.asarray(low_and_high(inputs[start : start + _BATCH].astype(np.float32)))
        for start in range(0, len(inputs), _BATCH)
    ]
    lows, highs = np.min([low for low, _ in batches], 0), np.max([high for _, high in batches], 0)
    return {
        name: TensorRange(float(low), float(high))
        for name, low, high in zip(names, lows, highs, strict=True)
    }
