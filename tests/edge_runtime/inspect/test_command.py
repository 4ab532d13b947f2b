"""`edgeclf inspect` as a user meets it: our files, others', and broken ones."""

import hashlib
import json
import random
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import ModelT, TensorT, TensorType
from schemas import valid

from edgeclf.edge_runtime import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.inspect.command import format_inspection
from edgeclf.edge_runtime.inspect.inspection import inspect_file
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.edge_runtime.tflite.interpreter import float_operators

RECIPES = ("float32", "float16", "dynamic", "int8")
FreshPython = Callable[..., subprocess.CompletedProcess[str]]
Change = Callable[[ModelT], None]

RUN = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
del sys.argv[1]
from edgeclf.cli import main
main()
"""


def report(cli, model: Path, *options: str) -> dict:
    return valid("models/inspect", json.loads(cli("inspect", model, "--json", *options).stdout))


def changed(model: Path, path: Path, change: Change) -> Path:
    """Write `model` to `path`, its graph changed by way of the schema's own classes."""
    data, spec = read_model(model)
    graph = ModelT.InitFromPackedBuf(data)
    change(graph)
    builder = flatbuffers.Builder()
    builder.Finish(graph.Pack(builder), b"TFL3")
    write_model(path, bytes(builder.Output()), spec)
    return path


def a_kernel(model: ModelT) -> TensorT:
    """The weights of the first convolution, int8 with a scale for each channel."""
    graph = model.subgraphs[0]
    kernels = (graph.tensors[o.inputs[1]] for o in graph.operators if len(o.inputs) == 3)
    return next(t for t in kernels if t.type == TensorType.INT8 and len(t.quantization.scale) > 4)


def an_activation(model: ModelT) -> TensorT:
    graph = model.subgraphs[0]
    return next(graph.tensors[o.outputs[0]] for o in graph.operators if len(o.inputs) == 3)


def set_scale(find: Callable[[ModelT], TensorT], scale: float, *, every: bool) -> Change:
    def change(model: ModelT) -> None:
        scales = np.array(find(model).quantization.scale, np.float32)
        scales[slice(None) if every else slice(1)] = scale
        find(model).quantization.scale = scales

    return change


def set_zero_point(model: ModelT) -> None:
    an_activation(model).quantization.zeroPoint = np.array([128])


def set_weights(value: float, dtype: str) -> Change:
    def change(model: ModelT) -> None:
        buffer = model.buffers[a_kernel(model).buffer]
        buffer.data = np.full(len(buffer.data), value, dtype).view(np.uint8)

    return change


def saturate_bias(model: ModelT) -> None:
    graph = model.subgraphs[0]
    operator = next(o for o in graph.operators if len(o.inputs) == 3)
    buffer = model.buffers[graph.tensors[operator.inputs[2]].buffer]
    values = np.array(buffer.data, np.uint8).view(np.int32)
    values[:2] = np.iinfo(np.int32).max, np.iinfo(np.int32).min
    buffer.data = values.view(np.uint8)


def test_people_read_sections(cli, tiny_models: Path) -> None:
    path = tiny_models / "int8.tflite"
    shown = cli("inspect", path).output
    for line in (
        f"file {path}",
        "model densenet-tiny, int8, by edgeclf ",
        f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}",
        "input uint8 1×32×32×3, scale 1, zero point 0; images: stretch",
        "output uint8 1×4, scale 0.00390625, zero point 0",
        "labels 4: good, oil, scratch, stain",
        "thresholds none: a label is the best class, however low its score",
        "metadata densenet-tiny int8; parser 1.0.0; files: edgeclf.json, labels.txt",
        "no operator reads or writes floating point",
        "nothing looks wrong",
    ):
        assert f"\n{line}" in re.sub(" +", " ", f"\n{shown}")
    assert "self-test: passed" not in shown  # it was not asked for
    assert max(map(len, shown.splitlines())) < 120


