"""What the layers of a network read on images, and how much its scores depend on what they make."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ...models.networks.windows import draw_windows
from .layout import Layout, is_convolution

Values = NDArray[np.float64]

_BATCH = 8

# Of all images together, for each weight of an output: so many that the moments are known.
_ROWS_FOR_INPUT = 6


@dataclass
class ReaderStatistics:
    """What was seen of a convolution or dense layer, of `taps` weights for each channel it reads.

    Attributes:
        windows: how many were seen.
        total: sum of the windows, of shape (channels * taps,), a channel's taps side by side.
        moments: sum of their outer products, of shape (channels * taps, channels * taps).
        sensitivity: half the mean over the images of the squared gradient of the scores'
            divergence, summed over an image's places, by output channel: of shape (outputs,).
    """

    windows: int
    total: Values
    moments: Values
    sensitivity: Values

    @property
    def mean(self) -> Values:
        """Mean of the windows, of shape (channels * taps,)."""
        return np.asarray(self.total / self.windows)

    @property
    def covariance(self) -> Values:
        """Covariance of the windows, of shape (channels * taps, channels * taps)."""
        return np.asarray(self.moments / self.windows - np.outer(self.mean, self.mean))


def observe_readers(
    model: keras.Model,
    layout: Layout,
    readers: Sequence[str],
    inputs: NDArray[np.uint8],
    *,
    temperature: float,
    seed: int,
) -> dict[str, ReaderStatistics]:
    """Return the statistics of layers on images.

    A change of what a layer makes moves the scores by a Kullback-Leibler divergence whose second
    derivative is the Fisher matrix J^T (diag(p) - p p^T) J, for scores p and the Jacobian J of
    their logits. Drawing v with the covariance in the middle and taking J^T v back through the
    network gives its diagonal without labels.

    Args:
        model: a classifier that ends in a dense layer with a softmax.
        layout: of it.
        readers: names of the layers.
        inputs: RGB uint8 of shape (images, height, width, 3).
        temperature: by which logits are divided first, so that sure scores depend on something.
        seed: of the windows and of v.
    """
    rng = np.random.default_rng(seed)
    head = model.layers[-1]
    layers = [layout.layers[name].keras for name in readers]
    observed = keras.Model(
        model.input, [[layer.input, layer.output] for layer in layers] + [head.input]
    )
    found: dict[str, ReaderStatistics] = {}
    starts = range(0, len(inputs), _BATCH)
    with click.progressbar(starts, label="Measuring what each channel does") as bar:
        for start in bar:
            pixels = tf.constant(inputs[start : start + _BATCH], tf.float32)
            with tf.GradientTape() as tape:
                tape.watch(pixels)
                *values, features = observed(pixels, training=False)
                # Not the scores: of a sure network most are too small to have a gradient.
                logits = tf.matmul(features, head.kernel) + head.bias
                drawn = _draw_directions(logits.numpy() / temperature, rng) / temperature
                moved = tf.reduce_sum(logits * drawn)
            gradients = tape.gradient(moved, [made for _, made in values])
            for layer, (read, _), gradient in zip(layers, values, gradients, strict=True):
                moving = drawn if layer is head else np.asarray(gradient)
                places = places_of_each(
                    layer, read.shape, rows_for_input=_ROWS_FOR_INPUT, images=len(inputs)
                )
                seen = _observe(layer, read.numpy(), moving, places, rng)
                _add(found, layer.name, seen, images=len(inputs))
    return found


def _draw_directions(logits: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a draw v of mean 0 and covariance diag(p) - p p^T for each image's scores p."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    root = np.sqrt(shifted / shifted.sum(1, keepdims=True))
    normal = root * rng.standard_normal(root.shape)
    return np.asarray(normal - root**2 * normal.sum(1, keepdims=True), np.float32)


def places_of_each(layer: Any, shape: Sequence[int], *, rows_for_input: int, images: int) -> int:
    """Return at how many places of each image to look at what a layer reads.

    Args:
        layer: a convolution or dense layer.
        shape: of what it reads.
        rows_for_input: how many rows there shall be for each weight that an output has.
        images: how many there are.
    """
    taps = math.prod(getattr(layer, "kernel_size", (1,)))
    wanted = rows_for_input * taps * shape[-1]
    return max(1, min(math.prod(shape[1:-1]), -(-wanted // images)))


def draw_rows(
    layer: Any, read: NDArray[np.float32], places: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return what a layer multiplies its weights with, at places that are drawn.

    Args:
        layer: a convolution or dense layer.
        read: what it reads, of shape (images, ..., channels).
        places: of each image.
        rng: draws them.

    Returns:
        Of shape (rows, channels * taps), a channel's taps side by side.
    """
    windows = read[:, np.newaxis, np.newaxis]
    if is_convolution(layer):
        windows = draw_windows(
            read,
            kernel_hw=layer.kernel_size,
            strides=layer.strides,
            dilation=layer.dilation_rate,
            padding=layer.padding,
            places=places,
            rng=rng,
        )
    return np.asarray(np.moveaxis(windows, -1, 1).reshape(len(windows), -1))


def _observe(
    layer: Any,
    read: NDArray[np.float32],
    gradient: NDArray[np.float32],
    places: int,
    rng: np.random.Generator,
) -> ReaderStatistics:
    rows = draw_rows(layer, read, places, rng)
    outputs = gradient.reshape(-1, gradient.shape[-1]).astype(np.float64)
    return ReaderStatistics(
        windows=len(rows),
        total=rows.sum(0, dtype=np.float64),
        moments=(rows.T @ rows).astype(np.float64),
        sensitivity=(outputs**2).sum(0) / 2,
    )


def _add(
    found: dict[str, ReaderStatistics], name: str, seen: ReaderStatistics, *, images: int
) -> None:
    seen.sensitivity /= images
    if name not in found:
        found[name] = seen
        return
    known = found[name]
    known.windows += seen.windows
    known.total += seen.total
    known.moments += seen.moments
    known.sensitivity += seen.sensitivity
