"""The techniques that prepare a float network for int8, and how they are applied one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray

from ..graph.nodes import Graph
from ..quantize.calibrate import channel_ranges
from ..quantize.ranges import TensorRange, calibrate_ranges
from .average_pooling import average_pooling
from .bias_correction import bias_correction
from .catalogue import NAMES, parse_names
from .equalize_concats import concat_parts, equalize_concats
from .equalize_layers import equalize_layers, layer_pairs
from .equalize_sums import equalize_sums, summed
from .gptq import gptq, input_moments
from .pixel_pairs import pixel_pairs
from .relative_logits import relative_logits


@dataclass(frozen=True)
class Technique:
    """A step that leaves the float network nearly as it is and makes its int8 better.

    Attributes:
        name: one of `NAMES`.
        apply: takes a deploy graph and RGB uint8 images (images, height, width, 3) to calibrate
            on; returns the graph that is better to quantize.
        correct: what it does once int8's ranges stand, to a graph that has all techniques behind
            it; for int8 alone, other recipes go without.
    """

    name: str
    apply: Callable[[Graph, NDArray[np.uint8]], Graph] = lambda graph, _: graph
    correct: Callable[[Graph, dict[str, TensorRange], NDArray[np.uint8]], Graph] | None = None


def _equalize_concats(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    equalized, skipped = equalize_concats(graph, channel_ranges(graph, concat_parts(graph), inputs))
    if skipped:
        click.echo(
            f"Warning: {len(skipped)} concatenated tensors cannot be equalised, among them "
            f"{', '.join(skipped[:3])}",
            err=True,
        )
    return equalized


def _equalize_sums(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    return equalize_sums(graph, channel_ranges(graph, summed(graph), inputs))


def _equalize_layers(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    return equalize_layers(graph, channel_ranges(graph, tuple(layer_pairs(graph)), inputs))


def _gptq(graph: Graph, inputs: NDArray[np.uint8]) -> Graph:
    return gptq(graph, input_moments(graph, inputs))


_BY_NAME = {
    technique.name: technique
    for technique in (
        Technique("pixel_pairs", lambda graph, _: pixel_pairs(graph)),
        Technique("average_pooling", lambda graph, _: average_pooling(graph)),
        Technique("equalize_concats", _equalize_concats),
        Technique("equalize_sums", _equalize_sums),
        Technique("equalize_layers", _equalize_layers),
        Technique("relative_logits", relative_logits),
        Technique("gptq", _gptq),
        Technique("bias_correction", correct=bias_correction),
    )
}
# In the order in which they are applied.
TECHNIQUES = {name: _BY_NAME[name] for name in NAMES}


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
