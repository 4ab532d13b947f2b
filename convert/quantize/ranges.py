"""Which tensors of a deploy graph are quantized in int8, and over what ranges."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..graph.nodes import (
    Activation,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Elementwise,
    Graph,
    Input,
    Node,
    PixelPairs,
    Pool,
    Reshape,
    UnitLength,
    ZeroPad,
    joined_by,
    upper_limit,
)
from ..graph.scales import ChannelRange
from .calibrate import channel_ranges_of_parts

# A tensor that never differs from zero still needs a width.
_NARROWEST = 1e-6


@dataclass(frozen=True)
class TensorRange:
    """The extremes that 256 steps stand for; zero is always among them."""

    low: float
    high: float


# A tensor has room for what its extremes grow by while the images double so many times: more where
# equalisation brought every channel to the border, or where values are no image any more and a
# class that did not calibrate exceeds them.
_DOUBLINGS_OF_MANY = 3
_DOUBLINGS = 2
_MOST_ROOM = 2.0

# Channels narrower than this share of the widest do not tell how fast extremes grow.
_TELLING = 1e-3

# TFLite prescribes these: scale 1/256 or 1/128.
_PRESCRIBED = {
    "softmax": TensorRange(0, 255 / 256),
    "sigmoid": TensorRange(0, 255 / 256),
    "tanh": TensorRange(-1, 127 / 128),
}
_PIXELS = TensorRange(0, 255)
_UNIT_LENGTH = TensorRange(-1, 127 / 128)


def calibrate_ranges(graph: Graph, inputs: NDArray[np.uint8]) -> dict[str, TensorRange]:
    """Return the range of each tensor that int8 stores, by node.

    That is the extremes over `inputs` and room for those of further images, which is estimated from
    how much wider the channels are over all images than over half of them.

    A convolution and the ReLU that alone reads it are one operator: its tensor is never stored.
    Pooling, padding, reshaping and concatenating leave int8 values as they are, so that what goes
    in and what comes out share one range.

    Args:
        graph: a deploy graph.
        inputs: RGB uint8 of shape (images, height, width, 3).
    """
    stored = [node for node in graph if not _is_fused(graph, node)]
    names = [node.name for node in stored]
    parts = [inputs[start::2] for start in range(min(2, len(inputs)))]
    halves = channel_ranges_of_parts(graph, names, parts)
    ranges = {}
    for sharing in joined_by(stored, _shares):
        members = [node for node in stored if node.name in sharing]
        fixed = [one for node in members if (one := _fixed(node))]
        channels = [[half[node.name] for half in halves] for node in members if not _fixed(node)]
        crowded = any(isinstance(n, Concat) or not graph.is_image(n.name) for n in members)
        room = 1.0 if fixed else _room(channels, _DOUBLINGS_OF_MANY if crowded else _DOUBLINGS)
        shared = _around([*fixed, *(_extremes(each, room) for each in channels)])
        limit = max((upper_limit(n) for n in members if not keeps_values(n)), default=math.inf)
        shared = replace(shared, high=min(shared.high, limit))
        ranges.update(dict.fromkeys(sharing, shared))
    return ranges


def stored_as(graph: Graph, name: str) -> str:
    """Return whose int8 tensor holds what `name` makes: its own, or its fused ReLU's."""
    return graph.consumers(name)[0].name if _is_fused(graph, graph[name]) else name


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


def _around(ranges: list[TensorRange]) -> TensorRange:
    low = min(0.0, *(one.low for one in ranges))
    return TensorRange(low, max(low + _NARROWEST, *(one.high for one in ranges)))


def _fixed(node: Node) -> TensorRange | None:
    if isinstance(node, Input):
        return TensorRange(_PIXELS.low - node.zero, _PIXELS.high - node.zero)
    if isinstance(node, PixelPairs):
        return _PIXELS
    if isinstance(node, UnitLength):
        return _UNIT_LENGTH
    if isinstance(node, Depthwise | Dense) and node.limits is not None:
        return TensorRange(*node.limits)
    return _PRESCRIBED.get(node.function) if isinstance(node, Activation) else None


def _extremes(halves: list[ChannelRange], room: float) -> TensorRange:
    low, high = min(half.low.min() for half in halves), max(half.high.max() for half in halves)
    return TensorRange(room * float(low), room * float(high))


def _room(channels: list[list[ChannelRange]], doublings: int) -> float:
    """Return the factor by which tensors that share their range may exceed their extremes."""
    growth = float(np.mean([_growth(halves) for halves in channels]))
    return min(growth**doublings, _MOST_ROOM)


def _growth(halves: list[ChannelRange]) -> float:
    """Return by what factor a tensor's channels widen, in the mean, when the images double."""
    if len(halves) < 2:
        return 1.0
    one, other = halves
    half = (one.width + other.width) / 2
    telling = half > _TELLING * half.max()
    return float(np.mean(one.union(other).width[telling] / half[telling])) if telling.any() else 1.0
