"""Equalisation of what is added up: residual networks.

In a residual network each block adds to what came before, so that a channel which is wide anywhere
along the sums takes the steps of all others. Where all that is added has the same scale of each
channel, the sums have it, too: the layers that make them divide by it, those that read them
multiply. Nagel et al. 2019 (https://arxiv.org/abs/1906.04721) do so between two layers; here it is
between all makers and readers of a row of sums. A ReLU, pooling or zeros around the image let the
scale pass. In float that changes nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..graph.batch_norm import fold_affine
from ..graph.nodes import (
    Affine,
    Array,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Elementwise,
    Graph,
    Node,
    joined_by,
)
from ..graph.scales import (
    Absorbs,
    ChannelRange,
    absorbable_by,
    inverse_of,
    linear_layer,
    passes_through,
    undo_in,
)
from ..quantize.calibrate import channel_ranges
from ..quantize.ranges import stored_as
from .technique import Technique

# Share of a channel's distance from the widest, in octaves, that is made up for. The weights of the
# readers spread by it, but those of a depthwise convolution, which has a scale for each channel.
_HALFWAY = 0.5
_NARROWEST = 1e-3


@dataclass(frozen=True)
class Sums:
    """Tensors that carry the same channels through sums, by the names of their nodes.

    Attributes:
        makers: the convolutions that make what is added.
        passing: sums, and what passes them on.
        readers: the layers that read any of them.
    """

    makers: tuple[str, ...]
    passing: tuple[str, ...]
    readers: tuple[str, ...]


def find_sums(graph: Graph) -> tuple[Sums, ...]:
    """Return the rows of sums that only convolutions make and only layers with weights read."""
    sets = joined_by(graph, lambda node: _passes_scale(graph, node))
    return tuple(sums for names in sets if (sums := _sums(graph, names)))


def summed(graph: Graph) -> tuple[str, ...]:
    """Return the names of the tensors of all `find_sums(graph)` that int8 stores."""
    names = [name for sums in find_sums(graph) for name in (*sums.makers, *sums.passing)]
    return tuple(name for name in names if stored_as(graph, name) == name)


def equalize_sums(graph: Graph, ranges: dict[str, ChannelRange]) -> Graph:
    """Return `graph` with the channels along its sums nearer to a common range.

    Args:
        graph: a deploy graph.
        ranges: the calibrated range of each of `summed(graph)`.
    """
    nodes = {node.name: node for node in graph}
    for sums in find_sums(graph):
        widths = [_share_of_widest(ranges[n]) for n in (*sums.makers, *sums.passing) if n in ranges]
        width = np.max(widths, axis=0).clip(_NARROWEST)
        free = all(isinstance(graph[name], Depthwise) for name in sums.readers)
        scale = np.asarray((width / width.max()) ** (1 if free else _HALFWAY), np.float32)
        undo = Affine("", (), scale, np.zeros_like(scale))
        for name in sums.makers:
            nodes[name] = fold_affine(linear_layer(nodes[name]), inverse_of(undo))
        for name in sums.readers:
            nodes[name] = undo_in(linear_layer(nodes[name]), undo)
    return Graph(list(nodes.values()))


def _sums(graph: Graph, names: set[str]) -> Sums | None:
    """Return `names`, which have one scale, as sums; None if it cannot be made or undone."""
    passing = [n for n in graph if n.name in names and _passes_scale(graph, n)]
    makers = [n for n in graph if n.name in names and not _passes_scale(graph, n)]
    readers = [n for n in graph if n.name not in names and names.intersection(n.inputs)]
    if (
        not any(isinstance(node, Elementwise) for node in passing)
        or not all(isinstance(node, Conv | Depthwise) for node in makers)
        or not all(
            isinstance(node, Conv | Depthwise | Dense) and absorbable_by(node) for node in readers
        )
        or graph.output.name in names
    ):
        return None
    return Sums(*(tuple(node.name for node in some) for some in (makers, passing, readers)))


def _passes_scale(graph: Graph, node: Node) -> bool:
    """Return whether `node` makes h y of h y, for each channel's h > 0."""
    if isinstance(node, Elementwise) and node.kind != "multiply":
        return len({graph.channels(name) for name in node.inputs}) == 1
    return not isinstance(node, Concat) and passes_through(node) is not Absorbs.NOTHING


def _share_of_widest(channels: ChannelRange) -> Array:
    width = np.maximum(channels.high, -channels.low)
    share: Array = width / max(width.max(), np.finfo(np.float32).tiny)
    return share


def _apply(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    return equalize_sums(graph, channel_ranges(graph, summed(graph), inputs))


TECHNIQUE = Technique("equalize_sums", _apply)
