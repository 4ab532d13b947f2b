"""A trained classifier without the channels that its scores miss least."""

from dataclasses import dataclass

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from .layout import Layout, norms_behind, read_layout
from .narrow import Kept, channels_read, narrow
from .removal import ReaderWeights, remove_channels, smallest_widths
from .statistics import ReaderStatistics, Values, observe_readers


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
    *,
    keep: float,
    temperature: float,
    seed: int,
) -> SlimNetwork:
    """Return `model` with a share of its multiply-accumulates, and the rest of its weights solved.

    Args:
        model: a classifier that ends in a dense layer with a softmax.
        inputs: RGB uint8 of shape (images, height, width, 3), on which channels are chosen.
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
    means = {name: seen[name].mean for name in names}
    # Their moments are let go one by one: those of a large network take gigabytes.
    readers = {name: _weights(layout, name, seen.pop(name)) for name in names}
    before = layout.multiplications()
    budget = int(keep * before)
    with click.progressbar(length=before - budget, label="Removing channels") as bar:
        kept = remove_channels(layout, readers, budget=budget, advance=bar.update)
    kept = {source: stays for source, stays in kept.items() if not stays.all()}
    slim = narrow(model, layout, kept)
    for name in names:
        _set_solved(slim, layout, name, readers[name], means[name], kept)
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
    constant = _takes_constant(layout, name)
    moments = seen.covariance if constant else seen.moments / seen.windows
    return ReaderWeights(
        kernel.reshape(-1, *kernel.shape[-2:]), moments, sensitivity=seen.sensitivity
    )


def _takes_constant(layout: Layout, name: str) -> bool:
    """Return whether something can be added to what the layer makes."""
    return layout.layers[name].keras.use_bias or norms_behind(layout, name) is not None


def _set_solved(
    slim: keras.Model,
    layout: Layout,
    name: str,
    solved: ReaderWeights,
    mean: Values,
    kept: Kept,
) -> None:
    """Give a layer of the slim network its solved weights, and the mean of what it made before."""
    layer = slim.get_layer(name)
    made = kept.get(name, np.ones(layout.widths[name], np.bool_))
    kernel = solved.kernel()[..., made].reshape(layer.kernel.shape)
    if not _takes_constant(layout, name):
        layer.set_weights([kernel])
        return
    original = layout.layers[name].keras.get_weights()[0]
    original = np.moveaxis(original.reshape(-1, *original.shape[-2:]), 1, 0)
    lost = mean @ (original.reshape(solved.weights.shape) - solved.weights)
    if layer.use_bias:
        layer.set_weights([kernel, layer.get_weights()[1] + lost[made]])
        return
    layer.set_weights([kernel])
    for norm in norms_behind(layout, name) or ():
        parts = [
            lost if source == name else np.zeros(layout.widths[source])
            for source in layout.layers[norm].sources
        ]
        shift = np.concatenate(parts)[channels_read(layout, norm, kept)]
        moving_mean = slim.get_layer(norm).moving_mean
        moving_mean.assign(moving_mean - shift.astype(np.float32))
