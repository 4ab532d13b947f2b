"""Weights rounded so that their errors cancel: GPTQ, on the inputs that calibration sees.

Rounding to the nearest step is best for each weight alone, not for their sum over an input whose
channels go together. Frantar et al. 2022 (https://arxiv.org/abs/2210.17323) round one input channel
after the other and let the weights that are still free make up for the error so far, as the second
moments of the inputs demand. The steps stay those that TFLite chooses, 127 to the largest weight of
an output channel, so that it finds the weights rounded already.
"""

from dataclasses import replace
from typing import TypeGuard

import click
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ...models.networks.windows import draw_windows
from ..graph.nodes import Array, Conv, Dense, Depthwise, Graph, Node
from ..graph.to_keras import build_tf_keras
from .technique import Technique

_BATCH = 8

# At so many places of each image is a convolution's input looked at.
_PLACES = 64

# Share of the mean of the diagonal that is added to it: the paper's.
_DAMPING = 0.01

# Errors are passed on to the weights beyond a block at once, which is faster.
_BLOCK = 64

_STEPS = 127

# What the largest weight of a depthwise output is multiplied with, in turn: its few weights can
# hardly make up for one another's errors, and with another step they have others.
_STRETCHES = np.linspace(0.98, 1.02, 17)


def input_moments(graph: Graph, inputs: NDArray[np.uint8], *, seed: int = 0) -> dict[str, Array]:
    """Return the second moments of what each convolution and dense layer reads, by its name.

    Args:
        graph: a deploy graph.
        inputs: RGB uint8 of shape (images, height, width, 3).
        seed: of the choice of places.

    Returns:
        float32 of shape (n, n), where n is that of the weights of one output channel: places of
        the kernel times input channels; of a depthwise convolution (channels, places, places).
    """
    layers = [node for node in graph if _can_round(node)]
    sources = list(dict.fromkeys(node.inputs[0] for node in layers))
    compute = build_tf_keras(graph, outputs=sources).traced()
    rng = np.random.default_rng(seed)
    moments: dict[str, Array] = {}
    with click.progressbar(range(0, len(inputs), _BATCH), label="Looking at inputs") as starts:
        for start in starts:
            values = tf.nest.flatten(compute(inputs[start : start + _BATCH].astype(np.float32)))
            read = {name: value.numpy() for name, value in zip(sources, values, strict=True)}
            for node in layers:
                seen = _moments(node, read[node.inputs[0]], rng)
                moments[node.name] = moments.get(node.name, np.float32(0)) + seen
    return moments


def gptq(graph: Graph, moments: dict[str, Array]) -> Graph:
    """Return `graph` with the kernels of `moments` rounded to the steps of int8.

    Args:
        graph: a deploy graph.
        moments: what `input_moments` returned for it.
    """
    rounded: dict[str, Node] = {}
    with click.progressbar(moments.items(), label="Rounding weights") as bar:
        for name, moment in bar:
            node = graph[name]
            assert isinstance(node, Conv | Depthwise | Dense)
            round_weights = round_best if isinstance(node, Depthwise) else round_kernel
            rounded[name] = _with_weights(node, round_weights(_weights(node), moment))
    return Graph([rounded.get(node.name, node) for node in graph])


def round_best(kernel: Array, moments: Array) -> Array:
    """Return what `round_kernel` makes with the best of several steps for each output."""
    best, least = kernel, np.full(kernel.shape[:-2] + kernel.shape[-1:], np.inf)
    for stretch in _STRETCHES:
        rounded = round_kernel(kernel, moments, stretch=float(stretch))
        off = (rounded - kernel).astype(np.float64)
        error = np.einsum("...io,...ij,...jo->...o", off, moments.astype(np.float64), off)
        better = (error < least)[..., np.newaxis, :]
        best = np.where(better, rounded, best)
        least = np.minimum(error, least)
    return np.asarray(best)


