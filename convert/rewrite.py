"""The deploy graph: no BatchNorm left, and nothing changed in float.

A BatchNorm after a linear convolution folds into it. DenseNet normalises what it concatenates, so
half of its BatchNorms have no convolution before them: those become a 1x1 depthwise convolution,
which TFLite quantizes per channel and fuses with the ReLU, where a BatchNorm would stay a
multiplication and an addition with one scale for all channels.
"""

from dataclasses import replace

import numpy as np

from .graph import Affine, Conv, Dense, Depthwise, Graph, Node


def deploy_graph(graph: Graph) -> Graph:
    """Return `graph` without `Affine` nodes, equal to it up to rounding."""
    return affines_to_depthwise(fold_affines(graph))


def fold_affines(graph: Graph) -> Graph:
    """Fold each affine map into the convolution or dense layer that it alone reads."""
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        before = nodes.get(inputs[0]) if inputs else None
        if (
            isinstance(node, Affine)
            and isinstance(before, Conv | Depthwise | Dense)
            and len(graph.consumers(node.inputs[0])) == 1
        ):
            nodes[before.name] = fold_affine(before, node)
            renamed[node.name] = before.name
        else:
            nodes[node.name] = replace(node, inputs=inputs)
    return Graph(list(nodes.values()))


def fold_affine(node: Conv | Depthwise | Dense, affine: Affine) -> Node:
    """Return `node` followed by `affine` as one node."""
    if isinstance(node, Depthwise):  # its channels are on the last but one axis
        kernel = node.kernel * affine.scale[:, np.newaxis]
    else:
        kernel = node.kernel * affine.scale
    return replace(node, kernel=kernel, bias=node.bias * affine.scale + affine.shift)


def affines_to_depthwise(graph: Graph) -> Graph:
    """Turn every affine map into a 1x1 depthwise convolution with a bias."""
    return Graph(
        [
            Depthwise(
                node.name,
                node.inputs,
                kernel=node.scale.reshape(1, 1, -1, 1),
                bias=node.shift,
                strides=(1, 1),
                padding="valid",
            )
            if isinstance(node, Affine)
            else node
            for node in graph
        ]
    )
