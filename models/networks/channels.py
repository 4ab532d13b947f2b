"""A network whose convolutions have fewer channels than its architecture says."""

from collections.abc import Mapping
from typing import Any

import keras

from ...edge_runtime.errors import EdgeclfError


def with_channels(model: keras.Model, channels: Mapping[str, int], *, where: str) -> keras.Model:
    """Return `model`, its weights drawn anew, with other numbers of output channels.

    Args:
        model: a functional model.
        channels: output channels of convolutions, by the layer's name; the others stay.
        where: stands before the errors.

    Raises:
        EdgeclfError: a layer does not exist, is no convolution, or cannot have so many channels.
    """
    widths = {
        layer.name: layer.filters for layer in model.layers if type(layer) is keras.layers.Conv2D
    }
    for name, count in channels.items():
        if not 1 <= count <= widths.get(name, 0):
            known = f"1 to {widths[name]}" if name in widths else "a convolution's name"
            raise EdgeclfError(
                f"{where}: channels of {name!r}: expected {known}, got {count}; damaged or of "
                "another version, slim again"
            )

    def narrowed(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in channels:
            config["filters"] = channels[layer.name]
        return type(layer).from_config(config)

    try:
        return keras.models.clone_model(model, clone_function=narrowed)
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise EdgeclfError(
            f"{where}: channels that do not fit one another ({reason}); slim again"
        ) from None
