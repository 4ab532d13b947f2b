"""The int8 ranges of a network that has seen good images only.

Images to calibrate on are good ones, on which the anomaly and the logits are low: their extremes
would cut every defect off. But what they can be at most follows from the memory's layer.
"""

from dataclasses import replace

import numpy as np

from ...models.networks.patch_memory import ANOMALY_NAME, MEMORY_NAME
from .nodes import Conv, Depthwise, Graph, Node
from .softmax_head import last_dense


def limit_anomaly(graph: Graph) -> Graph:
    """Return a deploy graph with the ranges that anomaly and logits can have; another as it is."""
    named = {node.name: node for node in graph}
    memory, anomaly, dense = named.get(MEMORY_NAME), named.get(ANOMALY_NAME), last_dense(graph)
    if not isinstance(memory, Conv) or not isinstance(anomaly, Depthwise) or dense is None:
        return graph
    nearest = 1 + float(memory.bias.max())  # a cosine of 1, less what the layer takes off
    ends = np.stack([anomaly.bias, anomaly.bias + anomaly.kernel.ravel() * nearest])
    low, high = float(ends.min()), float(ends.max())
    logit = max(-low, high) * float(abs(dense.kernel).max())
    limited: dict[str, Node] = {
        anomaly.name: replace(anomaly, limits=(low, high)),
        dense.name: replace(dense, limits=(-logit, logit)),
    }
    return Graph([limited.get(node.name, node) for node in graph])
