"""Which images `edgeclf benchmark` takes, and without TensorFlow."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from benchmark_command import QUICK, Cli, images_of_test, only_error, rows_of


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)


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
