"""The steps of int8: what the whole numbers of tensors and kernels stand for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..graph.nodes import Conv, Dense, Depthwise, Node
from .ranges import TensorRange

# The kernel's name in tf_keras.
KERNELS = {Conv: "kernel", Dense: "kernel", Depthwise: "depthwise_kernel"}
LINEAR = (Conv, Dense, Depthwise)

# TFLite's converter gives a smaller channel this width (`kNearZeroTolerance` is twice as much).
_LEAST = 0.5e-6

_KERNEL_STEPS = np.float32(127)


@dataclass(frozen=True)
class Steps:
    """What a tensor's whole numbers stand for.

    Attributes:
        size: real numbers from one to the next.
        low: the least whole number.
        high: the greatest.
    """

    size: np.float32
    low: int
    high: int

    @classmethod
    def over(cls, tensor: TensorRange) -> "Steps":
        """Return the steps of a tensor of that range."""
        # In double precision, as TFLite's converter has it.
        low, high = float(np.float32(tensor.low)), float(np.float32(tensor.high))
        size = (high - low) / 255
        zero = round(-low / size)
        return cls(np.float32(size), -zero, 255 - zero)

    def nearest(self, values: Any) -> Any:
        """Return the whole numbers next to `values`, a float32 tensor in steps."""
        return tf.clip_by_value(whole(values), self.low, self.high)

    def average(self, values: Any) -> Any:
        """Return the whole numbers that TFLite's average pooling makes of the means `values`.

        One midway between two numbers of int8 goes to the one farther from their zero.
        """
        zero_point = -128 - self.low
        stored = values + zero_point
        farther = tf.sign(stored) * tf.floor(tf.abs(stored) + 0.5) - zero_point
        return values + tf.stop_gradient(farther - values)


def own_kernel_step(node: Conv | Dense | Depthwise) -> NDArray[np.float32]:
    """Return what `kernel_step` returns for the node's own kernel, as an array of NumPy."""
    axes = tuple(range(2 if isinstance(node, Depthwise) else node.kernel.ndim - 1))
    largest = np.maximum(np.abs(node.kernel).max(axes, keepdims=True), np.float32(_LEAST))
    return np.asarray(largest / _KERNEL_STEPS, np.float32)


def kernel_step(node: Node, kernel: Any) -> Any:
    """Return the step of each output channel, of a shape that broadcasts against the kernel."""
    axes = list(range(2 if isinstance(node, Depthwise) else len(kernel.shape) - 1))
    largest = tf.maximum(tf.reduce_max(tf.abs(kernel), axes, keepdims=True), _LEAST)
    return divided(tf.stop_gradient(largest), _KERNEL_STEPS)


def divided(values: Any, divisor: np.float32) -> Any:
    """Return the float32 next to `values / divisor`.

    TensorFlow multiplies by the reciprocal of a constant, which is not the same in the last bit.
    """
    return tf.cast(tf.cast(values, tf.float64) / np.float64(divisor), tf.float32)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def whole(values: Any) -> Any:
    """Round to the nearest whole number, half to even; gradients pass as if nothing was done."""
    return tf.round(values), lambda gradient: gradient
