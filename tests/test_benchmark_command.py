"""`edgeclf benchmark` measures what it says it measures."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray

from edgeclf.benchmarks import latency
from edgeclf.benchmarks.comparison import compare, comparison_table
from edgeclf.benchmarks.contenders import Contender, open_contender
from edgeclf.benchmarks.latency import measure_latency
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.container import read_model, write_model
from edgeclf.edge_runtime.images import read_image
from edgeclf.models.photographs import Photographs
from edgeclf.models.run import FloatModel, read_run

Cli = Callable[..., Result]
FreshPython = Callable[..., subprocess.CompletedProcess[str]]
Rows = dict[str, dict[str, Any]]

QUERIES = 11


def rows_of(json_file: Path) -> Rows:
    return {row["name"]: row for row in json.loads(json_file.read_text())["models"]}


def images_of_test(run: Path) -> tuple[list[Path], list[str]]:
    data = Path(json.loads((run / "config.json").read_text())["data"])
    with (run / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    return [data / row["path"] for row in rows], [row["label"] for row in rows]


def named_by(model: Path, paths: list[Path]) -> list[str]:
    classifier = Classifier(model)
    return [classifier.classify(read_image(path)).label for path in paths]


def share_equal(one: list[str], other: list[str]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def only_error(result: Result) -> str:
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.stderr.endswith(line + "\n")
    return line


def relabelled(model: Path, out: Path, labels: tuple[str, ...]) -> Path:
    data, spec = read_model(model)
    write_model(out, data[: data.index(b"PK\x03\x04")], replace(spec, labels=labels))
    return out


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)


@pytest.fixture(scope="module")
def with_run(
    fresh_python: FreshPython, tiny_run: Path, tiny_models: Path, tmp_path_factory: Any
) -> tuple[str, dict[str, Any]]:
    """The table and the JSON of a benchmark whose run stands last."""
    json_file = tmp_path_factory.mktemp("benchmark") / "new" / "benchmark.json"
    files = [tiny_models / "int8.tflite", tiny_models / "float32.tflite"]
    options = ["--queries", QUERIES, "--threads", 1, "--json", json_file]
    main = "from edgeclf.cli import main; main()"
    done = fresh_python(main, "benchmark", *files, tiny_run, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(json_file.read_text())


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
        assert row["scores"]["images"] == len(paths)
        assert row["scores"]["accuracy"] == pytest.approx(accuracy)
        assert row["agreement"] == pytest.approx(share_equal(guess, reference))
        drop = (share_equal(reference, truth) - accuracy) * 100
        assert row["drop_points"] == pytest.approx(drop)


def test_the_float_keras_model_is_the_reference(with_run: tuple[str, dict[str, Any]]) -> None:
    assert [row["name"] for row in with_run[1]["models"]] == ["int8", "float32", "keras"]
    keras = with_run[1]["models"][2]
    assert (keras["recipe"], keras["drop_points"], keras["agreement"]) == ("keras", 0, 1)


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
        assert 0 < row["latency"]["p50_ms"] <= row["latency"]["p90_ms"]
        assert row["latency"]["mean_ms"] > 0
        assert row["latency"]["queries"] == QUERIES
        assert row["bytes"] == sizes[row["name"]]
        assert row["peak_memory_bytes"] > row["bytes"]
        peaks[row["name"]] = row["peak_memory_bytes"]
    assert peaks["int8"] < peaks["keras"] / 2


def test_the_table_says_what_the_json_says(
    with_run: tuple[str, dict[str, Any]], surfaces: Path
) -> None:
    table, report = with_run
    lines = table.splitlines()
    for row in report["models"]:
        [line] = [line for line in lines if line.startswith(f"{row['name']} ")]
        assert f"{row['scores']['accuracy']:.3f}" in line
        assert f"{row['latency']['p50_ms']:.2f}" in line
    assert (
        lines[-1] == f"{report['models'][0]['scores']['images']} images, 11 queries each, 1 threads"
    )
    assert report["threads"] == 1
    assert report["data"] == str(surfaces)
    assert report["machine"]["runtime"].split()[0] in ("ai-edge-litert", "tflite-runtime")


def test_a_run_can_be_measured_in_the_process_that_trained_it(
    cli: Cli, tiny_run: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "benchmark.json"
    options = ("--queries", 10, "--threads", os.cpu_count(), "--json", json_file)
    cli("benchmark", tiny_run, *options)
    assert rows_of(json_file)["keras"]["scores"]["images"] == len(images_of_test(tiny_run)[0])


def test_threads_that_tensorflow_can_no_longer_take_are_one_line(cli: Cli, tiny_run: Path) -> None:
    threads = (os.cpu_count() or 1) + 1
    line = only_error(cli("benchmark", tiny_run, "--threads", threads, code=1))
    assert f"another number of threads than {threads}" in line


def test_without_a_run_the_float32_file_is_the_reference(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "benchmark.json"
    files = [tiny_models / "int8.tflite", tiny_models / "float32.tflite"]
    cli("benchmark", *files, "--data", surfaces, "--queries", 10, "--json", json_file)
    rows = rows_of(json_file)
    paths = sorted(surfaces.rglob("*.png"))
    truth = [path.parent.name for path in paths]
    reference, guess = named_by(files[1], paths), named_by(files[0], paths)
    assert (rows["float32"]["drop_points"], rows["float32"]["agreement"]) == (0, 1)
    assert rows["float32"]["scores"]["accuracy"] == pytest.approx(share_equal(reference, truth))
    assert rows["int8"]["scores"]["accuracy"] == pytest.approx(share_equal(guess, truth))
    assert rows["int8"]["agreement"] == pytest.approx(share_equal(guess, reference))


def test_without_a_reference_there_is_no_drop(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "benchmark.json"
    model = tiny_models / "int8.tflite"
    result = cli("benchmark", model, "--data", surfaces, "--queries", 10, "--json", json_file)
    row = rows_of(json_file)["int8"]
    assert row["drop_points"] is None
    assert row["agreement"] is None
    [line] = [line for line in result.stdout.splitlines() if line.startswith("int8 ")]
    assert line.split()[3:5] == ["—", "—"]


def answering(model: Path, name: str, recipe: str, answers: list[int]) -> Contender:
    """A contender whose answer to an image of grey level n is `answers[n]`."""
    contender = open_contender(model, threads=1)

    def scores(model_input: NDArray[np.uint8], /) -> NDArray[np.float32]:
        return np.eye(len(contender.labels), dtype=np.float32)[answers[model_input[0, 0, 0]]]

    return replace(contender, name=name, recipe=recipe, scores=scores)


@pytest.mark.parametrize("recipes", [("int8", "float32", "float16"), ("float32", "keras", "int8")])
def test_drop_and_agreement_of_models_that_differ(
    tiny_models: Path, tmp_path: Path, recipes: tuple[str, str, str]
) -> None:
    model = tiny_models / "int8.tflite"
    labels = open_contender(model, threads=1).labels
    truth = [0, 0, 1, 1, 2]
    for level in range(5):
        cv2.imwrite(str(tmp_path / f"{level}.png"), np.full((40, 40, 3), level, np.uint8))
    photographs = Photographs(
        tuple(tmp_path / f"{level}.png" for level in range(5)),
        tuple(labels[index] for index in truth),
    )
    contenders = [
        answering(model, "worse", recipes[0], [0, 1, 1, 2, 2]),
        answering(model, "reference", recipes[1], [0, 0, 1, 2, 2]),
        answering(model, "better", recipes[2], [0, 0, 1, 1, 2]),
    ]
    rows = compare(contenders, photographs, queries=10, threads=1)
    assert [row.name for row in rows] == ["worse", "reference", "better"]
    assert [row.scores.accuracy for row in rows] == pytest.approx([0.6, 0.8, 1.0])
    assert [row.drop_points for row in rows] == pytest.approx([20, 0, -20])
    assert [row.agreement for row in rows] == pytest.approx([0.8, 1, 0.8])
    assert [line.split()[3] for line in comparison_table(rows).splitlines()[2:]] == [
        "+20.00",
        "+0.00",
        "-20.00",
    ]


def test_neither_run_nor_data_is_an_error(cli: Cli, tiny_models: Path) -> None:
    result = cli("benchmark", tiny_models / "int8.tflite", code=1)
    assert "add --data FOLDER, or a RUN" in only_error(result)


def test_models_of_other_labels_are_refused(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    model = tiny_models / "int8.tflite"
    other = relabelled(model, tmp_path / "other.tflite", ("a", "b", "c", "d"))
    line = only_error(cli("benchmark", model, other, "--data", surfaces, code=1))
    assert line.startswith(f"Error: {other}: its labels ('a', 'b', 'c', 'd')")
    assert str(model) in line


def test_models_with_the_labels_in_another_order_are_refused(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    model = tiny_models / "int8.tflite"
    turned = read_model(model)[1].labels[::-1]
    other = relabelled(model, tmp_path / "other.tflite", turned)
    result = cli("benchmark", model, other, "--data", surfaces, code=1)
    assert "its labels" in only_error(result)


def test_a_class_that_no_model_knows_is_refused(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    for label in ("good", "dent"):
        (tmp_path / "data" / label).mkdir(parents=True)
        shutil.copy(surfaces / "good/good_0001.png", tmp_path / "data" / label)
    result = cli("benchmark", tiny_models / "int8.tflite", "--data", tmp_path / "data", code=1)
    line = only_error(result)
    assert f"{tmp_path / 'data'}: class 'dent' is none of the model's 4" in line
    assert "good, oil, scratch, stain" in line


@pytest.mark.parametrize("content", [None, b"no model", b"\x1c\0\0\0TFL3" + bytes(50)])
def test_a_model_that_cannot_be_read_is_one_line(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path, content: bytes | None
) -> None:
    broken = tmp_path / "broken.tflite"
    if content is not None:
        broken.write_bytes(content)
    files = [tiny_models / "int8.tflite", broken]
    result = cli("benchmark", *files, "--data", surfaces, code=1)
    assert str(broken) in only_error(result)
    assert result.stdout == ""


def test_a_folder_that_is_no_run_is_one_line(cli: Cli, surfaces: Path) -> None:
    assert f"{surfaces}: no run" in only_error(cli("benchmark", surfaces, code=1))


def test_unreadable_images_are_skipped_and_named(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(surfaces / "oil", data / "oil")
    (data / "oil/oil_0003.png").write_bytes(b"")
    model = tiny_models / "int8.tflite"
    result = cli("benchmark", model, "--data", data, "--queries", 10, "--threads", 1)
    assert f"Warning: skipped {data / 'oil/oil_0003.png'}: the file is empty" in result.stderr
    assert result.stdout.endswith("23 images, 10 queries each, 1 threads\n")


@pytest.mark.usefixtures("no_tensorflow")
def test_without_tensorflow_the_files_are_compared(
    cli: Cli, tiny_run: Path, tiny_models: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "benchmark.json"
    model = tiny_models / "int8.tflite"
    result = cli("benchmark", tiny_run, model, "--queries", 10, "--json", json_file)
    assert "TensorFlow is not installed" in result.stderr
    assert list(rows_of(json_file)) == ["int8"]
    assert rows_of(json_file)["int8"]["scores"]["images"] == len(images_of_test(tiny_run)[0])
    assert "no model is left" in only_error(cli("benchmark", tiny_run, code=1))


@pytest.mark.usefixtures("no_tensorflow")
def test_of_the_runs_own_data_only_the_test_images_count(
    cli: Cli, tiny_run: Path, tiny_models: Path, surfaces: Path
) -> None:
    files = [tiny_run, tiny_models / "int8.tflite"]
    result = cli("benchmark", *files, "--data", surfaces, "--queries", 10)
    assert f"\n{len(images_of_test(tiny_run)[0])} images, " in result.stdout


@pytest.mark.usefixtures("no_tensorflow")
def test_images_that_the_run_has_not_seen_are_taken_as_they_are(
    cli: Cli, tiny_run: Path, tiny_models: Path, tmp_path: Path
) -> None:
    for path, label in zip(*images_of_test(tiny_run), strict=True):
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "data" / label / f"another_{path.name}")
    files = [tiny_run, tiny_models / "int8.tflite"]
    result = cli("benchmark", *files, "--data", tmp_path / "data", "--queries", 10)
    assert f"\n{len(images_of_test(tiny_run)[0])} images, " in result.stdout


@pytest.mark.usefixtures("no_tensorflow")
def test_a_moved_data_folder_does_not_hide_what_the_run_has_seen(
    cli: Cli, tiny_run: Path, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"data": str(tmp_path / "gone")}))
    files = [run, tiny_models / "int8.tflite"]

    line = only_error(cli("benchmark", *files, code=1))
    assert "give the folder's new place with --data" in line
    result = cli("benchmark", *files, "--data", surfaces, "--queries", 10)
    assert f"\n{len(images_of_test(tiny_run)[0])} images, " in result.stdout


def test_latency_takes_the_nearest_rank(monkeypatch: pytest.MonkeyPatch, tiny_models: Path) -> None:
    milliseconds = [7, 1, 20, 3, 9, 2, 8, 4, 6, 5]
    ticks = [tick for ms in milliseconds for tick in (1000, 1000 + ms * 1_000_000)]
    monkeypatch.setattr(latency, "perf_counter_ns", iter(ticks).__next__)
    contender = open_contender(tiny_models / "int8.tflite", threads=1)
    inputs = np.zeros((2, *contender.input_hw, 3), np.uint8)
    [measured] = measure_latency([contender], inputs, queries=10)
    assert (measured.p50_ms, measured.p90_ms, measured.mean_ms) == (5, 9, 6.5)
    assert measured.queries == 10


def test_models_are_timed_in_turns_on_the_same_images(tiny_models: Path) -> None:
    base = open_contender(tiny_models / "int8.tflite", threads=1)
    inputs = np.stack([np.full((*base.input_hw, 3), level, np.uint8) for level in range(3)])
    calls: list[tuple[str, int]] = []

    def counting(name: str) -> Contender:
        def scores(model_input: NDArray[np.uint8], /) -> NDArray[np.float32]:
            calls.append((name, int(model_input[0, 0, 0])))
            return np.zeros(4, np.float32)

        return replace(base, name=name, scores=scores)

    measured = measure_latency([counting("a"), counting("b")], inputs, queries=60)
    assert [one.queries for one in measured] == [60, 60]
    timed = calls[2 * 3 :]
    images = [0, 1, 2] * 20
    assert [level for name, level in timed if name == "a"] == images
    assert [level for name, level in timed if name == "b"] == images
    names = [name for name, _ in timed]
    first_of_each_turn = set(names[::10])
    assert first_of_each_turn == {"a", "b"}
    assert all(set(names[i : i + 10]) == {"a", "b"} for i in range(0, 120, 10))
