"""A classifier as a list of operators with their arrays: what the rewrites work on.

Tensors are float32, images as (height, width, channels). A node has one output, known by its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Padding = Literal["valid", "same"]


@dataclass(frozen=True)
class Node:
    """An operator; `inputs` are the names of the nodes it reads."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Input(Node):
    """The image, RGB 0..255, of shape (height, width, channels)."""

    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Affine(Node):
    """y = scale * x + shift per channel: a BatchNorm at inference, or a normalisation."""

    scale: Array
    shift: Array


@dataclass(frozen=True)
class Conv(Node):
    """Convolution; kernel (height, width, in, out), bias (out,)."""

    kernel: Array
    bias: Array
    strides: tuple[int, int]
    padding: Padding


@dataclass(frozen=True)
class Depthwise(Node):
    """Convolution of each channel alone; kernel (height, width, channels, 1), bias (channels,)."""

    kernel: Array
    bias: Array
    strides: tuple[int, int]
    padding: Padding

    @property
    def is_pointwise(self) -> bool:
        """Whether it is an affine map per channel and nothing more."""
        return self.kernel.shape[:2] == (1, 1) and self.strides == (1, 1)


@dataclass(frozen=True)
class Dense(Node):
    """Fully connected; kernel (in, out), bias (out,)."""

    kernel: Array
    bias: Array


@dataclass(frozen=True)
class Activation(Node):
    """A function of each value, or softmax over the channels."""

    function: Literal["relu", "softmax"]


@dataclass(frozen=True)
class ZeroPad(Node):
    """Zeros around the image: ((top, bottom), (left, right))."""

    padding: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Pool(Node):
    """Maximum or mean over windows; padding never counts as a value."""

    kind: Literal["max", "average"]
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding


@dataclass(frozen=True)
class GlobalAverage(Node):
    """Mean over height and width."""


@dataclass(frozen=True)
class Concat(Node):
    """The inputs' channels one after the other."""


class Graph:
    """Nodes in an order in which each comes after its inputs; the last one is the output."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = {node.name: node for node in nodes}
        if len(self._nodes) < len(nodes):
            raise ValueError("two nodes have the same name")
        for place, node in enumerate(nodes):
            earlier = {other.name for other in nodes[:place]}
            if not earlier.issuperset(node.inputs):
                raise ValueError(f"node {node.name!r} reads one that does not come before it")

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    @property
    def output(self) -> Node:
        """The node whose value is the model's output."""
        return next(reversed(self._nodes.values()))

    @property
    def input(self) -> Input:
        """The node that stands for the image."""
        return next(node for node in self if isinstance(node, Input))

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that read the output of `name`."""
        return [node for node in self if name in node.inputs]
