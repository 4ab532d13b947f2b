"""What a technique is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..graph.nodes import Graph
from ..quantize.ranges import TensorRange


@dataclass(frozen=True)
class Technique:
    """A step that leaves the float network nearly as it is and makes its int8 better.

    Attributes:
        name: that of its module and of the function in it.
        apply: takes a deploy graph and RGB uint8 images (images, height, width, 3) to calibrate
            on; returns the graph that is better to quantize.
        correct: what it does once int8's ranges stand, to a graph that has all techniques behind
            it; for int8 alone, other recipes go without.
    """

    name: str
    apply: Callable[[Graph, NDArray[np.uint8]], Graph] = lambda graph, _: graph
    correct: Callable[[Graph, dict[str, TensorRange], NDArray[np.uint8]], Graph] | None = None
