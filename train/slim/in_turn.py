"""Weights solved again layer by layer, each for what it reads once those before it are slim.

Solved for what the whole network computes, the layers of a slim one err more from one to the next.
In turn each makes up for what was lost before it (He et al. 2017, section 3.2,
https://arxiv.org/abs/1707.06168).
"""

from collections.abc import Iterator
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from .layout import Layout, norms_behind, read_layout, takes_constant
from .narrow import Kept
from .removal import damped
from .statistics import draw_rows, places_of_each

Array = NDArray[np.float32]

_BATCH = 32

# Of fewer images, places that lie side by side say too much alike to solve anything by.
_LEAST_IMAGES = 4

# Of all images together, for each input of a layer: so many that few photographs decide nothing.
_ROWS_FOR_INPUT = 30

# Share of each second moment that is added to it. With less, weights follow the photographs that
# are looked at further than others gain by it.
_DAMPING = 1.0


def solve_in_turn(
    model: keras.Model, slim: keras.Model, kept: Kept, inputs: NDArray[np.uint8], *, seed: int
) -> None:
    """Solve the weights of `slim` again, from its first layer to its last, in place.

    Of what it reads in `slim`, each convolution and dense layer shall make what it makes in
    `model`. Fewer than 4 images change nothing.

    Args:
        model: the network that was slimmed.
        slim: what is left of it.
        kept: whether a channel stays, bool of shape (channels,), by source.
        inputs: RGB uint8 of shape (images, height, width, 3).
        seed: of the places that are looked at.
    """
    if len(inputs) < _LEAST_IMAGES:
        return
    layout, slim_layout = read_layout(model), read_layout(slim)
    whole, less = _Computed(layout, inputs), _Computed(slim_layout, inputs)
    computed = [name for name in whole.stored if layout.layers[name].reads]
    with click.progressbar(computed, label="Solving weights in turn") as bar:
        for index, name in enumerate(bar):
            layer = layout.layers[name]
            if layer.is_reader:
                places = places_of_each(
                    layer.keras,
                    layer.keras.input.shape,
                    rows_for_input=_ROWS_FOR_INPUT,
                    images=len(inputs),
                )
                rows, slim_rows = (
                    each.rows_read_by(name, places, seed=(seed, index)) for each in (whole, less)
                )
                wanted = rows @ _matrix(layer.keras.kernel)
                _solve(slim_layout, name, slim_rows, wanted[:, kept.get(name, slice(None))])
            whole.compute(name)
            less.compute(name)


class _Computed:
    """What those layers of a network make of images that others still read.

    Layers that work channel by channel, but for those that shrink images, are computed again by
    each that reads them: all that a network makes would not fit into memory.

    Attributes:
        stored: names of the layers that are not, in the order in which they are computed.
    """

    def __init__(self, layout: Layout, inputs: NDArray[np.uint8]) -> None:
        self._layers = layout.layers
        self._images = len(inputs)
        self._needs: dict[str, tuple[str, ...]] = {}  # of each layer, those stored that it is of
        stored: list[str] = []
        for name, layer in self._layers.items():
            needs = (n for r in layer.reads for n in ([r] if r in stored else self._needs[r]))
            self._needs[name] = tuple(dict.fromkeys(needs))
            shrinks = any(self._layers[read].places > layer.places for read in layer.reads)
            if name in layout.widths or shrinks:
                stored.append(name)
        self.stored = tuple(stored)
        pixels = inputs.astype(np.float32)
        self._made = {name: pixels for name in stored if not self._layers[name].reads}
        self._last_reader = {need: name for name in stored for need in self._needs[name]}

    def rows_read_by(self, name: str, places: int, *, seed: tuple[int, ...]) -> Array:
        """Return what a layer multiplies its weights with, at places of each image.

        Of shape (rows, channels * taps).
        """
        layer, rng = self._layers[name].keras, np.random.default_rng(seed)
        read = self._batches(name, layer.input)
        return np.concatenate([draw_rows(layer, batch, places, rng) for batch in read])

    def compute(self, name: str) -> None:
        """Compute the layer `name`; those that it reads must have been computed."""
        tensor = self._layers[name].keras.output
        made = np.empty((self._images, *tensor.shape[1:]), np.float32)  # once, not in parts too
        for start, batch in enumerate(self._batches(name, tensor)):
            made[start * _BATCH :][: len(batch)] = batch
        self._made[name] = made
        for need in self._needs[name]:
            if self._last_reader[need] == name:
                del self._made[need]

    def _batches(self, name: str, tensor: Any) -> Iterator[Array]:
        """Yield batches of a tensor of the layer `name`: what it reads or makes."""
        needs = self._needs[name]
        tensors = [self._layers[need].keras.output for need in needs]
        compute = None if tensor is tensors[0] else keras.Model(tensors, tensor)
        for start in range(0, self._images, _BATCH):
            read = [self._made[need][start : start + _BATCH] for need in needs]
            yield read[0] if compute is None else np.asarray(compute(read, training=False))


def _solve(layout: Layout, name: str, rows: Array, wanted: Array) -> None:
    """Give a layer the weights that make what is wanted of what it reads, by least squares.

    Args:
        layout: of its network.
        name: the layer.
        rows: what it reads, of shape (rows, channels * taps).
        wanted: of shape (rows, outputs).
    """
    layer = layout.layers[name].keras
    constant = takes_constant(layout, name)
    mean, wanted_mean = rows.mean(0), wanted.mean(0)
    if constant:
        rows, wanted = rows - mean, wanted - wanted_mean
    weights: NDArray[Any] = _matrix(layer.kernel)
    if len(rows) >= len(weights):  # of fewer, only the constant is known
        missing = rows.T @ (wanted - rows @ weights)
        weights = weights + np.linalg.solve(damped(rows.T @ rows, _DAMPING), missing)
    layer.kernel.assign(_kernel(weights, layer.kernel.shape))
    if constant:
        _add(layout, name, wanted_mean - mean @ weights)


def _add(layout: Layout, name: str, constant: NDArray[Any]) -> None:
    """Add a constant to what a layer makes, or have the norms behind subtract less."""
    layer = layout.layers[name].keras
    if layer.use_bias:
        layer.bias.assign_add(constant)
        return
    for norm in norms_behind(layout, name) or ():
        parts = [
            constant if source == name else np.zeros(layout.widths[source])
            for source in layout.layers[norm].sources
        ]
        layout.layers[norm].keras.moving_mean.assign_sub(np.concatenate(parts))


def _matrix(kernel: Any) -> Array:
    """Return a kernel as a matrix of shape (channels * taps, outputs)."""
    values = np.asarray(kernel).reshape(-1, *kernel.shape[-2:])
    return np.asarray(values.swapaxes(0, 1).reshape(-1, kernel.shape[-1]))


def _kernel(matrix: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a kernel of `shape` from its matrix."""
    by_tap = matrix.reshape(shape[-2], -1, shape[-1]).swapaxes(0, 1)
    return np.asarray(by_tap.reshape(shape))
