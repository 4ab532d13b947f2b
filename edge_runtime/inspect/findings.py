"""What looks wrong in a .tflite file, found without running it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..model_file.spec import LABELS_NAME, SPEC_NAME, ModelSpec
from ..tflite.operator_versions import parse_version
from ..tflite.runtime_versions import RuntimeRequirement
from ..tflite.tflite_file import Tensor, TFLiteFile

# The operators whose second input are weights, and whose third is a bias.
WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}

# Bounds beyond which a quantization is no longer plausible for an image classifier.
LARGEST_SCALE = 1e3
SMALLEST_RANGE = 1e-6
# Of a kernel's largest channel scale to the median. The smallest says nothing: channels that a
# training left dead have scales near zero, thousands of them in DenseNet121's ImageNet weights.
LARGEST_SPAN = 1e3


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong.

    Attributes:
        check: what was looked at: `scale`, `zero_point`, `range`, `channel_scales`,
            `saturated_bias`, `zero_weights`, `not_finite`, `constant_output`, `labels`, `metadata`,
            `runtime`, `spec`, `damage` or `graphs`.
        tensor: where, if it is in a tensor.
        detail: what it is, in words.
    """

    check: str
    tensor: str | None
    detail: str


def tensor_findings(model: TFLiteFile) -> Iterator[Finding]:
    """Yield what looks wrong in the tensors' numbers."""
    kernels = {
        operator.inputs[1]
        for operator in model.operators
        if operator.name in WEIGHTED and len(operator.inputs) > 1
    }
    for operator in model.operators:
        if operator.name == "DEQUANTIZE" and kernels.intersection(operator.outputs):
            kernels.update(operator.inputs)
    biases = {
        operator.inputs[2]
        for operator in model.operators
        if operator.name in WEIGHTED and len(operator.inputs) > 2
    }
    for place, tensor in enumerate(model.tensors):
        yield from _quantization_findings(tensor, is_kernel=place in kernels)
        values = tensor.values()
        if values is None:
            continue
        if tensor.is_float and not np.isfinite(values).all():
            yield Finding("not_finite", tensor.name, "NaN or infinite")
        if place in kernels and not np.count_nonzero(values):
            yield Finding("zero_weights", tensor.name, f"all {values.size} are 0")
        if place in biases and tensor.dtype == "int32":
            limit = np.iinfo(np.int32).max
            saturated = int(np.count_nonzero((values == limit) | (values <= -limit)))
            if saturated:
                detail = f"{saturated} of {values.size} do not fit int32"
                yield Finding("saturated_bias", tensor.name, detail)


def spec_findings(spec: ModelSpec, model: TFLiteFile, files: dict[str, bytes]) -> Iterator[Finding]:
    """Yield where the spec and the rest of the file disagree."""
    outputs = model.tensors[model.outputs[0]].shape[-1:] if model.outputs else ()
    labels = len(spec.network_labels)
    if outputs != (labels,):
        yield Finding("labels", None, f"{labels} labels for an output of {outputs}")
    if files.get(LABELS_NAME) != spec.labels_text.encode():
        yield Finding("labels", None, f"{LABELS_NAME} does not say what {SPEC_NAME} says")
    if spec.self_test is not None:
        expected = spec.self_test.expected()
        if len(expected) > 1 and (expected == expected[0]).all():
            yield Finding("constant_output", None, "the same for every input of the self-test")


def runtime_findings(needed: RuntimeRequirement, *, stated: str | None) -> Iterator[Finding]:
    """Yield where the file's metadata name another runtime than the operators ask for."""
    if stated is None or needed.tensorflow is None:
        return
    if parse_version(stated) != parse_version(needed.tensorflow):
        asked = f" ({needed.reason})" if needed.reason else ""
        detail = f"the metadata say TensorFlow Lite {stated}, the operators {needed.tensorflow}"
        yield Finding("runtime", None, detail + asked)


def _quantization_findings(tensor: Tensor, *, is_kernel: bool) -> Iterator[Finding]:
    scales = tensor.scales
    if not scales.size:
        return
    wrong = scales[~np.isfinite(scales) | (scales <= 0) | (scales > LARGEST_SCALE)]
    if wrong.size:
        yield Finding("scale", tensor.name, f"{wrong[0]:g}" + _of(wrong.size, scales.size))
        return
    median = float(np.median(scales))
    if is_kernel and scales.max() / median > LARGEST_SPAN:
        detail = f"up to {scales.max():g} with a median of {median:g}"
        yield Finding("channel_scales", tensor.name, detail)
    if tensor.dtype not in ("int8", "uint8", "int16"):
        return
    limits = np.iinfo(tensor.dtype)
    outside = tensor.zero_points[
        (tensor.zero_points < limits.min) | (tensor.zero_points > limits.max)
    ]
    if outside.size:
        yield Finding("zero_point", tensor.name, f"{outside[0]} is no {tensor.dtype}")
    width = float(scales.max()) * (limits.max - limits.min)
    if tensor.constant is None and width < SMALLEST_RANGE:
        yield Finding("range", tensor.name, f"{width:g} wide: nothing can pass")


def _of(part: int, whole: int) -> str:
    return f" in {part} of {whole} channels" if whole > 1 else ""
