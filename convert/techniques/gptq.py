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

from ..graph.nodes import Array, Conv, Dense, Graph
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


def input_moments(graph: Graph, inputs: NDArray[np.uint8], *, seed: int = 0) -> dict[str, Array]:
    """Return the second moments of what each convolution and dense layer reads, by its name.

    Args:
        graph: a deploy graph.
        inputs: RGB uint8 of shape (images, height, width, 3).
        seed: of the choice of places.

    Returns:
        float32 of shape (n, n), where n is that of the weights of one output channel: places of
        the kernel times input channels.
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
                rows = _rows(node, read[node.inputs[0]], rng)
                moments[node.name] = moments.get(node.name, np.float32(0)) + rows.T @ rows
    return moments


def gptq(graph: Graph, moments: dict[str, Array]) -> Graph:
    """Return `graph` with the kernels of `moments` rounded to the steps of int8.

    Args:
        graph: a deploy graph.
        moments: what `input_moments` returned for it.
    """
    rounded = {}
    with click.progressbar(moments.items(), label="Rounding weights") as bar:
        for name, moment in bar:
            node = graph[name]
            assert isinstance(node, Conv | Dense)
            kernel = round_kernel(node.kernel.reshape(len(moment), -1), moment)
            rounded[name] = replace(node, kernel=kernel.reshape(node.kernel.shape))
    return Graph([rounded.get(node.name, node) for node in graph])


def round_kernel(kernel: Array, moments: Array) -> Array:
    """Return `kernel` (inputs, outputs) on multiples of 1/127 of each output's largest weight.

    Args:
        kernel: float32 of shape (inputs, outputs).
        moments: second moments of the inputs, of shape (inputs, inputs), up to a factor.
    """
    order = np.argsort(-np.diag(moments), kind="stable")
    free = kernel[order].astype(np.float64)
    step = np.abs(free).max(0) / _STEPS
    step[step == 0] = 1
    damped = moments[np.ix_(order, order)].astype(np.float64)
    damped[np.diag_indices_from(damped)] += _DAMPING * np.diag(damped).mean() or 1
    inverse = np.linalg.cholesky(np.linalg.inv(damped)).T
    rounded = np.empty_like(free)
    largest = np.abs(free).argmax(0)
    for start in range(0, len(free), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(free)))
        errors = np.zeros_like(free[block])
        for row in range(block.start, block.stop):
            # The largest weight stays: it is what TFLite takes the step from.
            wanted = np.where(largest == row, kernel[order[row]], free[row])
            rounded[row] = step * np.clip(np.round(wanted / step), -_STEPS, _STEPS)
            error = (free[row] - rounded[row]) / inverse[row, row]
            free[row + 1 : block.stop] -= np.outer(inverse[row, row + 1 : block.stop], error)
            errors[row - start] = error
        free[block.stop :] -= inverse[block, block.stop :].T @ errors
    result = np.empty_like(rounded)
    result[order] = rounded
    return result.astype(np.float32)


def _can_round(node: object) -> TypeGuard[Conv | Dense]:
    return isinstance(node, Dense) or (isinstance(node, Conv) and node.groups == 1)


def _rows(node: Conv | Dense, values: Array, rng: np.random.Generator) -> Array:
    """Return what `node` multiplies its kernel with at some places, of shape (places, inputs)."""
    if isinstance(node, Dense):
        return values
    taps = [
        np.arange(0, size * dilation, dilation)
        for size, dilation in zip(node.kernel.shape[:2], node.dilation, strict=True)
    ]
    padding = [(0, 0)] * 4
    for axis, (tap, stride) in enumerate(zip(taps, node.strides, strict=True), start=1):
        if node.padding == "same":
            # As TensorFlow does: the odd one at the end.
            length = values.shape[axis]
            total = max((-(-length // stride) - 1) * stride + tap[-1] + 1 - length, 0)
            padding[axis] = (total // 2, total - total // 2)
    padded = np.pad(values, padding)
    images = np.repeat(np.arange(len(values)), _PLACES)
    corners = [
        stride * rng.integers(0, (length - tap[-1] - 1) // stride + 1, len(images))
        for length, tap, stride in zip(padded.shape[1:3], taps, node.strides, strict=True)
    ]
    rows, columns = (corner[:, np.newaxis] + tap for corner, tap in zip(corners, taps, strict=True))
    windows = padded[images[:, None, None], rows[:, :, None], columns[:, None, :]]
    return np.asarray(windows.reshape(len(images), -1))


TECHNIQUE = Technique("gptq", lambda graph, inputs: gptq(graph, input_moments(graph, inputs)))
