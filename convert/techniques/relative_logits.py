"""Logits counted from the best one, so that the 256 steps of int8 are enough for them.

The logits of 1000 classes reach over forty units. In int8 they lie 0.2 apart then, and on one image
in a hundred the best two are a tie. But softmax sees only differences, and what lies far below the
best logit has no share in the scores. So there are two dense layers. The first makes coarse logits,
whose maximum is the best one. The second reads it beside the features and subtracts it from every
logit before anything is rounded: softmax(z) = softmax(z - max z). What it puts out needs no more
range than scores can tell from zero, a third or a fourth of before.

In float nothing changes. All operators are int8 ones that every runtime has had for years.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..graph.nodes import Array, Concat, Dense, Graph, Node, Pool, Reshape
from ..graph.softmax_head import last_dense
from ..quantize.calibrate import channel_ranges
from .technique import Technique

# Half of a step of scores in uint8. What lies so far below the best logit that all classes together
# have less counts for nothing.
_NO_SCORE = 1 / 512

# Share of the logits' range by which relative ones may err: the coarse logit is rounded, so are its
# copies, and so are the weights of both dense layers, each in its own way.
_ERROR = 1 / 64

# How much farther apart than on calibration images logits may lie on others.
_ROOM = 1.25

# Accelerators pool over at most so many places a side.
_LARGEST_WINDOW = 256

# The best logit is read in several copies, so that their weights are not the largest of a class and
# its step, which hangs on the largest, stays as it is.
_MOST_COPIES = 256

_STEPS = 127


def relative_logits(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    """Return `graph` with logits that are relative to the best one, equal to it in float.

    A graph that does not end in a dense layer and softmax, or that has layers which we do not know,
    is returned as it is, as is one whose logits never differ, or have limits.

    Args:
        graph: a deploy graph.
        inputs: RGB uint8 of shape (images, height, width, 3), to calibrate on.
    """
    dense = last_dense(graph)
    if dense is None or graph.unknown_layers or graph.is_image(dense.inputs[0]):
        return graph
    if dense.limits is not None:  # it has its range already
        return graph
    body = [node for node in graph if node is not dense and node is not graph.output]
    best = _best_logit(dense)
    features = dense.inputs[0]
    ranges = channel_ranges(graph, [features, dense.name], inputs)
    top = float(ranges[features].high.max())
    low, high = float(ranges[dense.name].low.min()), float(ranges[dense.name].high.max())
    if top <= 0 or low == high:
        return graph
    # Copies of the best logit get the range of the features, with which they are concatenated.
    slope = (high - low) / top
    weights = _copies_weights(dense, slope)
    copies = Dense(
        f"{dense.name}_best",
        (best[-1].name,),
        kernel=np.full((1, len(weights)), 1 / slope, np.float32),
        bias=np.full(len(weights), -low / slope, np.float32),
    )
    joined = Concat(f"{dense.name}_joined", (features, copies.name))
    relative = replace(
        dense,
        inputs=(joined.name,),
        kernel=np.concatenate([dense.kernel, -weights]),
        bias=dense.bias - np.float32(low),
        limits=_limits(high - low, classes=len(dense.bias)),
    )
    return Graph([*body, *best, copies, joined, relative, graph.output])


def _limits(width: float, *, classes: int) -> tuple[float, float]:
    """Return the range of relative logits whose own range was `width` before."""
    lowest = max(math.log(_NO_SCORE / classes), -_ROOM * width)
    return lowest - _ERROR * width, _ERROR * width


def _best_logit(dense: Dense) -> list[Node]:
    """Return the nodes that end in the largest logit of `dense`, of shape (1,).

    One window of a maximum pooling holds all classes; the last one is repeated to fill it up.
    """
    classes = len(dense.bias)
    rows = -(-classes // _LARGEST_WINDOW)
    columns = -(-classes // rows)
    filled = np.minimum(np.arange(rows * columns), classes - 1)
    name = f"{dense.name}_coarse"
    return [
        replace(dense, name=name, kernel=dense.kernel[:, filled], bias=dense.bias[filled]),
        Reshape(f"{name}_window", (name,), (rows, columns, 1)),
        Pool(f"{name}_maximum", (f"{name}_window",), "max", (rows, columns), (1, 1), "valid"),
        Reshape(f"{name}_best", (f"{name}_maximum",), (1,)),
    ]


def _copies_weights(dense: Dense, slope: float) -> Array:
    """Return what the copies of the best logit weigh, of shape (copies, classes).

    Each class's sum up to `slope`. All but one are whole steps of int8, so that rounding leaves no
    more than half a step of error in all of them.
    """
    largest = np.abs(dense.kernel).max(0).astype(np.float64)
    count = math.ceil(slope / max(float(largest.min()), slope / _MOST_COPIES))
    steps = np.maximum(largest, slope / count) / _STEPS
    edges = np.rint(np.outer(np.linspace(0, 1, count + 1), slope / steps))
    weights = np.diff(edges, axis=0) * steps
    weights[-1] += slope - weights.sum(0)
    return np.asarray(weights, np.float32)


TECHNIQUE = Technique("relative_logits", relative_logits)