@pytest.mark.parametrize("recipe", RECIPES)
def test_programs_read_an_object(cli, tiny_models: Path, recipe: str) -> None:
    path = tiny_models / f"{recipe}.tflite"
    answer = report(cli, path)
    assert list(answer) == [
        "schema", "file", "bytes", "sha256", "recipe", "architecture", "edgeclf_version",
        "inputs", "outputs", "resize", "labels", "thresholds", "novelty", "taught", "provenance",
        "carries_self_test", "carries_digest", "oldest_runtime", "operators",
        "float_operators", "sizes", "files", "metadata", "findings",
    ]  # fmt: skip
    assert answer["schema"] == 1
    assert answer["recipe"] == recipe
    assert answer["bytes"] == path.stat().st_size == sum(answer["sizes"].values())
    assert set(answer["sizes"]) == {"weights", "graph", "metadata", "archive"}
    assert list(answer["files"]) == ["labels.txt", "edgeclf.json"]
    assert sum(answer["files"].values()) < answer["sizes"]["archive"]
    assert answer["labels"] == ["good", "oil", "scratch", "stain"]
    assert answer["carries_self_test"]
    assert answer["carries_digest"] is True
    assert answer["findings"] == []
    [image] = answer["inputs"]
    assert image["shape"] == [1, 32, 32, 3]
    assert image["dtype"] == "uint8"
    [image] = answer["metadata"]["inputs"]
    assert image["normalization"] == {"mean": [0.0], "std": [1.0]}
    assert image["colour_space"] == "RGB"
    scores, features = answer["metadata"]["outputs"]
    assert features["name"] == "features"
    assert scores["files"] == [{"name": "labels.txt", "type": "TENSOR_AXIS_LABELS"}]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_runtime_counts_the_same_operators(cli, tiny_models: Path, recipe: str) -> None:
    path = tiny_models / f"{recipe}.tflite"
    answer = report(cli, path)
    interpreter = Classifier(path).interpreter
    assert answer["float_operators"] == float_operators(interpreter)
    names = [op["op_name"] for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]
    counts: dict[str, int] = {}
    for kind in answer["operators"]:
        counts[kind["name"]] = counts.get(kind["name"], 0) + kind["count"]
    assert counts == {name: names.count(name) for name in names}
    tensors = [*answer["inputs"], *answer["outputs"]]
    described = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert len(tensors) == len(described) == 3
    for tensor, details in zip(tensors, described, strict=True):
        assert tensor["name"] == details["name"]
        assert tensor["shape"] == details["shape"].tolist()
        quantization = (tensor["scale"] or 0.0, tensor["zero_point"] or 0)
        assert quantization == details["quantization"]


def test_the_types_tell_how_it_computes(cli, tiny_models: Path) -> None:
    types = {}
    for recipe in RECIPES:
        convolutions = {
            (kind["dtype"], kind["weights"])
            for kind in report(cli, tiny_models / f"{recipe}.tflite")["operators"]
            if kind["name"] == "CONV_2D"
        }
        types[recipe] = convolutions
    assert types["int8"] == {("int8", "int8")}
    assert types["float16"] == {("float32", "float16")}
    assert types["float32"] == {("float32", "float32")}
    assert ("float32", "int8") in types["dynamic"]


def test_the_provenance_is_shown(cli, tiny_models: Path, tmp_path: Path) -> None:
    data, spec = read_model(tiny_models / "int8.tflite")
    provenance = {"data_sha256": "ab" * 32, "seed": 3, "metrics": {"accuracy": 0.5}}
    path = tmp_path / "model.tflite"
    write_model(path, data[: flatbuffer_size(data)], replace(spec, provenance=provenance))
    assert report(cli, path)["provenance"] == provenance
    shown = cli("inspect", path).output
    assert f"data_sha256  {'ab' * 32}\n" in shown
    assert 'metrics      {"accuracy": 0.5}\n' in shown


def test_a_device_inspects(fresh_python: FreshPython, tiny_models: Path) -> None:
    # tflite-runtime, the runtime of 32-bit systems, comes without flatbuffers.
    missing = "tensorflow,keras,tf_keras,h5py,matplotlib,flatbuffers"
    model = tiny_models / "int8.tflite"
    done = fresh_python(RUN, missing, "inspect", model, "--self-test")
    assert done.stderr == ""
    assert "self-test: passed" in done.stdout


