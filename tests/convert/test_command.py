"""`edgeclf convert` as a user meets it."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from schemas import valid_file

from edgeclf.convert.techniques.registry import TECHNIQUES
from edgeclf.edge_runtime import Classifier, read_image
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model
from edgeclf.edge_runtime.tflite.interpreter import delegated_parts, float_operators
from edgeclf.models.float_model import FloatModel
from edgeclf.models.networks.architectures import ARCHITECTURES
from edgeclf.models.photographs import Photographs, load_photographs, run_photographs
from edgeclf.models.run import read_run

RECIPES = ("float32", "float16", "dynamic", "int8")


def report(folder: Path) -> dict:
    return valid_file("models/conversion", folder / "conversion.json")


def test_every_recipe_is_written_and_described(tiny_models: Path, tiny_run: Path) -> None:
    assert {path.name for path in tiny_models.iterdir()} == {
        "conversion.json",
        *(f"{recipe}.tflite" for recipe in RECIPES),
    }
    shown = report(tiny_models)
    assert [model["recipe"] for model in shown["models"]] == list(RECIPES)
    trained = json.loads((tiny_run / "metrics.json").read_text())
    assert shown["reference"]["accuracy"] == trained["test"]["accuracy"]
    assert shown["calibration"] == {
        "images": trained["images"]["train"],
        "seed": 0,
        "techniques": list(TECHNIQUES),
    }
    for model in shown["models"]:
        path = tiny_models / model["file"]
        assert model["bytes"] == path.stat().st_size
        classifier = Classifier(path)
        assert classifier.spec.labels == ("good", "oil", "scratch", "stain")
        assert classifier.spec.recipe == model["recipe"]
        assert delegated_parts(classifier.interpreter) > 0


def test_the_float32_file_computes_what_keras_computes(tiny_models, tiny_run: Path) -> None:
    run = read_run(tiny_run)
    pixels, _ = load_photographs(
        run_photographs(run, "test"), size_hw=run.info.input_hw, rule=run.info.resize
    )
    classifier = Classifier(tiny_models / "float32.tflite")
    ours = np.stack([classifier.scores(image) for image in pixels])
    np.testing.assert_allclose(ours, FloatModel(run.info).scores(pixels), atol=1e-5)
    assert report(tiny_models)["models"][0]["drop_points"] == 0
    assert report(tiny_models)["models"][0]["agreement"] == 1


def test_int8_is_integer_throughout_and_close_to_float(tiny_models: Path) -> None:
    classifier = Classifier(tiny_models / "int8.tflite")
    details = classifier.interpreter.get_input_details()[0]
    assert details["quantization"] == (1.0, 0)  # a pixel is its own quantized value
    assert classifier.interpreter.get_output_details()[0]["dtype"] == np.uint8
    assert float_operators(classifier.interpreter) == {}
    assert float_operators(Classifier(tiny_models / "float32.tflite").interpreter)
    shown = report(tiny_models)["models"][-1]
    assert shown["float_operators"] == {}
    assert shown["largest_difference"] < 0.1
    assert shown["agreement"] > 0.8


def test_the_reported_accuracy_is_that_of_the_file(tiny_models: Path, tiny_run: Path) -> None:
    run = read_run(tiny_run)
    classifier = Classifier(tiny_models / "int8.tflite")
    hits = [
        classifier.classify(read_image(run.data / image.path)).label == image.label
        for image in run.split("test")
    ]
    shown = report(tiny_models)
    assert shown["models"][-1]["scores"]["accuracy"] == np.mean(hits)
    expected = (shown["reference"]["accuracy"] - np.mean(hits)) * 100
    assert shown["models"][-1]["drop_points"] == pytest.approx(expected)


def test_what_passes_the_gate_is_recommended(cli, tiny_run: Path, tmp_path: Path) -> None:
    result = cli("convert", tiny_run, "--out", tmp_path, "--recipes", "float32,float16")
    shown = report(tmp_path)
    assert shown["limits"] == {"max_drop": 1.0, "max_class_drop": 5.0, "max_escape_rise": 1.0}
    assert shown["recommended"]["recipe"] == "float16"
    assert shown["recommended"]["file"] == "float16.tflite"
    assert f"Recommended: float16 ({shown['recommended']['reason']})" in result.output
    images = shown["reference"]["images"]
    assert f"Gate on {images} images of 4 of 4 classes" in result.output
    for model in shown["models"]:
        assert model["gate"]["passed"] is True
        assert model["gate"]["drop"]["points"] == model["drop_points"]
        assert model["gate"]["drop"]["images"] == images
        labels = [drop["label"] for drop in model["gate"]["class_drops"]]
        assert labels == ["good", "oil", "scratch", "stain"]


@pytest.fixture(scope="module")
def float_knows_best(tiny_run: Path, surfaces: Path, tmp_path_factory) -> Path:
    """The surfaces in folders of the classes that the tiny float model sees in them."""
    run = read_run(tiny_run)
    paths = sorted(surfaces.rglob("*.png"))
    pixels, _ = load_photographs(
        Photographs(tuple(paths), ("",) * len(paths)), size_hw=run.info.input_hw, rule="stretch"
    )
    folder = tmp_path_factory.mktemp("seen")
    for path, index in zip(paths, FloatModel(run.info).scores(pixels).argmax(1), strict=True):
        (folder / run.info.labels[index]).mkdir(exist_ok=True)
        (folder / run.info.labels[index] / path.name).symlink_to(path)
    return folder


def test_what_fails_the_gate_is_written_and_marked(
    cli, tiny_run: Path, float_knows_best: Path, tmp_path: Path
) -> None:
    # Who calibrates on a white wall gets ranges in which no photograph fits.
    white = tmp_path / "white"
    white.mkdir()
    cv2.imwrite(str(white / "wall.png"), np.full((48, 48, 3), 255, np.uint8))
    command = (
        *("convert", "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--labels", tiny_run / "labels.txt", "--data", float_knows_best),
        *("--calibration", white, "--recipes", "int8,float16", "--out", tmp_path / "out"),
    )
    result = cli(*command, code=1)
    shown = report(tmp_path / "out")
    int8, float16 = shown["models"]
    assert (tmp_path / "out" / "int8.tflite").stat().st_size == int8["bytes"]
    assert float16["gate"]["passed"] is True
    assert int8["gate"]["passed"] is False
    rules = {failure["rule"] for failure in int8["gate"]["failures"]}
    assert rules >= {"max_drop", "max_class_drop"}
    for failure in int8["gate"]["failures"]:
        assert f"int8 {failure['message']}" in result.output
    assert shown["recommended"]["recipe"] == "float16"
    assert "Recommended: float16" in result.output
    assert result.output.splitlines()[-1].startswith("Error: 1 of 2 models failed the gate: int8;")


def test_a_limit_is_a_share_in_points(cli, tiny_run: Path, tmp_path: Path) -> None:
    for wrong in ("-1", "101", "much"):
        result = cli("convert", tiny_run, "--out", tmp_path, "--max-drop", wrong, code=2)
        assert "--max-drop" in result.output


def test_the_same_run_gives_the_same_bytes(cli, tiny_models, tiny_run, tmp_path: Path) -> None:
    cli("convert", tiny_run, "--out", tmp_path, "--recipes", "int8,float32")
    for name in ("int8.tflite", "float32.tflite"):
        assert (tmp_path / name).read_bytes() == (tiny_models / name).read_bytes()


def test_a_weights_file_without_a_run(cli, tiny_run, surfaces, tmp_path) -> None:
    result = cli(
        *("convert", "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--labels", tiny_run / "labels.txt", "--out", tmp_path, "--recipes", "float32,int8"),
        *("--calibration", surfaces / "oil", "--calibration-images", 10, "--data", surfaces),
        *("--techniques", "none"),
    )
    assert "int8" in result.output
    # A temperature is the run's, not the file's.
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "calibration.json").unlink()
    cli("convert", run, "--out", tmp_path / "ours", "--recipes", "float32")
    (bare, bare_spec), (ours, our_spec) = (
        read_model(folder / "float32.tflite") for folder in (tmp_path, tmp_path / "ours")
    )
    assert bare[: flatbuffer_size(bare)] == ours[: flatbuffer_size(ours)]
    assert bare_spec == replace(our_spec, provenance=bare_spec.provenance, novelty=None)
    assert report(tmp_path)["models"][0]["scores"]["images"] == 96


def test_without_images_the_figures_are_left_open(cli, tiny_run: Path, tmp_path: Path) -> None:
    bare = (
        *("convert", "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--labels", tiny_run / "labels.txt", "--out", tmp_path),
    )
    result = cli(*bare, "--recipes", "float16")
    assert "—" in result.output
    assert "No gate and no recommendation: there are no labelled images" in result.output
    shown = report(tmp_path)
    assert shown["models"][0]["scores"] is shown["models"][0]["gate"] is None
    assert shown["limits"] is shown["recommended"] is None
    result = cli(*bare, "--recipes", "int8", code=1)
    assert "add --calibration FOLDER" in result.output


def test_int8_that_costs_too_much_is_made_only_if_asked_for(
    cli, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "7 of 100" in (ARCHITECTURES["mobilenetv3"].int8_loss or "")
    tiny = replace(ARCHITECTURES["densenet-tiny"], int8_loss="it forgets every second image")
    monkeypatch.setitem(ARCHITECTURES, "densenet-tiny", tiny)
    result = cli("convert", tiny_run, "--out", tmp_path / "models", "--no-novelty")
    said = (
        "Warning: densenet-tiny: int8 is left out: it forgets every second image; `--recipes int8`"
    )
    assert said in result.stderr
    made = sorted(path.stem for path in (tmp_path / "models").glob("*.tflite"))
    assert made == ["dynamic", "float16", "float32"]
    asked = ("--recipes", "int8", "--no-novelty")
    result = cli("convert", tiny_run, "--out", tmp_path / "asked", *asked)
    assert "left out" not in result.stderr
    assert (tmp_path / "asked" / "int8.tflite").is_file()


def test_unknown_recipes_list_the_valid_ones(cli, tiny_run: Path, tmp_path: Path) -> None:
    result = cli("convert", tiny_run, "--out", tmp_path, "--recipes", "int8,int4", code=1)
    assert "unknown recipe 'int4'; known: float32, float16, dynamic, int8" in result.output


def test_what_is_no_run(cli, tmp_path: Path) -> None:
    result = cli("convert", tmp_path, "--out", tmp_path, code=1)
    assert "no run: it holds no model.keras" in result.output
    cli("convert", "--out", tmp_path, code=2)
    cli("convert", tmp_path, "--arch", "densenet121", "--out", tmp_path, code=2)


def test_a_damaged_run_is_one_line(cli, tiny_run: Path, tmp_path: Path) -> None:
    for name, damage in (
        ("config.json", "{"),
        ("config.json", "{}"),
        ("labels.txt", "good\n"),
        ("model.keras", "cut"),
        ("split.csv", "nothing\nhere\n"),
    ):
        run = tmp_path / "run"
        shutil.copytree(tiny_run, run)
        (run / name).write_text(damage)
        result = cli("convert", run, "--out", tmp_path / "out", code=1)
        assert len(result.output.strip().splitlines()) == 1
        assert result.output.startswith("Error: ")
        shutil.rmtree(run)


def test_data_that_moved(cli, surfaces: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"data": "/nowhere"}))
    result = cli("convert", run, "--out", tmp_path / "out", code=1)
    assert "give the folder's new place with --data" in result.output
    cli("convert", run, "--out", tmp_path / "out", "--data", surfaces, "--recipes", "float32")


def test_classes_that_the_model_does_not_have(cli, tiny_run, surfaces, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    result = cli(
        *("convert", "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--labels", tmp_path / "labels.txt", "--out", tmp_path / "out", "--data", surfaces),
        code=1,
    )
    assert "class 'good' is none of the model's 4 (a, b, c, d)" in result.output


def test_a_file_tells_where_its_weights_come_from(tiny_run: Path, tiny_models: Path) -> None:
    shown = Classifier(tiny_models / "int8.tflite").spec.provenance
    assert shown is not None
    digest = hashlib.sha256((tiny_run / "model.keras").read_bytes()).hexdigest()
    assert shown["weights_sha256"] == digest
    assert sum(shown["images"].values()) == 4 * 24
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert shown["test"]["accuracy"] == metrics["test"]["accuracy"]
