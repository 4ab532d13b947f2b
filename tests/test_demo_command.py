"""`edgeclf demo`: the whole road, small."""

import json
from pathlib import Path


def test_the_demo_walks_the_whole_road(cli, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    result = cli("demo", "--out", out, "--per-class", 12, "--epochs", 1)
    for step in ("train", "convert", "benchmark", "run"):
        assert f"$ edgeclf {step} " in result.output
    told = json.loads((out / "benchmark.json").read_text())
    assert [model["name"] for model in told["models"]] == [
        "keras",
        "dynamic",
        "float16",
        "float32",
        "int8",
    ]
    assert (out / "data-masks" / "oil").is_dir()
    assert result.output.count("_0001.png") == 2 * 4  # in the command and in its table


def test_a_folder_with_other_files_is_left_alone(cli, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("two years of work")
    result = cli("demo", "--out", tmp_path, code=1)
    assert "holds other files" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
