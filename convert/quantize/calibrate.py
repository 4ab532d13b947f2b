"""Calibration: which images, and what ranges the tensors take on them."""

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..graph.nodes import Graph
from ..graph.scales import ChannelRange
from ..graph.to_keras import build_tf_keras, image_batch

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
        names: nodes with outputs of shape (height, width, channels) or (channels,).
        inputs: RGB uint8 of shape (images, height, width, 3).
    """
    return channel_ranges_of_parts(graph, names, [inputs])[0]


def channel_ranges_of_parts(
    graph: Graph, names: Sequence[str], parts: Sequence[NDArray[np.uint8]]
) -> list[dict[str, ChannelRange]]:
    """Return what `channel_ranges` returns for each of several sets of inputs."""
    if not names:
        return [{} for _ in parts]
    model = build_tf_keras(graph, outputs=names)

    @tf.function(input_signature=[image_batch(graph)], autograph=False)  # type: ignore[untyped-decorator]
    def low_and_high(images: Any) -> Any:
        values = tf.nest.flatten(model(images, training=False))
        axes = [list(range(len(value.shape) - 1)) for value in values]
        return [
            (tf.reduce_min(value, axis), tf.reduce_max(value, axis))
            for value, axis in zip(values, axes, strict=True)
        ]

    def over(inputs: NDArray[np.uint8]) -> dict[str, ChannelRange]:
        ranges: dict[str, ChannelRange] = {}
        for start in range(0, len(inputs), _BATCH):
            found = low_and_high(inputs[start : start + _BATCH].astype(np.float32))
            for name, (low, high) in zip(names, found, strict=True):
                one = ChannelRange(low.numpy(), high.numpy())
                ranges[name] = one.union(ranges[name]) if name in ranges else one
        return ranges

    return [over(inputs) for inputs in parts]
