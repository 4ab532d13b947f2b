"""`edgeclf benchmark` measures what it says it measures."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_command import QUICK, Cli, images_of_test, rows_of
from schemas import valid_file

from edgeclf.benchmarks.results.reading import read_benchmark
from edgeclf.benchmarks.results.schema import Benchmark
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image
from edgeclf.models.float_model import FloatModel
from edgeclf.models.run import read_run

FreshPython = Callable[..., subprocess.CompletedProcess[str]]


QUERIES = 11


def named_by(model: Path, paths: list[Path]) -> list[str]:
    classifier = Classifier(model)
    return [classifier.classify(read_image(path)).top[0][0] for path in paths]


def share_equal(one: list[str], other: list[str]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


@pytest.fixture(scope="module")
def with_run(
    fresh_python: FreshPython, tiny_run: Path, tiny_models: Path, tmp_path_factory: Any
) -> tuple[str, dict[str, Any]]:
    """The table and the JSON of a benchmark whose run stands last."""
    json_file = tmp_path_factory.mktemp("benchmark") / "new" / "benchmark.json"
    files = [tiny_models / "int8.tflite", tiny_models / "float32.tflite"]
    options = ["--queries", QUERIES, "--rounds", 2, "--threads", 1, "--json", json_file]
    main = (
        "import sys; from edgeclf.cli import main\n"
        "try: main()\n"
        "finally: assert 'tensorflow' not in sys.modules  # but in the worker's process"
    )
    done = fresh_python(main, "benchmark", *files, tiny_run, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout, valid_file("models/benchmark", json_file)


def test_accuracy_drop_and_agreement_are_those_of_the_test_images(
    with_run: tuple[str, dict[str, Any]], tiny_run: Path, tiny_models: Path
) -> None:
    rows = {row["name"]: row for row in with_run[1]["models"]}
    paths, truth = images_of_test(tiny_run)
    info = read_run(tiny_run).info
    classifier = Classifier(tiny_models / "float32.tflite")
    inputs = np.stack([classifier.preprocess(read_image(path)) for path in paths])
    reference = [info.labels[i] for i in FloatModel(info).scores(inputs).argmax(1)]
    guesses = {"keras": reference} | {
        name: named_by(tiny_models / f"{name}.tflite", paths) for name in ("float32", "int8")
    }
    assert set(rows) == set(guesses)
    for name, guess in guesses.items():
        row = rows[name]
        accuracy = share_equal(guess, truth)
        assert row["metrics"]["accuracy"]["value"] == pytest.approx(accuracy)
        assert [info.labels[i] for i in row["metrics"]["guesses"]] == guess
        if name == "keras":
            continue
        agreement = share_equal(guess, reference)
        assert row["against"]["agreement"]["value"] == pytest.approx(agreement)
        assert row["against"]["disagreements"] == round((1 - agreement) * len(paths))
        drop = (share_equal(reference, truth) - accuracy) * 100
        assert row["against"]["drop"]["points"] == pytest.approx(drop)


def test_share_of_the_test_images_called_unknown_is_that_of_their_groups(
    with_run: tuple[str, dict[str, Any]], tiny_run: Path, tiny_models: Path
) -> None:
    rows = {row["name"]: row["unknown"] for row in with_run[1]["models"]}
    assert rows["keras"] is None
    run = read_run(tiny_run)
    groups: dict[str, list[bool]] = {}
    classifier = Classifier(tiny_models / "int8.tflite")
    for image in run.split("test"):
        prediction = classifier.classify(read_image(run.data / image.path))
        groups.setdefault(image.group or image.path, []).append(bool(prediction.novelty_reason))
    share = np.mean([np.mean(flags) for flags in groups.values()])
    assert rows["int8"]["value"] == pytest.approx(share)


def test_the_float_keras_model_is_the_reference(with_run: tuple[str, dict[str, Any]]) -> None:
    assert [row["name"] for row in with_run[1]["models"]] == ["int8", "float32", "keras"]
    assert [row["reference"] for row in with_run[1]["models"]] == [False, False, True]
    keras = with_run[1]["models"][2]
    assert (keras["recipe"], keras["against"], keras["delegate"]) == ("keras", None, None)
    assert keras["timings"][0]["ratio"] is None


def test_latency_memory_and_size_are_measured(
    with_run: tuple[str, dict[str, Any]], tiny_run: Path, tiny_models: Path
) -> None:
    sizes = {
        "int8": (tiny_models / "int8.tflite").stat().st_size,
        "float32": (tiny_models / "float32.tflite").stat().st_size,
        "keras": (tiny_run / "model.keras").stat().st_size,
    }
    peaks = {}
    for row in with_run[1]["models"]:
        [timing] = row["timings"]
        times = np.concatenate(timing["rounds_ms"])
        assert [len(times) for times in timing["rounds_ms"]] == [6, 5]
        assert timing["p50_ms"] == np.sort(times)[5]
        assert timing["mean_ms"] == pytest.approx(times.mean())
        assert timing["throughput"] == pytest.approx(1000 / times.mean())
        assert (timing["p90_ms"], timing["p99_ms"]) == (None, None)
        assert timing["queries"] == QUERIES
        assert timing["load_ms"] > 0
        assert timing["first_ms"] > 0
        assert all(part > 0 for part in timing["stages"].values())
        assert row["bytes"] == sizes[row["name"]]
        assert timing["peak_memory_bytes"] >= timing["steady_memory_bytes"] > row["bytes"]
        peaks[row["name"]] = timing["peak_memory_bytes"]
    assert peaks["int8"] < peaks["keras"] / 2


def test_the_table_says_what_the_json_says(
    with_run: tuple[str, dict[str, Any]], surfaces: Path
) -> None:
    table, report = with_run
    lines = table.splitlines()
    for row in report["models"]:
        [line] = [line for line in lines if line.startswith(f"{row['name']} ")]
        assert f"{row['metrics']['accuracy']['value']:.2f} [" in line
        assert f"{row['timings'][0]['p50_ms']:.2f}" in line
    images = report["data"]["images"]
    assert lines[-1] == f"{images} images, 11 queries each in 2 rounds, 1 threads"
    assert report["settings"]["threads"] == [1]
    assert report["data"]["folder"] == str(surfaces)
    assert {"python", "numpy", "edgeclf"} < set(report["machine"]["versions"])
    assert report["machine"]["before"] != report["machine"]["after"]


def test_the_files_run_on_xnnpack_and_the_result_names_their_bytes(
    with_run: tuple[str, dict[str, Any]], tiny_models: Path
) -> None:
    for row in with_run[1]["models"][:2]:
        content = (tiny_models / f"{row['name']}.tflite").read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["delegate"]["parts"] > 0
        assert row["delegate"]["xnnpack"]


def test_without_a_run_the_float32_file_is_the_reference(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "benchmark.json"
    files = [tiny_models / "int8.tflite", tiny_models / "float32.tflite"]
    cli("benchmark", *files, "--data", surfaces, *QUICK, "--json", json_file)
    rows = rows_of(json_file)
    paths = sorted(surfaces.rglob("*.png"))
    truth = [path.parent.name for path in paths]
    reference, guess = named_by(files[1], paths), named_by(files[0], paths)
    assert (rows["float32"]["reference"], rows["float32"]["against"]) == (True, None)
    top1 = {name: row["metrics"]["accuracy"]["value"] for name, row in rows.items()}
    assert top1["float32"] == pytest.approx(share_equal(reference, truth))
    assert top1["int8"] == pytest.approx(share_equal(guess, truth))
    agreement = rows["int8"]["against"]["agreement"]["value"]
    assert agreement == pytest.approx(share_equal(guess, reference))
    ratio = rows["int8"]["timings"][0]["ratio"]
    assert ratio["interval"][0] <= ratio["value"] <= ratio["interval"][1]


def test_without_a_reference_there_is_no_drop(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "benchmark.json"
    model = tiny_models / "int8.tflite"
    result = cli("benchmark", model, "--data", surfaces, *QUICK, "--json", json_file)
    row = rows_of(json_file)["int8"]
    assert row["against"] is None
    assert row["timings"][0]["ratio"] is None
    assert json.loads(json_file.read_text())["verdict"] is None
    [heading] = [line for line in result.stdout.splitlines() if line.startswith("model ")]
    for column in ("drop", "agreement", "speed"):
        assert column not in heading


def test_threads_are_swept_and_the_last_file_works_on(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    files = [tiny_models / f"{name}.tflite" for name in ("float32", "int8")]
    json_file = tmp_path / "benchmark.json"
    options = ("--threads", "1,2", "--sustained", 0.02, "--min-seconds", 0.1)
    options = ("--data", surfaces, *QUICK, *options, "--json", json_file)
    result = cli("benchmark", *files, *options)
    valid_file("models/benchmark", json_file)
    measured = read_benchmark(json_file)
    for model in measured.models:
        assert [timing.threads for timing in model.timings] == [1, 2]
        assert all(sum(map(sum, timing.rounds_ms)) >= 100 for timing in model.timings)
        assert result.stdout.count(f"\n{model.name} ") == 3
    [sustained] = measured.sustained
    assert (sustained.name, sustained.threads) == ("int8", 1)
    seconds = [moment.seconds for moment in sustained.moments]
    assert seconds == sorted(seconds)
    assert seconds[-1] >= 1.2
    assert all(moment.latency_ms > 0 for moment in sustained.moments)


def test_two_measurements_can_be_compared(
    cli: Cli, with_run: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("old.json", "new.json"):
        (tmp_path / name).write_text(json.dumps(with_run[1]))
    result = cli("benchmark", "compare", tmp_path / "old.json", tmp_path / "new.json")
    assert "\n0 worse, 0 better, " in result.stdout
    assert isinstance(read_benchmark(tmp_path / "old.json"), Benchmark)
