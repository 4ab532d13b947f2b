"""Equalisation of concatenated channels: what decides int8 on DenseNet.

A concatenated tensor has one int8 scale while its channels differ by orders of magnitude, so most
of them get a handful of the 256 steps. Every channel c of every part of a concatenation is brought
into the range 0..1 in the convolution that makes it, y' = (y - t_c) / h_c, and whatever reads the
concatenation undoes it: a 1x1 depthwise convolution becomes a (h_c y' + t_c) + b, a convolution or
dense layer takes h_c and t_c into its kernel and bias. Where a ReLU or a zero padding stands in
between, before or after, only the scale passes: t_c is 0. In float that changes nothing. The idea
is that of cross-layer equalisation (Nagel et al. 2019, https://arxiv.org/abs/1906.04721), moved to
where DenseNet needs it.

Where one layer alone reads another, its own channels can be equalised as well. There a narrow
channel's gain is paid for by the reader's weights, which spread: each takes half (Nagel et al. meet
in the middle of the ranges, too).
"""

import numpy as np

from .graph import Activation, Affine, Array, Concat, Conv, Dense, Depthwise, Graph, Pool, ZeroPad
from .rewrite import fold_affine
from .scales import (
    ChannelRange,
    Passes,
    inverse_of,
    linear_layer,
    passes_through,
    undo_in,
    undone_in,
)

# Channels that hardly vary keep this share of the widest range, lest their inverse explode.
_NARROWEST = 1e-4

# Share of a channel's distance from the widest, in octaves, that is made up for between two layers.
_HALFWAY = 0.5
_NARROWEST_BETWEEN = 1e-3


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
        passes = min(made, _undone_after(graph, part))
        if passes is Passes.NOTHING:
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


def layer_pairs(graph: Graph) -> dict[str, tuple[str, str]]:
    """Return the images that lie between two layers alone: name, the maker's and the reader's.

    What is averaged over the whole image is left out: a class that did not calibrate exceeds its
    range, which costs more than is gained.
    """
    pairs = {}
    for maker in graph:
        if not isinstance(maker, Conv | Depthwise) or not graph.is_image(maker.name):
            continue
        name, last = maker.name, maker.name
        while len(readers := graph.consumers(last)) == 1:
            [reader] = readers
            if isinstance(reader, Conv | Depthwise) and undone_in(reader):
                pairs[name] = maker.name, reader.name
            passes = isinstance(reader, Activation | Pool | ZeroPad) and passes_through(reader)
            if not passes:
                break
            last = reader.name
            name = last if isinstance(reader, Activation) else name
    return pairs


def equalize_layers(graph: Graph, ranges: dict[str, ChannelRange]) -> Graph:
    """Return `graph` with the channels between two layers nearer to a common range.

    Args:
        graph: a deploy graph.
        ranges: the calibrated range of each of `layer_pairs(graph)`.
    """
    nodes = {node.name: node for node in graph}
    for name, (maker, reader) in layer_pairs(graph).items():
        width = np.maximum(ranges[name].high, -ranges[name].low)
        width = width.clip(np.float32(_NARROWEST_BETWEEN) * width.max())
        width[width == 0] = 1
        # A depthwise reader has a scale for each channel already.
        share = 1 if isinstance(nodes[reader], Depthwise) else _HALFWAY
        scale = np.asarray((width / width.max()) ** share, np.float32)
        undo = Affine("", (), scale, np.zeros_like(scale))
        nodes[maker] = fold_affine(linear_layer(nodes[maker]), inverse_of(undo))
        nodes[reader] = undo_in(linear_layer(nodes[reader]), undo)
    return Graph(list(nodes.values()))


def _find_producer(graph: Graph, part: str) -> tuple[str, Passes]:
    """Walk up from `part` to the convolution that makes it, and tell what passes down from there.

    A ReLU, or zeros around the image, let a scale through but no shift.
    """
    node, passes = graph[part], Passes.SCALE_AND_SHIFT
    while True:
        if isinstance(node, Conv | Depthwise):
            return node.name, passes
        passes = min(passes, passes_through(node))
        if passes is Passes.NOTHING or isinstance(node, Concat):
            return node.name, Passes.NOTHING
        before = graph[node.inputs[0]]
        if len(graph.consumers(before.name)) != 1:
            return before.name, Passes.NOTHING
        node = before


def _undone_after(graph: Graph, name: str) -> Passes:
    """Tell what all readers of `name` can undo; the model's output has none."""
    return min(
        (
            undone_in(node)
            if isinstance(node, Conv | Depthwise | Dense)
            else min(passes_through(node), _undone_after(graph, node.name))
            for node in graph.consumers(name)
        ),
        default=Passes.NOTHING,
    )


def _to_unit_range(channels: ChannelRange, passes: Passes) -> Affine:
    """Return y = h y' + t, which takes the channels back from within 0..1.

    Without a shift, channels that go below zero come from within -1..1.
    """
    shifts = passes is Passes.SCALE_AND_SHIFT
    low = channels.low if shifts else np.zeros_like(channels.low)
    high = channels.high if shifts else np.maximum(channels.high, -channels.low)
    width: Array = np.maximum(high - low, 0).astype(np.float32)
    width = width.clip(np.float32(_NARROWEST) * width.max())
    width[width == 0] = 1
    return Affine("", (), width, np.asarray(low, np.float32))


def _identity(channels: int) -> Affine:
    return Affine("", (), np.ones(channels, np.float32), np.zeros(channels, np.float32))