@pytest.mark.parametrize(
    ("change", "check", "detail"),
    [
        (set_scale(a_kernel, 0, every=True), "scale", "0 in "),
        (set_scale(a_kernel, np.nan, every=False), "scale", "nan in 1 of "),
        (set_scale(an_activation, np.inf, every=True), "scale", "inf"),
        (set_scale(an_activation, 1e6, every=True), "scale", "1e+06"),
        (set_scale(an_activation, -1, every=True), "scale", "-1"),
        (set_scale(an_activation, 1e-12, every=True), "range", "nothing can pass"),
        (set_scale(a_kernel, 500, every=False), "channel_scales", "up to 500 with a median of "),
        (set_zero_point, "zero_point", "128 is no int8"),
        (set_weights(0, "i1"), "zero_weights", "are 0"),
        (saturate_bias, "saturated_bias", "2 of "),
    ],
)  # fmt: skip
def test_wrong_numbers_are_found(
    cli, tiny_models: Path, tmp_path: Path, change: Change, check: str, detail: str
) -> None:
    path = changed(tiny_models / "int8.tflite", tmp_path / "model.tflite", change)
    [finding] = report(cli, path)["findings"]
    assert finding["check"] == check
    assert detail in finding["detail"]
    assert finding["tensor"]
    shown = cli("inspect", path).output
    assert "looks wrong (1):\n" in shown
    assert f"  {check}: {finding['tensor']}: {finding['detail']}" in shown


def test_nan_in_float_weights_is_found(cli, tiny_models: Path, tmp_path: Path) -> None:
    def spoil(model: ModelT) -> None:
        graph = model.subgraphs[0]
        weights = graph.tensors[next(o for o in graph.operators if len(o.inputs) == 3).inputs[1]]
        buffer = model.buffers[weights.buffer]
        values = np.array(buffer.data, np.uint8).view(np.float32)
        values[0] = np.nan
        buffer.data = values.view(np.uint8)

    path = changed(tiny_models / "float32.tflite", tmp_path / "model.tflite", spoil)
    [finding] = report(cli, path)["findings"]
    assert finding["check"] == "not_finite"


def test_a_rewritten_but_sound_model_has_no_finding(cli, tiny_models, tmp_path: Path) -> None:
    path = changed(tiny_models / "int8.tflite", tmp_path / "model.tflite", lambda _: None)
    assert report(cli, path)["findings"] == []


def test_an_output_that_never_changes_is_found(cli, tiny_models: Path, tmp_path: Path) -> None:
    data, spec = read_model(tiny_models / "int8.tflite")
    test = replace(spec.self_test, outputs="AQIDBAECAwQBAgME")  # 1 2 3 4, three times
    path = tmp_path / "model.tflite"
    write_model(path, data[: flatbuffer_size(data)], replace(spec, self_test=test))
    [finding] = report(cli, path)["findings"]
    assert finding["check"] == "constant_output"


def test_thresholds_are_shown(cli, tiny_models: Path, tmp_path: Path) -> None:
    data, spec = read_model(tiny_models / "int8.tflite")
    path = tmp_path / "model.tflite"
    thresholds = {"good": 0.25, "stain": 0.5}
    write_model(path, data[: flatbuffer_size(data)], replace(spec, thresholds=thresholds))
    assert re.search(r"^thresholds +good 0.25, stain 0.5$", cli("inspect", path).stdout, re.M)
    assert json.loads(cli("inspect", path, "--json").stdout)["thresholds"] == thresholds


def test_labels_that_do_not_fit_are_found(cli, tiny_models: Path, tmp_path: Path) -> None:
    data, spec = read_model(tiny_models / "int8.tflite")
    path = tmp_path / "model.tflite"
    write_model(
        path, data[: flatbuffer_size(data)], replace(spec, labels=("a", "b", "c"), novelty=None)
    )
    [finding] = report(cli, path)["findings"]
    assert finding["check"] == "labels"
    assert finding["detail"].startswith("3 labels for an output of ")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"a\nb\nc\n", b"a\nb\nd\n", 1))
    checks = [finding["check"] for finding in report(cli, path)["findings"]]
    assert checks == ["labels", "labels", "damage"]


