"""The weights of a network without some of its channels."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...models.networks.channels import with_channels
from .layout import Layout, read_layout
from .removal import channel_step

Kept = Mapping[str, NDArray[np.bool_]]


def narrow(model: keras.Model, layout: Layout, kept: Kept) -> keras.Model:
    """Return `model` without the channels that are not kept, its other weights as they are.

    Args:
        model: the network.
        layout: of it.
        kept: whether a channel stays, bool of shape (channels,), by source.
    """
    channels = {source: int(stay.sum()) for source, stay in kept.items()}
    narrowed = with_channels(model, channels, where=model.name)
    for name, layer in layout.layers.items():
        if getattr(layer.keras, "weights", ()):  # arithmetic has no such attribute
            narrowed.get_layer(name).set_weights(_narrow_layer(layout, name, kept))
    return narrowed


def narrow_evenly(model: keras.Model, *, keep: float) -> keras.Model:
    """Return `model` with a share of its multiply-accumulates, its weights not solved again: for
    latency, which weights do not decide. Its layers keep about the same share of their channels.

    Args:
        model: the network.
        keep: share of the multiply-accumulates that stays at most, which `check_keep` allows.
    """
    layout = read_layout(model)
    widths = dict(layout.widths)
    budget = int(keep * layout.multiplications())
    steps = {source: channel_step(widths[source]) for source in layout.removable}
    while layout.multiplications(widths) > budget:
        wide = [source for source, step in steps.items() if widths[source] > step]
        widest = max(wide, key=lambda source: widths[source] / layout.widths[source])
        widths[widest] -= steps[widest]
    kept = {source: np.arange(layout.widths[source]) < widths[source] for source in steps}
    return narrow(model, layout, kept)


def _channels_read(layout: Layout, name: str, kept: Kept) -> NDArray[np.bool_]:
    """Return which of the channels that the layer `name` reads stay."""
    parts = [
        kept.get(source, np.ones(layout.widths[source], np.bool_))
        for source in layout.layers[name].sources
    ]
    return np.concatenate(parts)


def _narrow_layer(layout: Layout, name: str, kept: Kept) -> list[NDArray[Any]]:
    layer = layout.layers[name]
    read = _channels_read(layout, name, kept)
    arrays = layer.keras.get_weights()
    if not layer.is_reader:
        if read.all():
            return list(arrays)
        # A value for each channel; a depthwise kernel has them in its third axis.
        axis = 2 if arrays[0].ndim == 4 else 0
        return [np.compress(read, array, axis) for array in arrays]
    made = kept.get(name, np.ones(layout.widths[name], np.bool_))
    kernel, *bias = arrays
    kernel = np.compress(made, np.compress(read, kernel, -2), -1)
    return [kernel, *(array[made] for array in bias)]
