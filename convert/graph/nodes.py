"""A classifier as a list of operators with their arrays: what the rewrites work on.

Tensors are float32, images as (height, width, channels). A node has one output, known by its name.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Padding = Literal["valid", "same"]
Function = Literal["relu", "relu6", "sigmoid", "softmax", "silu", "hard_silu", "gelu", "tanh"]


@dataclass(frozen=True)
class Node:
    """An operator; `inputs` are the names of the nodes it reads."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Input(Node):
    """The image, RGB 0..255, of shape (height, width, channels).

    What the graph reads of it is how far each value lies above `zero`: in int8 that costs nothing,
    as it is the input's zero point.
    """

    shape: tuple[int, int, int]
    zero: int = 0


@dataclass(frozen=True)
class Affine(Node):
    """y = scale * x + shift per channel: a BatchNorm at inference, or a normalisation."""

    scale: Array
    shift: Array


@dataclass(frozen=True)
class Conv(Node):
    """Convolution; kernel (height, width, in / groups, out), bias (out,)."""

    kernel: Array
    bias: Array
    strides: tuple[int, int]
    padding: Padding
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def sees_zeros(self) -> bool:
        """Whether its windows may reach beyond the image, where there are zeros."""
        return self.padding == "same" and self.kernel.shape[:2] != (1, 1)


@dataclass(frozen=True)
class Depthwise(Node):
    """Convolution of each channel alone.

    Kernel (height, width, channels, multiplier), bias (channels * multiplier,): every channel
    gives `multiplier` neighbouring ones. `limits` are those of its int8 tensor, where they are not
    the calibrated extremes.
    """

    kernel: Array
    bias: Array
    strides: tuple[int, int]
    padding: Padding
    dilation: tuple[int, int] = (1, 1)
    limits: tuple[float, float] | None = None

    @property
    def sees_zeros(self) -> bool:
        """Whether its windows may reach beyond the image, where there are zeros."""
        return self.padding == "same" and self.kernel.shape[:2] != (1, 1)


@dataclass(frozen=True)
class Dense(Node):
    """Fully connected over the channels; kernel (in, out), bias (out,).

    `limits` are those of its int8 tensor, where they are not the calibrated extremes.
    """

    kernel: Array
    bias: Array
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Activation(Node):
    """A function of each value, or softmax over the channels."""

    function: Function


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
    """Mean over height and width, which `keepdims` leaves as 1 and 1."""

    keepdims: bool = False


@dataclass(frozen=True)
class UnitLength(Node):
    """The channels of each place, divided by the square root of the sum of their squares."""


@dataclass(frozen=True)
class Concat(Node):
    """The inputs' channels one after the other."""


@dataclass(frozen=True)
class Elementwise(Node):
    """The inputs combined value by value; a size of 1 stands for as many as the others have."""

    kind: Literal["add", "subtract", "multiply", "average", "maximum", "minimum"]


@dataclass(frozen=True)
class Reshape(Node):
    """The same values in order, as `shape`."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class PixelPairs(Node):
    """Two neighbouring pixels a place, (height, width / 2, 6), to which each pixel's mask is added.

    The mask is 255 everywhere. Zeros that are padded around the image are 0 in it, too: that tells
    a black pixel from none.
    """

    @property
    def kernel(self) -> Array:
        """What makes r, g, b, mask, r, g, b, mask as a 1x1 convolution: (1, 1, 6, 8)."""
        kernel = np.zeros((1, 1, 6, 8), np.float32)
        kernel[0, 0, range(6), [0, 1, 2, 4, 5, 6]] = 1
        return kernel

    @property
    def bias(self) -> Array:
        """What makes the mask, of shape (8,)."""
        return np.array([0, 0, 0, 255, 0, 0, 0, 255], np.float32)


@dataclass(frozen=True)
class UnknownLayer(Node):
    """A layer that we do not know and leave as it is.

    Attributes:
        kind: its class, which tf_keras has too.
        config: what the class's `from_config` takes there.
        weights: in tf_keras's order.
        shape: of its output.
    """

    kind: str
    config: dict[str, Any]
    weights: tuple[Array, ...]
    shape: tuple[int, ...]


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

    @property
    def unknown_layers(self) -> tuple[str, ...]:
        """The layers that were left as they are, by name and class."""
        return tuple(
            f"{node.name} ({node.kind})" for node in self if isinstance(node, UnknownLayer)
        )

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that read the output of `name`."""
        return [node for node in self if name in node.inputs]

    def needed_for(self, names: Iterable[str]) -> list[Node]:
        """Return the nodes `names` and all that they are made of, in their order."""
        needed = set(names)
        for node in reversed(self._nodes.values()):
            if node.name in needed:
                needed.update(node.inputs)
        return [node for node in self if node.name in needed]

    def channels(self, name: str) -> int:
        """Return the number of channels of the output of `name`."""
        node = self[name]
        if isinstance(node, Conv | Dense):
            return int(node.kernel.shape[-1])
        if isinstance(node, Depthwise | PixelPairs):
            return len(node.bias)
        if isinstance(node, Input | Reshape | UnknownLayer):
            return node.shape[-1]
        before = [self.channels(name) for name in node.inputs]
        return sum(before) if isinstance(node, Concat) else max(before)

    def is_image(self, name: str) -> bool:
        """Return whether the output of `name` has height, width and channels."""
        node = self[name]
        if isinstance(node, Conv | Depthwise | Pool | ZeroPad):
            return True
        if isinstance(node, Input | Reshape | UnknownLayer):
            return len(node.shape) == 3
        if isinstance(node, GlobalAverage):
            return node.keepdims
        return self.is_image(node.inputs[0])


def same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after, as TensorFlow puts them for `same`: the odd one after.

    Args:
        length: of the image in one direction, in pixels.
        size: of the window in that direction.
        stride: of its steps.
    """
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def upper_limit(node: Node) -> float:
    """Return where `node` cuts off larger values: 6 for a ReLU6, infinity for all others."""
    return 6.0 if isinstance(node, Activation) and node.function == "relu6" else math.inf


def joined_by(nodes: Iterable[Node], joins: Callable[[Node], bool]) -> list[set[str]]:
    """Return the names of `nodes` in sets: what a node reads is in its own set if it `joins`."""
    sets: dict[str, set[str]] = {}
    for node in nodes:
        sets[node.name] = {node.name}
        if joins(node):
            joined = sets[node.name].union(*(sets[name] for name in node.inputs))
            sets.update(dict.fromkeys(joined, joined))
    return list({id(names): names for names in sets.values()}.values())
