"""What of a channel's scale and shift passes through a node, and how a layer takes it in.

Where the channels of a tensor y are stored as y' = (y - t) / h, the layer that makes them folds
that in, what lies between lets it pass, and the layer that reads them undoes it.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from .nodes import (
    Activation,
    Affine,
    Array,
    Concat,
    Conv,
    Dense,
    Depthwise,
    GlobalAverage,
    Node,
    Pool,
    ZeroPad,
)


@dataclass(frozen=True)
class ChannelRange:
    """Calibrated extremes of a tensor, each of shape (channels,)."""

    low: Array
    high: Array

    @property
    def width(self) -> Array:
        return np.asarray(self.high - self.low)

    def union(self, other: "ChannelRange") -> "ChannelRange":
        """Return what holds both."""
        return ChannelRange(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


class Absorbs(IntEnum):
    """What of y' = (y - t) / h can be made, or undone, at a place of the graph."""

    NOTHING = 0
    SCALE = 1
    SCALE_AND_SHIFT = 2


def passes_through(node: Node) -> Absorbs:
    """Return what a node with one input, or a concatenation, lets pass; nothing if it computes."""
    if isinstance(node, Concat | Pool | GlobalAverage):
        return Absorbs.SCALE_AND_SHIFT
    if isinstance(node, ZeroPad) or (isinstance(node, Activation) and node.function == "relu"):
        return Absorbs.SCALE
    return Absorbs.NOTHING


def absorbable_by(node: Conv | Depthwise | Dense) -> Absorbs:
    """Return what a layer can undo of what it reads."""
    if isinstance(node, Conv) and node.groups > 1:
        return Absorbs.NOTHING
    if isinstance(node, Conv | Depthwise) and node.sees_zeros:
        return Absorbs.SCALE
    return Absorbs.SCALE_AND_SHIFT


def inverse_of(affine: Affine) -> Affine:
    """Return what undoes `affine`."""
    inverse = np.reciprocal(affine.scale)
    return Affine(affine.name, (), inverse, -affine.shift * inverse)


def undo_in(node: Conv | Depthwise | Dense, affine: Affine) -> Conv | Depthwise | Dense:
    """Return `node` on `affine` of its input as one node."""
    shifted = node.kernel * affine.shift[:, np.newaxis]
    if isinstance(node, Depthwise):
        shift = shifted.sum((0, 1), dtype=np.float64).ravel()
    else:
        shift = shifted.reshape(-1, len(node.bias)).sum(0, dtype=np.float64)
    return replace(
        node,
        kernel=node.kernel * affine.scale[:, np.newaxis],
        bias=node.bias + shift.astype(np.float32),
    )


def linear_layer(node: Node) -> Conv | Depthwise | Dense:
    """Return `node`, which must be a layer with weights."""
    assert isinstance(node, Conv | Depthwise | Dense)
    return node
