"""Which operators of a model the Edge TPU maps, and why the others stay with the CPU.

The requirements are Google's: https://coral.ai/docs/edgetpu/models-intro/#model-requirements
"""

from collections import Counter
from dataclasses import dataclass
from math import prod

from ....edge_runtime.tflite.operator_versions import first_release, version_text
from ....edge_runtime.tflite.tflite_file import Operator, Tensor, TFLiteFile
from .operators import LIMITS

# Compiler 16.0, of 2021, refuses the operators of later TensorFlow Lites, the file with them:
# https://github.com/google-coral/edgetpu/issues/631
NEWEST_TENSORFLOW = (2, 8)
_QUANTIZED = ("int8", "uint8")
_PARAMETERS = ("int8", "uint8", "int32", "int64")
# Their weights and biases must be constant.
_WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "PRELU")


@dataclass(frozen=True)
class Mapping:
    """What the Edge TPU maps of a model: its operators up to the first that it does not take.

    Attributes:
        mapped: how many operators.
        first: the one from which on the CPU computes, as its name; None if all are mapped.
        reasons: for how many operators each reason holds, by name and reason; operators that only
            come behind another one are not among them.
        operators: how many there are.
    """

    mapped: int
    first: str | None
    reasons: dict[tuple[str, str], int]
    operators: int

    @property
    def on_cpu(self) -> int:
        """How many operators the CPU computes."""
        return self.operators - self.mapped


def map_operators(graph: TFLiteFile) -> Mapping:
    """Return what the Edge TPU maps of `graph`, by what Google documents.

    The compiler may map less: it does not document all that it looks at.
    """
    found = [(operator, _reason(operator, graph)) for operator in graph.operators]
    unmapped = [place for place, (_, reason) in enumerate(found) if reason is not None]
    reasons = Counter((operator.name, reason) for operator, reason in found if reason is not None)
    return Mapping(
        mapped=unmapped[0] if unmapped else len(found),
        first=graph.operators[unmapped[0]].name if unmapped else None,
        reasons=dict(reasons),
        operators=len(found),
    )


def refused_operators(graph: TFLiteFile) -> list[str]:
    """Return the operators for which the compiler refuses the file, each with its version."""
    newer = {
        f"{operator.name} version {operator.version} (TensorFlow {version_text(release)})"
        for operator in graph.operators
        if (release := first_release(operator.name, operator.version)) is not None
        and release[:2] > NEWEST_TENSORFLOW
    }
    return sorted(newer)


def _reason(operator: Operator, graph: TFLiteFile) -> str | None:
    if operator.name not in LIMITS:
        return "not among the operators of the Edge TPU"
    places = (*operator.inputs, *operator.outputs)
    for place in places:
        reason = _tensor_reason(graph.tensors[place]) if place >= 0 else None
        if reason is not None:
            return reason
    if operator.name in _WITH_WEIGHTS and any(
        graph.tensors[place].constant is None for place in operator.inputs[1:] if place >= 0
    ):
        return "weights that are not constant"
    limit = LIMITS[operator.name]
    return None if limit is None else limit(operator, graph)


def _tensor_reason(tensor: Tensor) -> str | None:
    if tensor.dtype not in (_QUANTIZED if tensor.constant is None else _PARAMETERS):
        return f"{tensor.dtype}, not 8-bit integers"
    if any(size < 0 for size in tensor.shape):
        return "a size that is not fixed"
    if tensor.constant is None and prod(tensor.shape[:-3]) != 1:
        return f"more than three dimensions, {tensor.shape}"
    return None
