"""Where a network's last feature map is, and the dense layer that weighs it."""

from dataclasses import dataclass

from ...edge_runtime.errors import EdgeclfError
from .nodes import Activation, Array, Concat, Dense, GlobalAverage, Graph, Node, Pool, Reshape


@dataclass(frozen=True)
class Tail:
    """The end of a network that class activation maps can be made of.

    Attributes:
        features: name of the node that makes the last feature map.
        mean: name of the node that makes its mean over height and width.
        kernel: what makes logits of the feature map's mean, of shape (channels, classes).
    """

    features: str
    mean: str
    kernel: Array


def find_tail(graph: Graph) -> Tail:
    """Return the tail of a deploy graph: feature map, global average, dense layer, softmax.

    The global average may be a global maximum, too.

    Raises:
        EdgeclfError: it ends otherwise.
    """
    softmax = graph.output
    if not isinstance(softmax, Activation) or softmax.function != "softmax":
        raise _unfit(softmax, "the softmax")
    dense = graph[softmax.inputs[0]]
    if not isinstance(dense, Dense):
        raise _unfit(dense, "the dense layer")
    average = graph[dense.inputs[0]]
    if isinstance(average, Concat):  # beside the features it reads the best logit
        average = graph[average.inputs[0]]
    is_flat = False
    while isinstance(average, Reshape):
        is_flat = len(average.shape) == 1
        average = graph[average.inputs[0]]
    is_maximum = is_flat and isinstance(average, Pool) and average.kind == "max"
    if not isinstance(average, GlobalAverage) and not is_maximum:
        raise _unfit(average, "the global average")
    return Tail(average.inputs[0], average.name, dense.kernel[: graph.channels(average.name)])


def _unfit(node: Node, place: str) -> EdgeclfError:
    return EdgeclfError(
        "features need a network that ends in a feature map, global average, dense layer and "
        f"softmax; this one has {node.name!r} ({type(node).__name__}) in the place of {place}; "
        "convert it with --no-novelty and without --heatmap"
    )
