"""What a .tflite file is, found without running it."""

import hashlib
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import EdgeclfError
from ..model_file.container import (
    check_integrity,
    flatbuffer_size,
    read_archive,
    read_spec,
    read_tflite,
)
from ..model_file.metadata import METADATA_NAME, read_metadata
from ..model_file.spec import ModelSpec
from ..tflite.flatbuffer import FlatbufferError
from ..tflite.runtime_versions import (
    RuntimeRequirement,
    requirement_json,
    runtime_requirement,
    stated_requirement,
)
from ..tflite.tflite_file import Operator, Tensor, TFLiteFile, parse_tflite
from .findings import WEIGHTED, Finding, runtime_findings, spec_findings, tensor_findings

REPORT_SCHEMA = 1


@dataclass(frozen=True)
class OperatorCount:
    """Operators of one kind.

    Attributes:
        name: as TFLite calls them.
        dtype: of what they compute.
        weights: type of the weights as stored; None for operators without.
        count: how many there are.
    """

    name: str
    dtype: str
    weights: str | None
    count: int


@dataclass(frozen=True)
class Inspection:
    """What was found in a file.

    Attributes:
        path: the file.
        bytes: its size.
        sha256: its digest.
        model: the graph.
        spec: ours; None if the file carries none.
        metadata: TFLite's, as `read_metadata` returns them; None if there are none.
        runtime: the oldest that computes the graph.
        operators: by name, types and frequency.
        sizes: bytes of the `weights`, of the `graph` without them, of the `metadata`, and of the
            `archive` behind.
        files: bytes of each file in the archive.
        findings: what looks wrong.
    """

    path: Path
    bytes: int
    sha256: str
    model: TFLiteFile
    spec: ModelSpec | None
    metadata: dict[str, Any] | None
    runtime: RuntimeRequirement
    operators: tuple[OperatorCount, ...]
    sizes: dict[str, int]
    files: dict[str, int]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the inspection as a JSON object. Its `schema` rises when a field changes meaning.

        `inputs` and `outputs` are lists of name, shape, dtype, scale and zero_point (both null
        without quantization). `recipe`, `architecture`, `edgeclf_version`, `resize`, `labels`,
        `thresholds`, `novelty` and `taught` (null if there are none), `provenance`,
        `carries_self_test` and `carries_digest` (SHA-256 of the model) come from our spec and are
        null without one.
        `oldest_runtime` has the fields of `RuntimeRequirement`, and as `stated` what the file's
        metadata say of it. The other fields are those of this class. `edgeclf inspect --self-test`
        adds `self_test`: the fields of `SelfTestResult`, the `runtime` and its `delegated_parts`
        (null for a `CompiledModel`, which does not tell them); null if it could not run.
        """
        spec = self.spec
        return {
            "schema": REPORT_SCHEMA,
            "file": str(self.path),
            "bytes": self.bytes,
            "sha256": self.sha256,
            "recipe": spec and spec.recipe,
            "architecture": spec and spec.architecture,
            "edgeclf_version": spec and spec.edgeclf_version,
            "inputs": [_tensor_json(tensor) for tensor in self.inputs],
            "outputs": [_tensor_json(tensor) for tensor in self.outputs],
            "resize": spec and spec.resize,
            "labels": spec and list(spec.labels),
            "thresholds": spec and spec.thresholds,
            "novelty": spec and spec.novelty and spec.novelty.to_json(),
            "taught": spec and spec.taught and spec.taught.to_json(),
            "provenance": spec and spec.provenance,
            "carries_self_test": None if spec is None else spec.self_test is not None,
            "carries_digest": None if spec is None else spec.flatbuffer_sha256 is not None,
            "oldest_runtime": requirement_json(
                self.runtime, stated=stated_requirement(self.model.metadata)
            ),
            "operators": [asdict(kind) for kind in self.operators],
            "float_operators": self.model.float_operators,
            "sizes": self.sizes,
            "files": self.files,
            "metadata": self.metadata,
            "findings": [asdict(finding) for finding in self.findings],
        }

    @property
    def inputs(self) -> list[Tensor]:
        """The graph's input tensors."""
        return [self.model.tensors[place] for place in self.model.inputs]

    @property
    def outputs(self) -> list[Tensor]:
        """The graph's output tensors."""
        return [self.model.tensors[place] for place in self.model.outputs]


