"""Pixels are counted from what the network takes for zero, and the first convolution reads them so.

A network normalises its pixels first, (x - mean) / deviation. Where the mean is the same whole
number for all colours, as EfficientNet-Lite's 127, int8 need not compute that: the input's zero
point is the mean, and the deviation goes into the first convolution's weights. What that pads with
is the zero point, too, so that it is exact at the border.
"""

from dataclasses import replace

import numpy as np

from ..graph.nodes import Graph, Node
from ..graph.stem import find_stem
from .technique import Technique


def input_zero(graph: Graph) -> Graph:
    """Return `graph` without the normalisation of its pixels, equal to it in float.

    A graph that normalises them otherwise is returned as it is.
    """
    stem = find_stem(graph)
    if stem is None or stem.normal is None or not stem.normal.kernel.all():
        return graph
    normal, conv = stem.normal, stem.conv
    zero, *others = np.unique(-normal.bias / normal.kernel.ravel())
    if others or zero not in range(256):
        return graph
    image = graph.input.name
    made: dict[str, Node] = {
        image: replace(graph.input, zero=int(zero)),
        conv.name: replace(conv, kernel=conv.kernel * normal.kernel.reshape(1, 1, 3, 1)),
    }
    reader = (stem.pad or conv).name
    made[reader] = replace(made.get(reader, graph[reader]), inputs=(image,))
    return Graph([made.get(node.name, node) for node in graph if node is not normal])


TECHNIQUE = Technique("input_zero", lambda graph, _: input_zero(graph))
