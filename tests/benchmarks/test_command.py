"""`edgeclf benchmark` measures what it says it measures."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from schemas import valid_file
from skips import require_linux

from edgeclf.benchmarks.measure.processes import Worker
from edgeclf.benchmarks.results.schema import Benchmark, read_benchmark
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.model_file.container import read_model, write_model
from edgeclf.models.float_model import FloatModel
from edgeclf.models.run import read_run

Cli = Callable[..., Result]
FreshPython = Callable[..., subprocess.CompletedProcess[str]]
Rows = dict[str, dict[str, Any]]

QUERIES = 11
QUICK = ("--queries", 10, "--rounds", 2)


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
    [line] = [line for line in result.stdout.splitlines() if line.startswith("int8 ")]
    assert line.split()[5:7] == ["—", "—"]


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
def test_a_model_that_cannot_be_read_is_one_line_and_the_others_are_kept(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path, content: bytes | None
) -> None:
    broken = tmp_path / "broken.tflite"
    if content is not None:
        broken.write_bytes(content)
    files = [tiny_models / "int8.tflite", broken]
    json_file = tmp_path / "benchmark.json"
    options = ("--data", surfaces, *QUICK, "--json", json_file)
    result = cli("benchmark", *files, *options, code=1)
    assert str(broken) in only_error(result)
    assert "\nint8 " in result.stdout
    rows = rows_of(json_file)
    assert str(broken) in rows["broken"]["error"]
    assert (rows["broken"]["metrics"], rows["broken"]["timings"]) == (None, [])
    assert rows["int8"]["error"] is None
    assert rows["int8"]["metrics"]
    assert str(broken) in only_error(cli("benchmark", broken, "--data", surfaces, code=1))


def test_a_folder_that_is_no_run_is_one_line(cli: Cli, surfaces: Path) -> None:
    assert f"{surfaces}: no run" in only_error(cli("benchmark", surfaces, code=1))


def test_unreadable_images_are_skipped_and_named(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(surfaces / "oil", data / "oil")
    (data / "oil/oil_0003.png").write_bytes(b"")
    model = tiny_models / "int8.tflite"
    result = cli("benchmark", model, "--data", data, *QUICK, "--threads", 1)
    assert f"Warning: skipped {data / 'oil/oil_0003.png'}: the file is empty" in result.stderr
    assert result.stdout.endswith("23 images, 10 queries each in 2 rounds, 1 threads\n")


@pytest.mark.usefixtures("no_tensorflow")
def test_without_tensorflow_the_files_are_compared(
    cli: Cli, tiny_run: Path, tiny_models: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "benchmark.json"
    model = tiny_models / "int8.tflite"
    result = cli("benchmark", tiny_run, model, *QUICK, "--json", json_file)
    assert "TensorFlow is not installed" in result.stderr
    assert list(rows_of(json_file)) == ["int8"]
    assert len(rows_of(json_file)["int8"]["metrics"]["guesses"]) == len(images_of_test(tiny_run)[0])
    assert "no model is left" in only_error(cli("benchmark", tiny_run, code=1))


@pytest.mark.usefixtures("no_tensorflow")
def test_of_the_runs_own_data_only_the_test_images_count(
    cli: Cli, tiny_run: Path, tiny_models: Path, surfaces: Path
) -> None:
    files = [tiny_run, tiny_models / "int8.tflite"]
    result = cli("benchmark", *files, "--data", surfaces, *QUICK)
    assert f"\n{len(images_of_test(tiny_run)[0])} images, " in result.stdout


@pytest.mark.usefixtures("no_tensorflow")
def test_images_that_the_run_has_not_seen_are_taken_as_they_are(
    cli: Cli, tiny_run: Path, tiny_models: Path, tmp_path: Path
) -> None:
    for path, label in zip(*images_of_test(tiny_run), strict=True):
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "data" / label / f"another_{path.name}")
    files = [tiny_run, tiny_models / "int8.tflite"]
    result = cli("benchmark", *files, "--data", tmp_path / "data", *QUICK)
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
    result = cli("benchmark", *files, "--data", surfaces, *QUICK)
    assert f"\n{len(images_of_test(tiny_run)[0])} images, " in result.stdout


def test_an_empty_data_folder_is_one_line(cli: Cli, tiny_models: Path, tmp_path: Path) -> None:
    line = only_error(cli("benchmark", tiny_models / "int8.tflite", "--data", tmp_path, code=1))
    assert f"{tmp_path}: holds no class" in line


def test_a_model_whose_worker_refuses_it_is_one_line(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    data, spec = read_model(tiny_models / "int8.tflite")
    refused = tmp_path / "refused.tflite"
    write_model(refused, data[: data.index(b"PK\x03\x04")], replace(spec, input_hw=(96, 96)))
    line = only_error(cli("benchmark", refused, "--data", surfaces, *QUICK, code=1))
    assert f"{refused}: expected an input of uint8 (1, 96, 96, 3)" in line


def dying(name: str, when: str) -> type[Worker]:
    """A worker whose process is killed at a moment, if it holds the model of that name."""

    class Dying(Worker):
        def __init__(self, path: Path, **options: Any) -> None:
            super().__init__(path, **options)
            self._dies = path.stem == name

        def __getattribute__(self, attribute: str) -> Any:
            if attribute == when and self._dies:
                self._dies = False
                os.kill(self.pid, signal.SIGKILL)
            return super().__getattribute__(attribute)

    return Dying


@pytest.mark.parametrize("when", ["wait_until_ready", "open", "query", "score", "memory"])
def test_a_model_that_dies_costs_one_line_and_its_own_figures(
    cli: Cli,
    tiny_models: Path,
    surfaces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    monkeypatch.setattr("edgeclf.benchmarks.measure.rounds.Worker", dying("float32", when))
    files = [tiny_models / f"{name}.tflite" for name in ("float32", "float16", "int8")]
    json_file = tmp_path / "benchmark.json"
    options = ("--data", surfaces, *QUICK, "--json", json_file)
    result = cli("benchmark", *files, *options, code=1)
    line = only_error(result)
    assert line == f"Error: {files[0]}: its process was ended by SIGKILL; is the memory full?"
    measured = read_benchmark(json_file)
    dead, *alive = measured.models
    assert f"Error: {dead.error}" == line
    assert (dead.metrics, dead.against, dead.timings, dead.reference) == (None, None, (), False)
    for model in alive:
        assert model.metrics
        assert model.timings[0].queries == 10
        assert f"\n{model.name} " in result.stdout
    assert measured.reference is None


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()]


def test_ctrl_c_ends_all_workers(tiny_models: Path, surfaces: Path) -> None:
    require_linux()
    files = [tiny_models / f"{name}.tflite" for name in ("float32", "int8")]
    arguments = ["benchmark", *files, "--data", surfaces, "--queries", 10_000_000]
    # Where tests run in the background, the shell has them ignore Ctrl-C.
    main = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from edgeclf.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", main, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert process.stdout
    assert any("Round 1" in line for line in process.stdout)
    workers = children(process.pid)
    assert len(workers) == 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "Interrupted\n")
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


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


@pytest.mark.parametrize("threads", ["0", "1,two", "", "1,,2"])
def test_threads_that_are_none_are_refused(cli: Cli, tiny_models: Path, threads: str) -> None:
    result = cli("benchmark", tiny_models / "int8.tflite", "--threads", threads, code=2)
    assert "is no list of whole numbers from 1" in result.stderr


def test_two_measurements_can_be_compared(
    cli: Cli, with_run: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("old.json", "new.json"):
        (tmp_path / name).write_text(json.dumps(with_run[1]))
    result = cli("benchmark", "compare", tmp_path / "old.json", tmp_path / "new.json")
    assert "\n0 worse, 0 better, " in result.stdout
    assert isinstance(read_benchmark(tmp_path / "old.json"), Benchmark)
