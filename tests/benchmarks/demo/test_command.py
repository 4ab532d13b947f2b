"""`edgeclf demo`: the whole road, small."""

import json
from pathlib import Path


def test_the_demo_walks_the_whole_road(cli, tmp_path: Path, capfd) -> None:
    out = tmp_path / "demo"
    result = cli("demo", "--out", out, "--per-class", 12, "--epochs", 1)
    steps = [line.split()[2] for line in result.output.splitlines() if line.startswith("$ ")]
    assert steps == ["train", "convert", "benchmark", "run"]
    report = json.loads((out / "benchmark.json").read_text())
    assert [model["name"] for model in report["models"]] == [
        "keras",
        "float32",
        "float16",
        "dynamic",
        "int8",
    ]
    assert (out / "data-masks" / "oil").is_dir()
    table = capfd.readouterr().out
    assert table.count(f"{out}/data/") == 4


def test_a_folder_with_other_files_is_left_alone(cli, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("two years of work")
    result = cli("demo", "--out", tmp_path, code=1)
    assert "holds other files" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
