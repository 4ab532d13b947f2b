"""A trained classifier without the channels that its scores miss least."""

from dataclasses import dataclass

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from .in_turn import solve_in_turn
from .layout import Layout, read_layout, takes_constant
from .narrow import Kept, narrow
from .removal import ReaderWeights, remove_channels, smallest_widths
from .statistics import ReaderStatistics, observe_readers


@dataclass(frozen=True, eq=False)
class SlimNetwork:
    """What is left of a network.

    Attributes:
        model: the network.
        kept: whether a channel stays, bool of shape (channels,), of each convolution that has fewer
            now, by name.
        before: multiply-accumulates of the network that it was, for one image.
        after: the same of `model`.
        removable: how many channels might have left.
    """

    model: keras.Model
    kept: Kept
    before: int
    after: int
    removable: int

    @property
    def channels(self) -> dict[str, int]:
        """Output channels of the convolutions that have fewer now, by name."""
        return {source: int(stays.sum()) for source, stays in self.kept.items()}

    @property
    def removed(self) -> int:
        """How many channels have left."""
        return sum(int((~stays).sum()) for stays in self.kept.values())


def slim_network(
    model: keras.Model,
    inputs: NDArray[np.uint8],
    solve_on: NDArray[np.uint8],
    *,
    keep: float,
    temperature: float,
    seed: int,
) -> SlimNetwork:
    """Return `model` with a share of its multiply-accumulates, and the rest of its weights solved.

    Args:
        model: a classifier that ends in a dense layer with a softmax.
        inputs: RGB uint8 of shape (images, height, width, 3), on which channels are chosen.
        solve_on: more of them, on which weights are solved.
        keep: share of the multiply-accumulates that stays at most, above 0, at most 1.
        temperature: by which logits are divided to see how much the scores depend on a channel.
        seed: of what is looked at.

    Raises:
        EdgeclfError: no channel may leave, or so many cannot.
    """
    layout = read_layout(model)
    check_keep(layout, keep, name=model.name)
    names = [name for name in layout.layers if _reads_removable(layout, name)]
    seen = observe_readers(model, layout, names, inputs, temperature=temperature, seed=seed)
    # Their moments are let go one by one: those of a large network take gigabytes.
    readers = {name: _weights(layout, name, seen.pop(name)) for name in names}
    before = layout.multiplications()
    budget = int(keep * before)
    with click.progressbar(length=before - budget, label="Removing channels") as bar:
        kept = remove_channels(layout, readers, budget=budget, advance=bar.update)
    kept = {source: stays for source, stays in kept.items() if not stays.all()}
    slim = narrow(model, layout, kept)
    for name, reader in readers.items():
        made = kept.get(name, slice(None))
        kernel = slim.get_layer(name).kernel
        kernel.assign(reader.kernel()[..., made].reshape(kernel.shape))
    readers.clear()  # as large as their moments were
    solve_in_turn(model, slim, kept, solve_on, seed=seed)
    return SlimNetwork(
        model=slim,
        kept=kept,
        before=before,
        after=read_layout(slim).multiplications(),
        removable=sum(layout.widths[source] for source in layout.removable),
    )


def check_keep(layout: Layout, keep: float, *, name: str) -> None:
    """Raise an EdgeclfError if a network cannot be slimmed to the share `keep`."""
    least = layout.multiplications(smallest_widths(layout)) / layout.multiplications()
    if least == 1:
        raise EdgeclfError(
            f"{name}: has no channels that may leave; slim a network whose convolutions read one "
            "another: a DenseNet, EfficientNet-Lite, ResNet or MobileNet"
        )
    if keep < least:
        raise EdgeclfError(
            f"--keep {keep:g}: {name} can be slimmed to {least + 0.0005:.3f} of its "
            "multiply-accumulates, no further; give more"
        )


def _reads_removable(layout: Layout, name: str) -> bool:
    layer = layout.layers[name]
    return layer.is_reader and not set(layout.removable).isdisjoint(layer.sources)


def _weights(layout: Layout, name: str, seen: ReaderStatistics) -> ReaderWeights:
    kernel = layout.layers[name].keras.get_weights()[0]
    moments = seen.covariance if takes_constant(layout, name) else seen.moments / seen.windows
    return ReaderWeights(
        kernel.reshape(-1, *kernel.shape[-2:]), moments, sensitivity=seen.sensitivity
    )
