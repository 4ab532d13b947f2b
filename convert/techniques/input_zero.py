"""Pixels are counted from what the network takes for zero, and the first convolution reads them so.

A network normalises its pixels first, (x - mean) / deviation. Where the mean is the same whole
number for all colours, as EfficientNet-Lite's 127, int8 need not compute that: the input's zero
point is the mean, and the deviation goes into the first convolution's weights. What that pads with
is the zero point, too, so that it is exact at the border.
"""

from dataclasses import replace

import numpy as np

from ..graph.nodes import Conv, Depthwise, Graph, Node, ZeroPad
from .technique import Technique


def input_zero(graph: Graph) -> Graph:
    """Return `graph` without the normalisation of its pixels, equal to it in float.

    A graph that normalises them otherwise is returned as it is.
    """
    readers = graph.consumers(graph.input.name)
    if len(readers) != 1 or not isinstance(normal := readers[0], Depthwise):
        return graph
    conv, scale = _convolution_behind(graph, normal), normal.kernel.ravel()
    if conv is None or normal.kernel.shape != (1, 1, 3, 1) or not scale.all():
        return graph
    zero, *others = np.unique(-normal.bias / scale)
    if others or zero not in range(256):
        return graph
    image = graph.input.name
    made = {
        image: replace(graph.input, zero=int(zero)),
        conv.name: replace(conv, kernel=conv.kernel * normal.kernel.reshape(1, 1, 3, 1)),
    }
    kept = (made.get(node.name, node) for node in graph if node is not normal)
    return Graph([_reading(node, normal.name, image) for node in kept])


def _convolution_behind(graph: Graph, normal: Depthwise) -> Conv | None:
    """Return the convolution that alone reads the normalised image, padded or not."""
    last: Node = normal
    while len(readers := graph.consumers(last.name)) == 1:
        [last] = readers
        if isinstance(last, Conv):
            return last if last.groups == 1 else None
        if not isinstance(last, ZeroPad):
            break
    return None


def _reading(node: Node, name: str, instead: str) -> Node:
    return replace(node, inputs=tuple(instead if one == name else one for one in node.inputs))


TECHNIQUE = Technique("input_zero", lambda graph, _: input_zero(graph))
