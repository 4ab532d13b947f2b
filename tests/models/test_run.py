"""The split of a run: what it may name, and how it is written; and damaged files of a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.run import SplitImage, read_run, write_config, write_split

CONFIG = {
    "architecture": "densenet-tiny", "input_hw": [48, 48], "resize": "stretch", "data": "data",
    "seed": 0, "batch_size": 8,
    "augment": {"rotation": 0, "zoom": 0, "flip": "none", "brightness": 0},
}  # fmt: skip
LABELS = ("=good", "oil")


def run_of(folder: Path, *paths: str) -> Path:
    """Write a run's folder whose training images are `paths`."""
    write_config(folder, CONFIG)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    (folder / "model.keras").write_bytes(b"weights")
    images = [SplitImage(path, LABELS[0], "+g", "train") for path in paths]
    images += [SplitImage(f"oil/{split}.png", "oil", "", split) for split in ("val", "test")]
    write_split(folder, tuple(images))
    return folder


def test_a_split_comes_back_and_holds_no_formula(tmp_path: Path) -> None:
    names = ("=good/=1+1.png", "=good/M\udcfcller.png", "'=x/1.png", 'a, b/"c".png')
    run = read_run(run_of(tmp_path / "run", *names))
    assert tuple(image.path for image in run.split("train")) == names
    assert {image.label for image in run.split("train")} == {"=good"}
    assert {image.group for image in run.split("train")} == {"+g"}
    text = (tmp_path / "run" / "split.csv").read_bytes()
    cells = [cell for line in text.splitlines() for cell in line.split(b",")]
    assert not any(cell.startswith((b"=", b"+", b"-", b"@")) for cell in cells)


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "good/../../x.png", "..", "", "good/\0x.png"]
)
def test_a_split_does_not_leave_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(EdgeclfError, match=r"line 2: .* leaves the data folder"):
        read_run(run_of(tmp_path / "run", path))


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        ([], [], "expected an object, got a list"),
        (["architecture"], 5, "architecture: expected a text, got 5"),
        (["input_hw"], [48], "input_hw: expected a height and a width"),
        (["input_hw"], [48, 0], "input_hw: expected sides of 1 to 8192 pixels"),
        (["input_hw"], ["48", 48], r"input_hw\[0\]: expected a whole number, got '48'"),
        (["resize"], "melt", "resize: expected one of stretch, crop, pad"),
        (["batch_size"], 0, "batch_size: expected 1 or more"),
        (["seed"], 2**32, "seed: expected 0 to 4294967295"),
        (["augment", "flip"], "x", "flip: expected none or horizontal or both, got 'x'"),
        (["augment", "rotation"], "15", "rotation: expected a number, got '15'"),
    ],
)
def test_a_damaged_config_is_one_line(
    tmp_path: Path, place: list[str], value: Any, line: str
) -> None:
    folder = run_of(tmp_path / "run", "a.png")
    config: Any = json.loads((folder / "config.json").read_text())
    inner = config
    for key in place[:-1]:
        inner = inner[key]
    if place:
        inner[place[-1]] = value
    (folder / "config.json").write_text(json.dumps(config if place else value))
    with pytest.raises(EdgeclfError, match=rf"config\.json.*{line}") as error:
        read_run(folder)
    assert "damaged or of another version, train again" in str(error.value)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"temperature": 10**400}, "temperature: expected a number, got 1000"),
        ({"temperature": "1"}, "temperature: expected a number, got '1'"),
        ({"temperature": -1}, "a temperature of -1, which is not above 0"),
        ({"thresholds": {"oil": None}}, "thresholds.oil: expected a number, got None"),
        ({"thresholds": {"oil": 2}}, "give one from 0 to 1"),
    ],
)
def test_a_damaged_calibration_is_one_line(
    tmp_path: Path, changed: dict[str, Any], line: str
) -> None:
    folder = run_of(tmp_path / "run", "a.png")
    values = {"temperature": 1.5, "images": 3, "recall": None, "thresholds": None}
    (folder / "calibration.json").write_text(json.dumps(values))
    assert read_run(folder).info.calibration.temperature == 1.5
    (folder / "calibration.json").write_text(json.dumps(values | changed))
    with pytest.raises(EdgeclfError, match=rf"calibration\.json.*{line}"):
        read_run(folder)
    (folder / "calibration.json").write_text("{}")
    with pytest.raises(EdgeclfError, match="lacks 'temperature'; damaged"):
        read_run(folder)
