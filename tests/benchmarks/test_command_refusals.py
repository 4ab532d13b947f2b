"""Models and data that `edgeclf benchmark` refuses."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_command import QUICK, Cli, only_error, relabelled, rows_of

from edgeclf.edge_runtime.model_file.container import read_model, write_model


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


@pytest.mark.parametrize("threads", ["0", "1,two", "", "1,,2"])
def test_threads_that_are_none_are_refused(cli: Cli, tiny_models: Path, threads: str) -> None:
    result = cli("benchmark", tiny_models / "int8.tflite", "--threads", threads, code=2)
    assert "is no list of whole numbers from 1" in result.stderr
