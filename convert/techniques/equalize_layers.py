"""Equalisation between layers: a layer that one other alone reads.

A narrow channel's gain is paid for by the reader's weights, which spread: each takes half
(Nagel et al. 2019, https://arxiv.org/abs/1906.04721, meet in the middle of the ranges, too).
What equalises concatenations is `equalize_concats`.
"""

import numpy as np
from numpy.typing import NDArray

from ..graph.batch_norm import fold_affine
from ..graph.nodes import Activation, Affine, Conv, Depthwise, Graph, Pool, ZeroPad
from ..graph.scales import (
    ChannelRange,
    absorbable_by,
    inverse_of,
    linear_layer,
    passes_through,
    undo_in,
)
from ..quantize.calibrate import channel_ranges
from .technique import Technique

# Share of a channel's distance from the widest, in octaves, that is made up for between two layers.
_HALFWAY = 0.5
_NARROWEST_BETWEEN = 1e-3


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
            if isinstance(reader, Conv | Depthwise) and absorbable_by(reader):
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


def _apply(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    return equalize_layers(graph, channel_ranges(graph, tuple(layer_pairs(graph)), inputs))


TECHNIQUE = Technique("equalize_layers", _apply)
