"""The dense layer and softmax at the end of a classifier."""

from .nodes import Activation, Dense, Graph


def last_dense(graph: Graph) -> Dense | None:
    """Return the dense layer that the softmax at the end of `graph` reads, if there are both."""
    softmax = graph.output
    if not isinstance(softmax, Activation) or softmax.function != "softmax":
        return None
    dense = graph[softmax.inputs[0]]
    return dense if isinstance(dense, Dense) else None
