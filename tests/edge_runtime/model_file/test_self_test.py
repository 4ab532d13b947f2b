"""A device proves that its runtime computes what was converted."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from schemas import valid

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.edge_runtime.model_file.self_test import (
    FLOAT_TOLERANCE,
    GRIDS,
    HYBRID_TOLERANCE,
    PLAIN_STEPS,
    SelfTest,
    make_self_test,
    run_self_test,
    synthetic_input,
)
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

RECIPES = ("float32", "float16", "dynamic", "int8")
Change = Callable[[np.ndarray], np.ndarray]


def flatbuffer(model: Path) -> bytes:
    data = read_model(model)[0]
    return data[: flatbuffer_size(data)]


def with_test(model: Path, path: Path, test: SelfTest | None) -> Path:
    """Write to `path` the model with another self-test."""
    write_model(path, flatbuffer(model), replace(read_model(model)[1], self_test=test))
    return path


def with_outputs(model: Path, path: Path, change: Change) -> Path:
    """Write to `path` the model with other stored outputs."""
    test = read_model(model)[1].self_test
    outputs = change(test.expected().copy())
    stored = base64.b64encode(outputs.tobytes()).decode()
    return with_test(model, path, replace(test, outputs=stored))


def test_the_inputs_are_the_same_on_every_machine() -> None:
    # Computed on x86-64, Cortex-A72 and Cortex-A76.
    digest = hashlib.sha256()
    for size in ((224, 224), (48, 48), (37, 61), (300, 300)):
        for grid in GRIDS:
            digest.update(synthetic_input(3, grid=grid, size_hw=size).tobytes())
    assert digest.hexdigest().startswith("d977111de0d4fa4b")


def test_the_inputs_fit_and_differ() -> None:
    images = [
        synthetic_input(seed, grid=grid, size_hw=(40, 60)) for seed in (0, 1) for grid in GRIDS
    ]
    for place, image in enumerate(images):
        assert image.shape == (40, 60, 3)
        assert image.dtype == np.uint8
        assert np.ptp(image) > 150
        assert all((image != other).any() for other in images[:place])


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_converted_file_passes(cli, tiny_models: Path, recipe: str) -> None:
    result = cli("inspect", tiny_models / f"{recipe}.tflite", "--self-test")
    assert "self-test: passed" in result.output
    # Four classes and sixteen features.
    assert "60 values of 3 inputs on " in result.output
    assert "the same bit for bit" in result.output


def test_integer_models_allow_no_difference(tiny_models: Path) -> None:
    allowed = {
        recipe: read_model(tiny_models / f"{recipe}.tflite")[1].self_test.tolerance
        for recipe in RECIPES
    }
    assert allowed == {
        "float32": FLOAT_TOLERANCE,
        "float16": FLOAT_TOLERANCE,
        "dynamic": HYBRID_TOLERANCE,
        "int8": 0,
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_stored_outputs_tell_something(tiny_models: Path, recipe: str) -> None:
    expected = read_model(tiny_models / f"{recipe}.tflite")[1].self_test.expected()
    assert len(np.unique(expected, axis=0)) == len(expected) == 3
    unsure = expected.max(1) / expected.sum(1)
    assert (unsure < 0.99).all()  # a model that is sure would hide small faults


def test_it_is_made_the_same_each_time(tiny_models: Path) -> None:
    model = flatbuffer(tiny_models / "int8.tflite")
    assert make_self_test(model) == make_self_test(model)
    assert make_self_test(model) == read_model(tiny_models / "int8.tflite")[1].self_test


def test_one_step_is_too_much_for_an_integer_model(cli, tiny_models: Path, tmp_path: Path) -> None:
    def one_off(outputs: np.ndarray) -> np.ndarray:
        outputs[1, outputs[1].argmin()] ^= 1
        return outputs

    path = with_outputs(tiny_models / "int8.tflite", tmp_path / "model.tflite", one_off)
    result = cli("inspect", path, "--self-test", code=1)
    assert "self-test: FAILED" in result.output
    assert "1 differ, by 1 at most (none allowed); top-1 the same for 3" in result.output
    last = result.output.strip().splitlines()[-1]
    assert last.startswith(f"Error: {path}: self-test failed: ")
    assert "sha256" in result.output  # what the file is, is shown all the same


@pytest.mark.parametrize(("offset", "code"), [(0.5, 0), (1.5, 1), (np.nan, 1)])
def test_a_float_model_has_a_tolerance(
    cli, tiny_models: Path, tmp_path: Path, offset: float, code: int
) -> None:
    def moved(outputs: np.ndarray) -> np.ndarray:
        outputs[0, 0] += np.float32(offset * FLOAT_TOLERANCE)
        return outputs

    path = with_outputs(tiny_models / "float32.tflite", tmp_path / "model.tflite", moved)
    shown = cli("inspect", path, "--self-test", "--json", code=code)
    outcome = valid("models/inspect", json.loads(shown.stdout))["self_test"]
    assert outcome["passed"] == (code == 0)
    assert outcome["different"] == 1
    assert outcome["tolerance"] == FLOAT_TOLERANCE


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_damaged_weight_is_found(cli, tiny_models: Path, tmp_path: Path, recipe: str) -> None:
    model = tiny_models / f"{recipe}.tflite"
    data = flatbuffer(model)
    # The classes' weights with their signs turned: what a wrong kernel might do.
    tensors = parse_tflite(data).tensors
    largest = max((t.constant for t in tensors if t.constant is not None), key=lambda c: c.size)
    at = data.index(largest.tobytes())
    wrong = data[:at] + bytes(255 - byte for byte in largest.tobytes()) + data[at + largest.size :]
    path = tmp_path / "model.tflite"
    write_model(path, wrong, read_model(model)[1])
    assert "FAILED" in cli("inspect", path, "--self-test", code=1).output


def test_other_kernels_of_the_same_machine(tiny_models: Path) -> None:
    """Without XNNPACK every model passes, int8 within a few steps: it rounds otherwise there."""
    for recipe in RECIPES:
        data, spec = read_model(tiny_models / f"{recipe}.tflite")
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=data, experimental_op_resolver_type=plain)
        interpreter.allocate_tensors()
        result = run_self_test(interpreter, spec.self_test)
        assert result.passed
        assert result.tolerance == (PLAIN_STEPS if recipe == "int8" else spec.self_test.tolerance)
        if recipe != "int8":
            assert result.different > 0
            continue
        # Whether a last bit differs is chance with so few values: so each is moved by a step.
        moved = base64.b64encode((spec.self_test.expected() ^ 1).tobytes()).decode()
        test = replace(spec.self_test, outputs=moved)
        result = run_self_test(interpreter, test)
        assert result.passed
        assert result.largest_difference >= 1
        delegated = open_interpreter(data, name=recipe, threads=1)
        assert not run_self_test(delegated, test).passed


def test_threads_make_no_difference(tiny_models: Path) -> None:
    for recipe in RECIPES:
        result = Classifier(tiny_models / f"{recipe}.tflite", threads=4).self_test()
        assert result.passed
        assert result.largest_difference == 0


def test_a_file_without_a_self_test(cli, tiny_models: Path, tmp_path: Path) -> None:
    path = with_test(tiny_models / "int8.tflite", tmp_path / "model.tflite", None)
    assert re.search("^self-test +none$", cli("inspect", path).output, re.MULTILINE)
    result = cli("inspect", path, "--self-test", "--json", code=1)
    assert valid("models/inspect", json.loads(result.stdout))["self_test"] is None
    assert result.stderr == (f"Error: {path}: it carries no self-test; convert the model again\n")


def test_a_self_test_of_another_model(tiny_models: Path) -> None:
    test = read_model(tiny_models / "float32.tflite")[1].self_test
    classifier = Classifier(tiny_models / "int8.tflite")
    with pytest.raises(EdgeclfError, match="holds 4 values of float32, the model gives 4 of uint8"):
        run_self_test(classifier.interpreter, test)
