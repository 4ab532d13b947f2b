"""`edgeclf inspect`: what a .tflite file is, and whether this machine computes what it should."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..classifier import Classifier
from ..command_line.table import format_table
from ..errors import EdgeclfError
from ..model_file.spec import ModelSpec
from ..text import printable_lines
from ..tflite.interpreter import RUNTIMES, Runtime, delegated_parts, runtime_name
from ..tflite.runtime_versions import NEWEST_TRIED, RuntimeRequirement
from ..tflite.tflite_file import Tensor
from .inspection import Inspection, inspect_file

_NO_DIGEST = "none: damaged weights would not be noticed; convert the model again"


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.option(
    "--self-test", is_flag=True, help="Compute the outputs stored in MODEL again and compare."
)
@click.option(
    "--runtime",
    default="interpreter",
    show_default=True,
    type=click.Choice(RUNTIMES),
    help="Runtime of the self-test: LiteRT's interpreter or LiteRT's CompiledModel.",
)
def inspect(model: Path, as_json: bool, self_test: bool, runtime: Runtime) -> None:
    """Show what stands in the .tflite file MODEL, and what looks wrong in it.

    Files of other makers are shown as far as they go. With --self-test the runtime of this machine
    computes the outputs again that the conversion left in the file; the exit code is 1 if they are
    not the same.

    \b
    edgeclf inspect int8.tflite
    edgeclf inspect int8.tflite --self-test --json
    """
    inspection = inspect_file(model)
    outcome: dict[str, Any] | None = None
    failure: EdgeclfError | None = None
    if self_test:
        try:
            outcome = _self_test(model, runtime)
        except EdgeclfError as error:  # what was found is shown first
            failure = error
    if as_json:
        report = inspection.to_json() | ({"self_test": outcome} if self_test else {})
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        click.echo(printable_lines(format_inspection(inspection)))
        if outcome is not None:
            click.echo(f"\nself-test: {'passed' if outcome['passed'] else 'FAILED'}")
            click.echo(f"  {_outcome_line(outcome)}")
    if failure is not None:
        raise failure
    if outcome is not None and not outcome["passed"]:
        raise EdgeclfError(
            f"{model}: self-test failed: {outcome['runtime']} on this machine does not compute "
            "what was converted; copy the file again, or use another runtime"
        )


def format_inspection(inspection: Inspection) -> str:
    """Return the inspection as sections of aligned text for the terminal."""
    sections = [
        _aligned(_facts(inspection)),
        format_table(
            ["operator", "computes in", "weights", "count"],
            [
                [kind.name, kind.dtype, kind.weights or "", str(kind.count)]
                for kind in inspection.operators
            ],
        ),
        _float_line(inspection),
        format_table(
            ["part", "bytes", "share"],
            [
                [part, str(size), f"{size / inspection.bytes:.1%}"]
                for part, size in (
                    *inspection.sizes.items(),
                    *((f"  {name}", size) for name, size in inspection.files.items()),
                )
            ],
        ),
        "\n".join(_finding_lines(inspection)),
    ]
    return "\n\n".join(sections)


def _facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    spec = inspection.spec
    yield "file", str(inspection.path)
    if spec is not None:
        yield "model", f"{spec.architecture}, {spec.recipe}, by edgeclf {spec.edgeclf_version}"
    yield "size", f"{inspection.bytes / 1e6:.2f} MB"
    yield "sha256", inspection.sha256
    for tensor in inspection.inputs:
        fitted = f"; images: {spec.resize}" if spec is not None else ""
        yield "input", _tensor_text(tensor) + fitted
    for place, tensor in enumerate(inspection.outputs):
        yield "output", _tensor_text(tensor) + (_use(spec) if place == 1 else "")
    if spec is not None:
        first = ", ".join(spec.labels[:5])
        yield "labels", f"{len(spec.labels)}: {first}" + (", …" if len(spec.labels) > 5 else "")
        yield "thresholds", _thresholds_text(spec.thresholds)
        yield "novelty", str(spec.novelty or "not judged: all that it sees is one of the classes")
        if spec.taught is not None:
            yield "taught", str(spec.taught)
    yield "metadata", _metadata_text(inspection.metadata)
    yield "runtime", _runtime_text(inspection.runtime)
    yield "runs on", _distributions_text(inspection.runtime)
    if spec is not None:
        self_test = spec.self_test
        yield "digest", "of the model, in the spec" if spec.flatbuffer_sha256 else _NO_DIGEST
        inputs = f"{len(self_test.inputs)} inputs (--self-test)" if self_test else "none"
        yield "self-test", inputs
        for name, value in (spec.provenance or {}).items():
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _use(spec: ModelSpec | None) -> str:
    """Return what a model's second output is for."""
    if spec is not None and spec.heatmap is not None:
        return "; feature map, for heatmaps"
    return "; features, for novelty" if spec is not None and spec.novelty is not None else ""


