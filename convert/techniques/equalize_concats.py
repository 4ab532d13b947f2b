"""Equalisation of concatenated channels: what decides int8 on DenseNet.

A concatenated tensor has one int8 scale while its channels differ by orders of magnitude, so most
of them get a handful of the 256 steps. Every channel c of every part of a concatenation is brought
into the range 0..1 in the convolution that makes it, y' = (y - t_c) / h_c, and all that reads the
concatenation undoes it: a 1x1 depthwise convolution becomes a (h_c y' + t_c) + b, a convolution or
dense layer takes h_c and t_c into its kernel and bias. Where a ReLU or a zero padding stands in
between, before or after, only the scale passes: t_c is 0. In float that changes nothing. The idea
is that of cross-layer equalisation (Nagel et al. 2019, https://arxiv.org/abs/1906.04721), moved to
where DenseNet needs it.
"""

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.command_line.warning import echo_warning
from ..graph.batch_norm import fold_affine
from ..graph.nodes import Affine, Array, Concat, Conv, Dense, Depthwise, Graph
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
from .technique import Technique

# Channels that hardly vary keep this share of the widest range, lest their inverse explode.
_NARROWEST = 1e-4


def concat_parts(graph: Graph) -> tuple[str, ...]:
    """Return the names of the images that are concatenated and are no concatenation themselves."""
    parts = {
        name: None
        for node in graph
        if isinstance(node, Concat) and graph.is_image(node.name)
        for name in node.inputs
        if not isinstance(graph[name], Concat)
    }
    return tuple(parts)


def equalize_concats(
    graph: Graph, ranges: dict[str, ChannelRange]
) -> tuple[Graph, tuple[str, ...]]:
    """Return `graph` with its concatenated channels on a common range, and what was left out.

    Args:
        graph: a deploy graph.
        ranges: the calibrated range of each of `concat_parts(graph)`.

    Returns:
        The new graph, and the names of the parts that could not be equalised: those that no
        convolution makes, or that a consumer reads that cannot undo it.
    """
    undo: dict[str, Affine] = {}
    nodes = {node.name: node for node in graph}
    parts = concat_parts(graph)
    for part in parts:
        producer, made = _find_producer(graph, part)
        passes = min(made, _absorbable_after(graph, part))
        if passes is Absorbs.NOTHING:
            continue
        undo[part] = _to_unit_range(ranges[part], passes)
        nodes[producer] = fold_affine(linear_layer(nodes[producer]), inverse_of(undo[part]))

    for node in graph:
        before = [undo.get(name) for name in node.inputs]
        if not any(before):
            continue
        if isinstance(node, Concat):
            pieces = [undo.get(name) or _identity(graph.channels(name)) for name in node.inputs]
            undo[node.name] = Affine(
                node.name,
                (),
                np.concatenate([piece.scale for piece in pieces]),
                np.concatenate([piece.shift for piece in pieces]),
            )
        elif isinstance(node, Conv | Depthwise | Dense):
            nodes[node.name] = undo_in(linear_layer(nodes[node.name]), undo[node.inputs[0]])
        else:
            undo[node.name] = undo[node.inputs[0]]
    return Graph(list(nodes.values())), tuple(part for part in parts if part not in undo)


def _find_producer(graph: Graph, part: str) -> tuple[str, Absorbs]:
    """Walk up from `part` to the convolution that makes it, and tell what passes down from there.

    A ReLU, or zeros around the image, let a scale through but no shift.
    """
    node, passes = graph[part], Absorbs.SCALE_AND_SHIFT
    while True:
        if isinstance(node, Conv | Depthwise):
            return node.name, passes
        passes = min(passes, passes_through(node))
        if passes is Absorbs.NOTHING or isinstance(node, Concat):
            return node.name, Absorbs.NOTHING
        before = graph[node.inputs[0]]
        if len(graph.consumers(before.name)) != 1:
            return before.name, Absorbs.NOTHING
        node = before


def _absorbable_after(graph: Graph, name: str) -> Absorbs:
    """Tell what all readers of `name` can undo; the model's output has none."""
    return min(
        (
            absorbable_by(node)
            if isinstance(node, Conv | Depthwise | Dense)
            else min(passes_through(node), _absorbable_after(graph, node.name))
            for node in graph.consumers(name)
        ),
        default=Absorbs.NOTHING,
    )


def _to_unit_range(channels: ChannelRange, passes: Absorbs) -> Affine:
    """Return y = h y' + t, which takes the channels back from within 0..1.

    Without a shift, channels that go below zero come from within -1..1.
    """
    shifts = passes is Absorbs.SCALE_AND_SHIFT
    low = channels.low if shifts else np.zeros_like(channels.low)
    high = channels.high if shifts else np.maximum(channels.high, -channels.low)
    width: Array = np.maximum(high - low, 0).astype(np.float32)
    width = width.clip(np.float32(_NARROWEST) * width.max())
    width[width == 0] = 1
    return Affine("", (), width, np.asarray(low, np.float32))


def _identity(channels: int) -> Affine:
    return Affine("", (), np.ones(channels, np.float32), np.zeros(channels, np.float32))


def _apply(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    equalized, skipped = equalize_concats(graph, channel_ranges(graph, concat_parts(graph), inputs))
    if skipped:
        echo_warning(
            f"{len(skipped)} concatenated tensors cannot be equalised, among them "
            f"{', '.join(skipped[:3])}"
        )
    return equalized


TECHNIQUE = Technique("equalize_concats", _apply)