def round_kernel(kernel: Array, moments: Array, *, stretch: float = 1) -> Array:
    """Return `kernel` on multiples of 1/127 of each output's largest weight.

    Args:
        kernel: float32 of shape (..., inputs, outputs).
        moments: second moments of the inputs, of shape (..., inputs, inputs), up to a factor.
        stretch: of the largest weight, and so of the steps.
    """
    diagonal = np.diagonal(moments, axis1=-2, axis2=-1).astype(np.float64)
    order = np.argsort(-diagonal, axis=-1, kind="stable")[..., np.newaxis]
    free = np.take_along_axis(kernel, order, -2).astype(np.float64)
    unmoved = free.copy()
    step = stretch * np.abs(free).max(-2) / _STEPS
    step[step == 0] = 1
    damped = np.take_along_axis(moments, order, -2).astype(np.float64)
    damped = np.take_along_axis(damped, np.swapaxes(order, -1, -2), -1)
    damping = _DAMPING * diagonal.mean(-1)[..., np.newaxis, np.newaxis]
    damped += np.where(damping > 0, damping, 1) * np.eye(damped.shape[-1])
    inverse = np.swapaxes(np.linalg.cholesky(np.linalg.inv(damped)), -1, -2)
    rounded = np.empty_like(free)
    largest = np.abs(free).argmax(-2)
    size = free.shape[-2]
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        errors = np.zeros_like(free[..., start:stop, :])
        for row in range(start, stop):
            # The largest weight is where it is wanted: it is what TFLite takes the step from.
            wanted = np.where(largest == row, stretch * unmoved[..., row, :], free[..., row, :])
            rounded[..., row, :] = step * np.clip(np.round(wanted / step), -_STEPS, _STEPS)
            pivot = inverse[..., row, row, np.newaxis]
            error = (free[..., row, :] - rounded[..., row, :]) / pivot
            later = inverse[..., row, row + 1 : stop, np.newaxis]
            free[..., row + 1 : stop, :] -= later * error[..., np.newaxis, :]
            errors[..., row - start, :] = error
        beyond = np.swapaxes(inverse[..., start:stop, stop:], -1, -2)
        free[..., stop:, :] -= beyond @ errors
    result = np.empty_like(rounded)
    np.put_along_axis(result, order, rounded, -2)
    return result.astype(np.float32)


def _can_round(node: object) -> TypeGuard[Conv | Depthwise | Dense]:
    if isinstance(node, Depthwise):
        taps = node.kernel.reshape(-1, node.kernel[0, 0].size)
        is_exact = (taps == taps[0]).all()  # weights of one size, as of an average, are one step
        return not is_exact and node.dilation == (1, 1)
    return isinstance(node, Dense) or (isinstance(node, Conv) and node.groups == 1)


def _weights(node: Conv | Depthwise | Dense) -> Array:
    """Return the kernel as (inputs, outputs), of a depthwise convolution for each channel."""
    if isinstance(node, Depthwise):
        taps = node.kernel.reshape(-1, *node.kernel.shape[2:])
        return np.asarray(np.swapaxes(taps, 0, 1))
    return node.kernel.reshape(-1, node.kernel.shape[-1])


def _with_weights(node: Conv | Depthwise | Dense, weights: Array) -> Node:
    if isinstance(node, Depthwise):
        weights = np.swapaxes(weights, 0, 1)
    return replace(node, kernel=weights.reshape(node.kernel.shape))


def _moments(node: Conv | Depthwise | Dense, values: Array, rng: np.random.Generator) -> Array:
    """Return the second moments of what `node` multiplies its kernel with in `values`."""
    rows = _rows(node, values, rng)
    if isinstance(node, Depthwise):
        of_channels = np.transpose(rows.reshape(len(rows), -1, node.kernel.shape[2]), (2, 1, 0))
        return np.asarray(of_channels @ np.swapaxes(of_channels, -1, -2))
    return np.asarray(rows.T @ rows)


def _rows(node: Conv | Depthwise | Dense, values: Array, rng: np.random.Generator) -> Array:
    """Return what `node` multiplies its kernel with at some places, of shape (places, inputs)."""
    if isinstance(node, Dense):
        return values
    windows = draw_windows(
        values,
        kernel_hw=node.kernel.shape[:2],
        strides=node.strides,
        dilation=node.dilation,
        padding=node.padding,
        places=_PLACES,
        rng=rng,
    )
    return np.asarray(windows.reshape(len(windows), -1))


TECHNIQUE = Technique("gptq", lambda graph, inputs: gptq(graph, input_moments(graph, inputs)))
