"""The techniques that prepare a float network for int8, and how they are applied one by one.

To add one is to write its module, which ends in a `TECHNIQUE`, and to name it in `catalogue` and in
the table of docs/convert/quantization.md.
"""

from collections.abc import Sequence
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from ..graph.nodes import Graph
from ..quantize.ranges import TensorRange, calibrate_ranges
from .catalogue import NAMES, parse_names
from .technique import Technique


def _of_module(name: str) -> Technique:
    technique = import_module(f"{__package__}.{name}").TECHNIQUE
    assert isinstance(technique, Technique)
    return technique


# In the order in which they are applied.
TECHNIQUES = {name: _of_module(name) for name in NAMES}


def parse_techniques(text: str) -> tuple[Technique, ...]:
    """Return the techniques of a comma-separated list, `all` or `none`, in their order."""
    return tuple(TECHNIQUES[name] for name in parse_names(text))


def apply_techniques(
    graph: Graph, techniques: Sequence[Technique], inputs: NDArray[np.uint8]
) -> Graph:
    """Return `graph` after all of `techniques`, calibrated on `inputs`."""
    for technique in techniques:
        graph = technique.apply(graph, inputs)
    return graph


def calibrate_int8(
    graph: Graph, techniques: Sequence[Technique], inputs: NDArray[np.uint8]
) -> tuple[Graph, dict[str, TensorRange]]:
    """Return what int8 is made of: a graph that `apply_techniques` left, corrected, and its ranges.

    Args:
        graph: without unknown layers.
        techniques: those that were applied.
        inputs: RGB uint8 of shape (images, height, width, 3), to calibrate on.
    """
    ranges = calibrate_ranges(graph, inputs)
    for technique in techniques:
        if technique.correct is not None:
            graph = technique.correct(graph, ranges, inputs)
    return graph, ranges
