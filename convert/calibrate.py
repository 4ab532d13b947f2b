"""Calibration: which images, and what ranges the tensors take on them."""

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .build import build_tf_keras
from .equalize import ChannelRange
from .graph import Graph

T = TypeVar("T")

_BATCH = 16


def choose_balanced(items: Sequence[T], labels: Sequence[str], *, count: int, seed: int) -> list[T]:
    """Return at most `count` items, the classes in turn, each class in seeded order."""
    order = np.random.default_rng(seed).permutation(len(items))
    by_class: dict[str, list[T]] = {label: [] for label in sorted(set(labels))}
    for index in map(int, order):
        by_class[labels[index]].append(items[index])
    rounds = chain.from_iterable(zip_longest(*by_class.values()))
    return [item for item in rounds if item is not None][:count]


def pin_input_range(inputs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy with one black and one white pixel in the corners of the first image.

    The input's range is then 0..255, its scale exactly 1, and a brighter day on the device is not
    cut off at the brightest calibration image.
    """
    pinned: NDArray[np.uint8] = inputs.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255
    return pinned


def channel_ranges(
    graph: Graph, names: Sequence[str], inputs: NDArray[np.uint8]
) -> dict[str, ChannelRange]:
    """Return the extremes of each channel of the tensors `names` over `inputs`.

    Args:
        graph: a deploy graph.
        names: nodes with outputs of shape (height, width, channels).
        inputs: RGB uint8 of shape (images, height, width, 3).
    """
    if not names:
        return {}
    model = build_tf_keras(graph, outputs=names)
    ranges: dict[str, ChannelRange] = {}
    for start in range(0, len(inputs), _BATCH):
        values = model.predict_on_batch(inputs[start : start + _BATCH].astype(np.float32))
        for name, value in zip(names, [values] if len(names) == 1 else values, strict=True):
            low, high = value.min((0, 1, 2)), value.max((0, 1, 2))
            if name in ranges:
                low = np.minimum(low, ranges[name].low)
                high = np.maximum(high, ranges[name].high)
            ranges[name] = ChannelRange(low, high)
    return ranges
