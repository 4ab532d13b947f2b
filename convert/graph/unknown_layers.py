"""Layers that we do not know, left as they are: from Keras to the tf_keras class of the name."""

import inspect
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from .calls import Call, UnreadableError, array
from .nodes import UnknownLayer

# What tf_keras calls some options of Keras 3.
_RENAMED = {"negative_slope": "alpha"}

# Options that matter in training only, or that are serialized otherwise.
_TRAINING = ("trainable", "dtype", "initializer", "regularizer", "constraint")


def read_unknown_layer(call: Call) -> UnknownLayer:
    """Return the layer as a node, if tf_keras computes the same.

    Raises:
        UnreadableError: tf_keras has no such layer, or one that computes otherwise.
    """
    layer = call.layer
    kind = type(layer).__name__
    known = getattr(tf_keras.layers, kind, None)
    if known is None or kind == "Lambda" or not type(layer).__module__.startswith("keras."):
        raise UnreadableError("no layer of tf_keras")
    options = inspect.signature(known.__init__).parameters
    config = {}
    for key, value in layer.get_config().items():
        option = str(key if key in options else _RENAMED.get(key, key))
        if option in options and not option.endswith(_TRAINING):
            config[option] = value
    weights = tuple(map(array, layer.get_weights()))
    node = UnknownLayer(call.name, call.inputs, kind, config, weights, call.shape)
    # tf_keras lacks some options, which are left out above, and has defaults of its own: compare.
    rng = np.random.default_rng(0)
    values = [_wide_normal(rng, (2, *shape)) for shape in call.shapes]
    read: Any = values if len(values) > 1 else values[0]
    try:
        rebuilt = build_unknown_layer(node)
        rebuilt.build([value.shape for value in values] if len(values) > 1 else read.shape)
        rebuilt.set_weights(weights)
        made = np.asarray(rebuilt(read, training=False))
    except (KeyError, TypeError, ValueError, tf.errors.OpError):
        raise UnreadableError("tf_keras cannot build it from the same options") from None
    expected = np.asarray(layer(read, training=False))
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    if made.shape != expected.shape or not np.allclose(
        made, expected, rtol=1e-4, atol=1e-6 * largest, equal_nan=True
    ):
        raise UnreadableError("tf_keras computes it otherwise")
    return node


def build_unknown_layer(node: UnknownLayer) -> Any:
    """Return the tf_keras layer of `node`, without its weights until it is built."""
    return getattr(tf_keras.layers, node.kind).from_config({**node.config, "name": node.name})


def _wide_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return normal values times 0.01 to 100, so that small and large ones are compared."""
    return (rng.normal(size=shape) * np.exp(2 * rng.normal(size=shape))).astype(np.float32)