def test_a_model_of_another_maker(cli, tiny_models: Path, tmp_path: Path) -> None:
    data = read_model(tiny_models / "float32.tflite")[0][
        : flatbuffer_size(read_model(tiny_models / "float32.tflite")[0])
    ]
    path = tmp_path / "foreign.tflite"
    path.write_bytes(data[data.index(b"TFL3", 8) - 4 :])  # as the converter made it
    answer = report(cli, path)
    assert (
        answer["recipe"] is answer["labels"] is answer["metadata"] is answer["provenance"] is None
    )
    assert {finding["check"] for finding in answer["findings"]} == {"spec", "metadata"}
    assert answer["outputs"][0]["shape"] == [1, 4]
    assert answer["sizes"]["archive"] == 0
    assert sum(answer["sizes"].values()) == answer["bytes"] == path.stat().st_size
    shown = cli("inspect", path).output
    assert "metadata  none\n" in shown
    assert "not written by edgeclf" in shown
    refused = cli("inspect", path, "--self-test", code=1)
    assert "CONV_2D" in refused.stdout
    assert "not written by edgeclf" in refused.stderr


def test_what_the_runtime_refuses_is_shown_too(cli, tiny_models: Path, tmp_path: Path) -> None:
    def invent(model: ModelT) -> None:
        softmax = model.operatorCodes[model.subgraphs[0].operators[-1].opcodeIndex]
        softmax.deprecatedBuiltinCode = softmax.builtinCode = 32  # CUSTOM
        softmax.customCode = "Frobnicate"

    path = changed(tiny_models / "float32.tflite", tmp_path / "model.tflite", invent)
    names = [kind["name"] for kind in report(cli, path)["operators"]]
    assert "Frobnicate" in names
    result = cli("inspect", path, "--self-test", code=1)
    assert "Frobnicate" in result.stdout
    [line] = result.stderr.splitlines()
    assert "the runtime refuses the model" in line


def test_what_is_no_model_is_one_line(cli, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    for content, message in (
        (None, "cannot be read (No such file or directory)"),
        (b"", "not a TFLite model"),
        (b"\x89PNG\r\n\x1a\n", "not a TFLite model"),
        (b"\x1c\0\0\0TFL3", "damaged or cut short"),
        (b"\x1c\0\0\0TFL3" + bytes(range(256)), "damaged or cut short"),
    ):
        if content is not None:
            path.write_bytes(content)
        for options in ((), ("--json",), ("--self-test",)):
            result = cli("inspect", path, *options, code=1)
            [line] = result.stderr.splitlines()
            assert line.startswith(f"Error: {path}: ")
            assert message in line
            assert result.stdout == ""
    assert "Is a directory" in cli("inspect", tmp_path, code=1).stderr


def test_a_file_cut_short(cli, tiny_models: Path, tmp_path: Path) -> None:
    whole = (tiny_models / "int8.tflite").read_bytes()
    path = tmp_path / "model.tflite"
    model = flatbuffer_size(whole)
    for length in (5000, model // 2, model - 100):
        path.write_bytes(whole[:length])
        [line] = cli("inspect", path, code=1).stderr.splitlines()
        assert "damaged or cut short" in line
    for length in (model, model + 200, len(whole) - 1):
        path.write_bytes(whole[:length])
        answer = report(cli, path)
        [finding] = answer["findings"]
        assert finding["check"] == "spec"
        assert "cut short" in finding["detail"]
        assert answer["operators"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_damaged_byte_never_ends_in_a_traceback(
    tiny_models: Path, tmp_path: Path, recipe: str
) -> None:
    whole = bytearray((tiny_models / f"{recipe}.tflite").read_bytes())
    path = tmp_path / "model.tflite"
    draw = random.Random(recipe)
    refused: list[str] = []
    for _ in range(150):
        # Half of them where the graph begins, which is small beside the weights.
        at = draw.randrange(len(whole) if draw.random() < 0.5 else 6000)
        original, whole[at] = whole[at], draw.randrange(256)
        path.write_bytes(whole)
        whole[at] = original
        try:
            inspection = inspect_file(path)
            json.dumps(inspection.to_json(), allow_nan=False)
            assert format_inspection(inspection)
        except EdgeclfError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert not any("\n" in line for line in refused)
