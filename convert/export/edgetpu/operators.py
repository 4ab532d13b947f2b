"""The operators that the Edge TPU maps, with their limits, as Google documents them.

https://coral.ai/docs/edgetpu/models-intro/#supported-operations, of the newest runtime (14). What
the table says of single operators is here a function of an operator and its graph, which returns
why it is not mapped, or None. Slots are those of the options in TFLite's schema.
"""

from collections.abc import Callable
from math import prod

import numpy as np

from ....edge_runtime.tflite.tflite_file import Operator, Tensor, TFLiteFile

Limit = Callable[[Operator, TFLiteFile], str | None]

_MOST_SOFTMAX = 16_000
_Z_MULTIPLE = 4


def _inputs(operator: Operator, graph: TFLiteFile) -> list[Tensor]:
    return [graph.tensors[place] for place in operator.inputs if place >= 0]


def _option(operator: Operator, slot: int, default: int = 0, *, code: str = "i") -> int:
    return default if operator.options is None else operator.options.integer(slot, code, default)


def _no_fused_activation(slot: int) -> Limit:
    def limit(operator: Operator, _graph: TFLiteFile) -> str | None:
        return "a fused activation function" if _option(operator, slot, code="B") else None

    return limit


def _same_dilation(width: int) -> Limit:
    def limit(operator: Operator, _graph: TFLiteFile) -> str | None:
        x, y = (_option(operator, slot, 1) for slot in (width, width + 1))
        return None if x == y else f"dilations that differ, {x} and {y}"

    return limit


def _concatenation(operator: Operator, graph: TFLiteFile) -> str | None:
    inputs = _inputs(operator, graph)
    constants = [tensor.values() for tensor in inputs if tensor.constant is not None]
    for values in constants:
        if len(inputs) != 2 or values is None or values.any():
            return "a constant input that is not zero, or not one of two"
    return _no_fused_activation(1)(operator, graph)


def _dense(operator: Operator, graph: TFLiteFile) -> str | None:
    if _option(operator, 1, code="B"):
        return "weights in another format than the default"
    if _inputs(operator, graph)[1].scales.size > 1:
        return "a scale per channel, which TensorFlow Lite has since 2.12"
    shape = graph.tensors[operator.outputs[0]].shape
    return None if prod(shape[:-1]) == 1 else f"an output of shape {shape}, not of one dimension"


def _axes(operator: Operator, graph: TFLiteFile) -> list[int] | None:
    """Return the axes of a reduction, counted from the first one; None if they are not constant."""
    image, axes = _inputs(operator, graph)[:2]
    values = axes.values()
    return None if values is None else [int(axis) % len(image.shape) for axis in values]


def _not_batch(operator: Operator, graph: TFLiteFile) -> str | None:
    axes = _axes(operator, graph)
    if axes is None:
        return "axes that are not constant"
    return "a reduction over the batch" if 0 in axes else None


def _mean(operator: Operator, graph: TFLiteFile) -> str | None:
    image = _inputs(operator, graph)[0]
    last = len(image.shape) - 1
    if last in (_axes(operator, graph) or ()) and image.shape[last] % _Z_MULTIPLE:
        return f"a mean over {image.shape[last]} channels, no multiple of {_Z_MULTIPLE}"
    return _not_batch(operator, graph)


def _pad(operator: Operator, graph: TFLiteFile) -> str | None:
    values = _inputs(operator, graph)[1].values()
    if values is None:
        return "padding that is not constant"
    return "padding of the batch" if values[:2].any() else None


def _pack(operator: Operator, _graph: TFLiteFile) -> str | None:
    return None if _option(operator, 1) else "packing along the batch"


def _split(operator: Operator, graph: TFLiteFile) -> str | None:
    axis = _inputs(operator, graph)[0].values()
    return "a split along the batch" if axis is None or not axis.all() else None


def _softmax(operator: Operator, graph: TFLiteFile) -> str | None:
    shape = _inputs(operator, graph)[0].shape
    if prod(shape[:-1]) != 1:
        return f"an input of shape {shape}, not of one dimension"
    return None if shape[-1] <= _MOST_SOFTMAX else f"{shape[-1]} classes, over {_MOST_SOFTMAX}"


def _strided_slice(operator: Operator, graph: TFLiteFile) -> str | None:
    strides = _inputs(operator, graph)[3].values()
    if strides is None or not np.array_equal(strides, np.ones_like(strides)):
        return "strides other than 1"
    masks = _option(operator, 2) or _option(operator, 3)
    return "a mask of an ellipsis or a new axis" if masks else None


def _three_dimensions(operator: Operator, graph: TFLiteFile) -> str | None:
    shape = _inputs(operator, graph)[0].shape
    return None if prod(shape[:-3]) == 1 else f"an input of shape {shape}, of four dimensions"


def _one_dimension(operator: Operator, graph: TFLiteFile) -> str | None:
    shape = _inputs(operator, graph)[1].shape
    return None if prod(shape[:-1]) == 1 else f"slopes of shape {shape}, not one per channel"


LIMITS: dict[str, Limit | None] = {
    "ADD": None,
    "AVERAGE_POOL_2D": _no_fused_activation(5),
    "CONCATENATION": _concatenation,
    "CONV_2D": _same_dilation(4),
    "DEPTHWISE_CONV_2D": _same_dilation(5),
    "EXPAND_DIMS": None,
    "FULLY_CONNECTED": _dense,
    "L2_NORMALIZATION": None,
    "LOGISTIC": None,
    "MAXIMUM": None,
    "MAX_POOL_2D": _no_fused_activation(5),
    "MEAN": _mean,
    "MINIMUM": None,
    "MUL": None,
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _one_dimension,
    "QUANTIZE": None,
    "REDUCE_MAX": _not_batch,
    "REDUCE_MIN": _not_batch,
    "RELU": None,
    "RELU6": None,
    "RELU_N1_TO_1": None,
    "RESHAPE": None,
    "RESIZE_BILINEAR": _three_dimensions,
    "RESIZE_NEAREST_NEIGHBOR": _three_dimensions,
    "RSQRT": None,
    "SLICE": None,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": None,
    "SPLIT": _split,
    "SQUARED_DIFFERENCE": None,
    "SQUEEZE": None,
    "STRIDED_SLICE": _strided_slice,
    "SUB": None,
    "SUM": _not_batch,
    "TANH": None,
    "TRANSPOSE": None,
    "TRANSPOSE_CONV": None,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": None,
}
