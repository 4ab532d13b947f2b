"""The oldest runtime that computes a model, from its operators, their versions and their types."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .flatbuffer import FlatbufferError
from .operator_versions import (
    DENSE_PER_CHANNEL,
    LAST_TFLITE_RUNTIME,
    LITERT_LATER,
    LITERT_RELEASES,
    NEWEST_LITERT,
    NEWEST_TENSORFLOW,
    QUANTIZE_INT8_TO_INT16,
    VERSION_BY_INPUT,
    VERSION_BY_WEIGHTS,
    VERSION_PER_CHANNEL,
    Version,
    first_release,
    parse_version,
    version_text,
)
from .tflite_file import Operator, Tensor, TFLiteFile, parse_tflite

RUNTIME_VERSION_NAME = "min_runtime_version"  # of the metadata entry that TFLite's converter writes
NEWEST_TRIED = {
    "ai-edge-litert": version_text(NEWEST_LITERT),
    "tflite-runtime": version_text(LAST_TFLITE_RUNTIME),
    "tensorflow": version_text(NEWEST_TENSORFLOW),
}
DISTRIBUTIONS = tuple(NEWEST_TRIED)

_OLDEST: Version = (1, 5, 0)  # of the table; before, there was no TensorFlow Lite


@dataclass(frozen=True)
class RuntimeRequirement:
    """The oldest runtime that computes a model.

    Attributes:
        tensorflow: the release of TensorFlow Lite; None if `unknown` names operators.
        reason: the operator that asks for it; None if none does.
        distributions: by the name of each in `DISTRIBUTIONS` its oldest version, None where no
            known one will do, or it is not known.
        unknown: the operators, with versions, of which it is not known when they came.
    """

    tensorflow: str | None
    reason: str | None
    distributions: dict[str, str | None]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class _Need:
    """What one operator asks for; `tensorflow` None: not known."""

    reason: str
    tensorflow: Version | None
    litert: Version | None


def runtime_requirement(model: TFLiteFile) -> RuntimeRequirement:
    """Return the oldest runtime for `model`, from what is published and what was tried."""
    needs = {need for operator in model.operators for need in _needs(operator, model)}
    unknown = tuple(sorted(need.reason for need in needs if need.tensorflow is None))
    if unknown:
        return RuntimeRequirement(None, None, dict.fromkeys(DISTRIBUTIONS), unknown)
    first = max(needs, key=lambda need: (need.tensorflow, need.reason), default=None)
    tensorflow = first.tensorflow if first and first.tensorflow else _OLDEST
    litert = max((need.litert for need in needs if need.litert), default=LITERT_RELEASES[0][1])
    return RuntimeRequirement(
        tensorflow=version_text(tensorflow),
        reason=first.reason if first else None,
        distributions={
            "ai-edge-litert": version_text(litert),
            "tflite-runtime": _up_to(tensorflow, LAST_TFLITE_RUNTIME),
            "tensorflow": _up_to(tensorflow, NEWEST_TENSORFLOW),
        },
        unknown=(),
    )


# What their compilers leave of a graph.
_NPU_OPERATORS = {"ethos-u": "Arm's Ethos-U", "edgetpu-custom-op": "Google's Edge TPU"}


def stated_requirement(metadata: dict[str, bytes]) -> str | None:
    """Return the oldest TensorFlow Lite that the metadata of a file name; None if they do not."""
    stated = metadata.get(RUNTIME_VERSION_NAME)
    return None if stated is None else stated.rstrip(b"\0").decode(errors="replace")


def on_32_bits() -> bool:
    """Return whether this Python is a 32-bit program, for which ai-edge-litert has no wheels.

    The machine does not tell: a 32-bit Raspberry Pi OS runs under a 64-bit kernel on newer boards.
    """
    return sys.maxsize < 2**32


def explain_refusal(model: bytes, *, reason: str, runtime: str) -> str:
    """Return why a runtime refuses a model, and the mend.

    Args:
        model: the bytes of the file.
        reason: what the runtime said.
        runtime: its distribution and version, as `runtime_name` returns it.
    """
    refusal = f"the runtime refuses the model ({reason})"
    try:
        graph = parse_tflite(model)
    except FlatbufferError:
        return f"{refusal}; copy or convert it again"
    needed = runtime_requirement(graph)
    distribution, _, version = runtime.partition(" ")
    names = {one.partition(" ")[0] for one in needed.unknown}
    npu = next((npu for name, npu in _NPU_OPERATORS.items() if name in names), None)
    if npu is not None:
        return (
            f"it was compiled for {npu}, and only a runtime with its driver computes it; give the "
            "file that it was compiled from"
        )
    if needed.unknown:
        return (
            f"{refusal}, and no runtime is known that has {', '.join(needed.unknown)}; "
            f"pip install --upgrade {_upgrade(distribution)}, or convert the model again"
        )
    oldest = needed.distributions.get(distribution)
    if distribution not in needed.distributions or (
        oldest is not None and parse_version(version) >= parse_version(oldest)
    ):
        return (
            f"{refusal}, though {runtime} has all its operators; "
            f"pip install --upgrade {_upgrade(distribution)}, or copy or convert the model again"
        )
    asks = f"{needed.reason} asks for " + (
        f"{distribution} {oldest}" if oldest else f"TensorFlow Lite {needed.tensorflow}"
    )
    return f"the runtime is too old: {asks}, this is {runtime}; {_mend(needed, distribution)}"


def _mend(needed: RuntimeRequirement, distribution: str) -> str:
    if distribution == "tflite-runtime" and on_32_bits():
        oldest = needed.distributions[distribution]
        if oldest is not None:
            return f"pip install 'tflite-runtime>={oldest}'"
        return (
            f"tflite-runtime {version_text(LAST_TFLITE_RUNTIME)} is the last for 32-bit systems: "
            "convert the model again with another recipe, or install a 64-bit system"
        )
    return f"pip install 'ai-edge-litert>={needed.distributions['ai-edge-litert']}'"


def _upgrade(distribution: str) -> str:
    is_last = distribution == "tflite-runtime" and on_32_bits()
    return "tflite-runtime" if is_last else "ai-edge-litert"


def _needs(operator: Operator, model: TFLiteFile) -> Iterator[_Need]:
    inputs = [model.tensors[place] if place >= 0 else None for place in operator.inputs]
    outputs = [model.tensors[place] for place in operator.outputs if place >= 0]
    version = max(operator.version, _version_by_types(operator.name, inputs, outputs))
    yield _need(
        f"{operator.name} version {version}",
        first_release(operator.name, version),
        LITERT_LATER.get((operator.name, version)),
    )
    first = inputs[0] if inputs else None
    if first is None or not outputs:
        return
    if operator.name == "QUANTIZE" and (first.dtype, outputs[0].dtype) == ("int8", "int16"):
        yield _need("QUANTIZE from int8 to int16", QUANTIZE_INT8_TO_INT16)
    if operator.name == "FULLY_CONNECTED" and not first.is_float and _is_per_channel(inputs):
        yield _need("FULLY_CONNECTED with a scale per channel", DENSE_PER_CHANNEL)


def _need(reason: str, tensorflow: Version | None, later: Version | None = None) -> _Need:
    if tensorflow is None:
        return _Need(reason, None, None)
    litert = next(
        (litert for release, litert in LITERT_RELEASES if tensorflow[:2] <= release), None
    )
    return _Need(reason, tensorflow, max(later, litert) if later and litert else litert)


def _version_by_types(name: str, inputs: list[Tensor | None], outputs: list[Tensor]) -> int:
    """Return the version that the types of the tensors ask for, at least 1."""
    first = inputs[0] if inputs else None
    if first is None:
        return 1
    if name == "QUANTIZE":
        is_int16 = bool(outputs) and outputs[0].dtype == "int16"
        return 2 if is_int16 else 1
    weights = inputs[1] if len(inputs) > 1 else None
    if name in VERSION_BY_WEIGHTS and weights is not None:
        if first.dtype == "float32" and weights.dtype == "int8" and _is_per_channel(inputs):
            return VERSION_PER_CHANNEL[name]
        return VERSION_BY_WEIGHTS[name].get((first.dtype, weights.dtype), 1)
    return VERSION_BY_INPUT.get(name, {}).get(first.dtype, 1)


def _is_per_channel(inputs: list[Tensor | None]) -> bool:
    weights = inputs[1] if len(inputs) > 1 else None
    return weights is not None and weights.scales.size > 1


def _up_to(version: Version, last: Version) -> str | None:
    return version_text(version) if version <= last else None


def requirement_json(needed: RuntimeRequirement, *, stated: str | None) -> dict[str, Any]:
    """Return the requirement, and what the file's metadata say of it, as a JSON object."""
    return {
        "tensorflow": needed.tensorflow,
        "reason": needed.reason,
        "distributions": needed.distributions,
        "unknown": list(needed.unknown),
        "stated": stated,
    }