def _thresholds_text(thresholds: dict[str, float] | None) -> str:
    if not thresholds:
        return "none: a label is the best class, however low its score"
    return ", ".join(f"{label} {value:g}" for label, value in thresholds.items())


def _aligned(facts: Iterable[tuple[str, str]]) -> str:
    lines = list(facts)
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines)


def _tensor_text(tensor: Tensor) -> str:
    text = f"{tensor.dtype} {'×'.join(map(str, tensor.shape))}"
    if tensor.scales.size and tensor.zero_points.size:
        text += f", scale {tensor.scales[0]:.6g}, zero point {tensor.zero_points[0]}"
    return text


def _metadata_text(metadata: dict[str, Any] | None) -> str:
    if metadata is None:
        return "none"
    files = [
        file["name"] or "?"
        for part in (metadata, *metadata["inputs"], *metadata["outputs"])
        for file in part["files"]
    ]
    name, version = metadata["name"] or "no name", metadata["min_parser_version"] or "?"
    return f"{name}; parser {version}; files: {', '.join(files) or 'none'}"


def _runtime_text(needed: RuntimeRequirement) -> str:
    if needed.tensorflow is None:
        return f"not known: no table has {', '.join(needed.unknown)}"
    reason = f", for {needed.reason}" if needed.reason else ""
    return f"TensorFlow Lite {needed.tensorflow} or newer{reason}"


def _distributions_text(needed: RuntimeRequirement) -> str:
    if needed.tensorflow is None:
        return "not known"
    return ", ".join(
        f"no {name} up to {NEWEST_TRIED[name]}" if oldest is None else f"{name}>={oldest}"
        for name, oldest in needed.distributions.items()
    )


def _float_line(inspection: Inspection) -> str:
    kinds = inspection.model.float_operators
    if not kinds:
        return "no operator reads or writes floating point"
    if sum(kinds.values()) == len(inspection.model.operators):
        return "every operator reads or writes floating point"
    named = ", ".join(f"{count} {name}" for name, count in kinds.items())
    return f"{sum(kinds.values())} operators read or write floating point: {named}"


def _finding_lines(inspection: Inspection) -> Iterator[str]:
    if not inspection.findings:
        yield "nothing looks wrong"
        return
    yield f"looks wrong ({len(inspection.findings)}):"
    for finding in inspection.findings:
        where = f"{finding.tensor}: " if finding.tensor is not None else ""
        yield f"  {finding.check}: {where}{finding.detail}"


def _self_test(model: Path, runtime: Runtime) -> dict[str, Any]:
    classifier = Classifier(model, runtime=runtime)
    return asdict(classifier.self_test()) | {
        "runtime": runtime_name() + (" CompiledModel" if runtime == "compiled" else ""),
        "delegated_parts": delegated_parts(classifier.interpreter),
    }


def _outcome_line(outcome: dict[str, Any]) -> str:
    count = f"{outcome['values']} values of {outcome['inputs']} inputs on {outcome['runtime']}"
    if outcome["delegated_parts"] == 0:
        count += " without XNNPACK"
    if not outcome["different"]:
        return f"{count}: the same bit for bit"
    allowed = f"{outcome['tolerance']:g} allowed" if outcome["tolerance"] else "none allowed"
    return (
        f"{count}: {outcome['different']} differ, by {outcome['largest_difference']:.3g} at most "
        f"({allowed}); top-1 the same for {outcome['same_top']}"
    )