def inspect_file(path: Path) -> Inspection:
    """Inspect the .tflite file at `path`, of ours or of another maker.

    Raises:
        EdgeclfError: it is missing, no TFLite model, damaged, or cut short within the model.
    """
    data = read_tflite(path)
    archive = read_archive(data)
    findings: list[Finding] = []
    spec = metadata = None
    try:
        model = parse_tflite(data)
        findings += tensor_findings(model)
    except FlatbufferError as error:
        raise EdgeclfError(f"{path}: damaged or cut short ({error}); copy it again") from None
    runtime = runtime_requirement(model)
    findings += runtime_findings(runtime, stated=stated_requirement(model.metadata))
    if METADATA_NAME in model.metadata:
        try:
            metadata = read_metadata(model.metadata[METADATA_NAME])
        except FlatbufferError as error:
            findings.append(Finding("metadata", None, f"damaged ({error})"))
    else:
        findings.append(Finding("metadata", None, "none: phones do not know the labels"))
    try:
        spec = read_spec(archive, name=str(path))
        findings += spec_findings(spec, model, archive.files)
        check_integrity(data, archive, spec)
    except EdgeclfError as error:
        findings.append(Finding("spec", None, str(error).removeprefix(f"{path}: ")))
    except FlatbufferError as error:
        findings.append(Finding("damage", None, str(error)))
    if model.graphs > 1:
        findings.append(Finding("graphs", None, f"only the first of {model.graphs} was looked at"))
    return Inspection(
        path=path,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        model=model,
        spec=spec,
        metadata=metadata,
        runtime=runtime,
        operators=count_operators(model),
        sizes=_sizes(data, model),
        files={name: len(content) for name, content in archive.files.items()},
        findings=tuple(findings),
    )


def count_operators(model: TFLiteFile) -> tuple[OperatorCount, ...]:
    """Count the operators by name and types, the most frequent first."""
    sources = {place: op for op in model.operators for place in op.outputs}
    counts = Counter(
        (
            operator.name,
            model.tensors[operator.outputs[0]].dtype if operator.outputs else "none",
            _weights_type(operator, model, sources),
        )
        for operator in model.operators
    )
    return tuple(OperatorCount(*kind, count) for kind, count in counts.most_common())


def _sizes(data: bytes, model: TFLiteFile) -> dict[str, int]:
    whole = flatbuffer_size(data)
    buffers = (tensor.constant for tensor in model.tensors if tensor.constant is not None)
    weights = sum({id(buffer): buffer.size for buffer in buffers}.values())  # some are shared
    metadata = sum(map(len, model.metadata.values()))
    return {
        "weights": weights,
        "graph": whole - weights - metadata,
        "metadata": metadata,
        "archive": len(data) - whole,
    }


def _weights_type(
    operator: Operator, model: TFLiteFile, sources: dict[int, Operator]
) -> str | None:
    if operator.name not in WEIGHTED or len(operator.inputs) < 2:
        return None
    place = operator.inputs[1]
    source = sources.get(place)
    if source is not None and source.name == "DEQUANTIZE" and source.inputs:
        place = source.inputs[0]
    return model.tensors[place].dtype if place >= 0 else None


def _tensor_json(tensor: Tensor) -> dict[str, Any]:
    scale = float(tensor.scales[0]) if tensor.scales.size else None
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": scale if scale is not None and math.isfinite(scale) else None,
        "zero_point": int(tensor.zero_points[0]) if tensor.zero_points.size else None,
    }
