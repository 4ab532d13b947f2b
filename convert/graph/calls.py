"""A layer at its place in a Keras model, and what the readers of layers share."""

from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from .nodes import Activation, Affine, Array, Function, Node


class UnreadableError(ValueError):
    """A layer that cannot be converted; the text says why."""


@dataclass(frozen=True)
class Call:
    """A layer or operation at one of its places in the model.

    Attributes:
        layer: the Keras layer or operation.
        operands: what it reads: names of nodes, and constants.
        shapes: of the nodes that it reads, without the batch.
        shape: of what it makes, without the batch.
    """

    layer: Any
    operands: tuple[str | Array, ...]
    shapes: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The name of the node that stands for its output."""
        return str(self.layer.name)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the nodes that it reads."""
        return tuple(operand for operand in self.operands if isinstance(operand, str))


def with_activation(call: Call, nodes: list[Node]) -> list[Node] | None:
    """Return `nodes` and the layer's activation after them, or None if we do not know it."""
    function = function_name(call.layer.activation)
    last = nodes[-1].name
    made = activation(call, f"{last}_{function}", (last,), function)
    return None if made is None else [*nodes, *made]


def activation(call: Call, name: str, inputs: tuple[str, ...], function: str) -> list[Node] | None:
    """Return the nodes of an activation, or None if we do not know it."""
    if function == "linear":
        return []
    if function in get_args(Function):
        return [Activation(name, inputs, cast(Any, function))]
    if function != "hard_sigmoid" or len(call.shape) not in (1, 3):
        return None
    # It is relu6(x + 3) / 6, and the sum folds into what comes before.
    ones = np.ones(call.shape[-1], np.float32)
    shifted = Affine(f"{name}_shift", inputs, ones, 3 * ones)
    clipped = Activation(f"{name}_relu6", (shifted.name,), "relu6")
    sixth = np.full(call.shape[-1], 1 / 6, np.float32)
    return [shifted, clipped, Affine(name, (clipped.name,), sixth, 0 * ones)]


def function_name(function: Any) -> str:
    """Return what Keras calls the activation `function`; a layer may stand for one."""
    return str(getattr(function, "__name__", type(function).__name__))


def affine(
    call: Call, scale: NDArray[Any] | np.float32, shift: NDArray[Any] | np.float32
) -> list[Node] | None:
    """Return the map of each channel, or None if `scale` and `shift` are more than that."""
    channels = call.shape[-1]
    if len(call.shape) not in (1, 3) or call.shape != call.shapes[0]:
        return None
    per_channel = []
    for value in (scale, shift):
        if value.size not in (1, channels) or value.shape[-1:] not in ((), (value.size,)):
            return None
        per_channel.append(np.broadcast_to(value.ravel(), channels).astype(np.float32))
    return [Affine(call.name, call.inputs, scale=per_channel[0], shift=per_channel[1])]


def bias(call: Call) -> Array:
    """Return the layer's bias, zeros if it has none."""
    if call.layer.use_bias:
        return array(call.layer.bias)
    return np.zeros(call.shape[-1], np.float32)


def array(variable: Any) -> Array:
    """Return a Keras variable, tensor or number as float32."""
    return np.asarray(variable, np.float32)
