"""Averages that are rounded over a range of their own.

TFLite's average pooling keeps the scale of what it reads, although averages are narrower and their
channels differ. As a depthwise convolution of equal weights it puts out what it likes: its channels
can be equalised, and nothing but that changes. In int8 its weights are exact.
"""

import numpy as np

from ..graph.nodes import Depthwise, Graph, Node, Pool
from .technique import Technique


def average_pooling(graph: Graph) -> Graph:
    """Return `graph` with depthwise convolutions in the place of its average poolings.

    Those that reach beyond the image stay: padding never counts as a value there.
    """
    return Graph([_depthwise(graph, node) for node in graph])


def _depthwise(graph: Graph, node: Node) -> Node:
    if not isinstance(node, Pool) or node.kind != "average" or node.padding != "valid":
        return node
    channels = graph.channels(node.name)
    weight = np.float32(1 / (node.size[0] * node.size[1]))
    return Depthwise(
        node.name,
        node.inputs,
        kernel=np.full((*node.size, channels, 1), weight),
        bias=np.zeros(channels, np.float32),
        strides=node.strides,
        padding="valid",
    )


TECHNIQUE = Technique("average_pooling", lambda graph, _: average_pooling(graph))
