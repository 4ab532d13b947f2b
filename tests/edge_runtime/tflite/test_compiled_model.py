"""LiteRT's `CompiledModel` computes what its interpreter computes, bit for bit."""

import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import skips
from click.testing import Result
from schemas import valid, valid_file

from edgeclf.benchmarks.results.schema import Benchmark
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.model_file.self_test import synthetic_input
from edgeclf.edge_runtime.tflite.compiled_model import compiled_model_classes
from edgeclf.edge_runtime.tflite.interpreter import delegated_parts, float_operators

RECIPES = ("float32", "float16", "dynamic", "int8")
Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def _compiled_model() -> None:
    """Skip the test where the runtime is too old."""
    try:
        compiled_model_classes()
    except EdgeclfError as error:
        skips.skip_without("CompiledModel", str(error))


@pytest.mark.usefixtures("_compiled_model")
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_outputs_are_bit_equal(tiny_models: Path, recipe: str, threads: int) -> None:
    path = tiny_models / f"{recipe}.tflite"
    one = Classifier(path, threads=threads)
    other = Classifier(path, threads=threads, runtime="compiled")
    for seed in range(8):
        pixels = synthetic_input(seed, grid=16, size_hw=one.spec.input_hw)
        expected, computed = one.infer(pixels), other.infer(pixels)
        assert computed.dtype == expected.dtype
        assert computed.tobytes() == expected.tobytes()
        assert other.dequantize(computed).tobytes() == one.dequantize(expected).tobytes()
    assert len({one.infer(synthetic_input(s, grid=4, size_hw=one.spec.input_hw)).tobytes()
                for s in range(8)}) > 1  # fmt: skip


@pytest.mark.usefixtures("_compiled_model")
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_self_test_passes(tiny_models: Path, recipe: str) -> None:
    classifier = Classifier(tiny_models / f"{recipe}.tflite", runtime="compiled")
    result = classifier.self_test()
    assert result.passed
    assert result.different == 0


@pytest.mark.usefixtures("_compiled_model")
def test_what_the_file_tells_is_told(tiny_models: Path) -> None:
    for recipe in RECIPES:
        path = tiny_models / f"{recipe}.tflite"
        one, other = Classifier(path), Classifier(path, runtime="compiled")
        assert float_operators(other.interpreter) == float_operators(one.interpreter)
        assert delegated_parts(other.interpreter) is None
        for ends in ("get_input_details", "get_output_details"):
            pairs = zip(*(getattr(each.interpreter, ends)() for each in (one, other)), strict=True)
            for expected, told in pairs:
                assert told["quantization"] == expected["quantization"]
                assert tuple(told["shape"]) == tuple(expected["shape"])
                assert told["index"] == expected["index"]


@pytest.mark.usefixtures("_compiled_model")
def test_a_tensor_of_another_shape_is_refused(tiny_models: Path) -> None:
    interpreter = Classifier(tiny_models / "int8.tflite", runtime="compiled").interpreter
    index = interpreter.get_input_details()[0]["index"]
    with pytest.raises(ValueError, match=r"expected uint8 \(1, .* got uint8 \(1, 2, 2, 3\)"):
        interpreter.set_tensor(index, np.zeros((1, 2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="none of"):
        interpreter.get_tensor(index)


@pytest.mark.usefixtures("_compiled_model")
def test_run_and_inspect_take_it(cli: Cli, tiny_models: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    drawn = synthetic_input(1, grid=16, size_hw=(60, 80))
    assert cv2.imwrite(str(photo), drawn)
    model = tiny_models / "int8.tflite"
    answers = [
        valid(
            "device/run",
            json.loads(cli("run", model, photo, "--json", "--runtime", runtime).stdout),
        )
        for runtime in ("interpreter", "compiled")
    ]
    for answer in answers:
        del answer["ms"], answer["time"]
    assert answers[0] == answers[1]
    tested = cli("inspect", model, "--self-test", "--runtime", "compiled", "--json")
    report = valid("models/inspect", json.loads(tested.stdout))["self_test"]
    assert report["passed"]
    assert report["delegated_parts"] is None
    assert report["runtime"].endswith(" CompiledModel")


@pytest.mark.usefixtures("_compiled_model")
def test_the_runtime_is_silent(tiny_models: Path, fresh_python: Callable[..., object]) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from edgeclf.edge_runtime.classifier import Classifier\n"
        "c = Classifier(Path(sys.argv[1]), runtime='compiled')\n"
        "print(c.infer(np.zeros((*c.spec.input_hw, 3), np.uint8)).sum()); del c\n"
    )
    done = fresh_python(code, tiny_models / "int8.tflite")
    assert done.returncode == 0
    assert done.stdout.strip().isdecimal()
    assert done.stderr == ""


@pytest.mark.usefixtures("_compiled_model")
def test_benchmark_measures_both(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    file = tmp_path / "both.json"
    options = ["--data", surfaces, "--queries", 10, "--rounds", 2, "--threads", 1, "--json", file]
    cli("benchmark", tiny_models / "int8.tflite", "--runtime", "both", *options)
    one, other = valid_file("models/benchmark", file)["models"]
    assert (one["name"], other["name"]) == ("int8 (interpreter)", "int8 (compiled)")
    assert (one["runtime"], other["runtime"]) == ("interpreter", "compiled")
    assert one["sha256"] == other["sha256"]
    assert (one["reference"], other["reference"]) == (True, False)
    assert other["metrics"]["guesses"] == one["metrics"]["guesses"]
    assert other["against"]["agreement"]["value"] == 1
    assert other["timings"][0]["ratio"]["value"] > 0
    older = json.loads(file.read_text())
    for model in older["models"]:
        del model["runtime"]
    assert [model.runtime for model in Benchmark.from_json(older, name="older").models] == [
        None
    ] * 2
    cli("benchmark", "report", file, "--report", tmp_path / "report.html")
    assert "CompiledModel" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("version", ["1.4.0", None])
def test_a_runtime_that_is_too_old_is_named(
    monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    package = ModuleType("ai_edge_litert")
    if version:
        package.compiled_model = ModuleType("ai_edge_litert.compiled_model")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.compiled_model", None)

    def installed(_name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(metadata, "version", installed)
    with pytest.raises(EdgeclfError) as caught:
        compiled_model_classes()
    present = f"this is {version}" if version else "it is not installed"
    assert str(caught.value) == (
        f"--runtime compiled needs ai-edge-litert 2.1.6 or newer, and ml-dtypes, but {present}; "
        "pip install 'ai-edge-litert>=2.1.6' ml-dtypes"
    )


@pytest.mark.usefixtures("_compiled_model")
def test_a_package_that_the_runtime_forgets_to_ask_for_is_named(
    tiny_models: Path, fresh_python: Callable[..., object]
) -> None:
    code = (
        "import sys; sys.modules['ml_dtypes'] = None\n"
        "from edgeclf.cli import main\n"
        "sys.argv = ['edgeclf', 'run', sys.argv[1], 'x.png', '--runtime', 'compiled']; main()"
    )
    done = fresh_python(code, tiny_models / "int8.tflite")
    assert done.returncode == 1
    assert "ml_dtypes is not installed; pip install 'ai-edge-litert>=2.1.6'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
