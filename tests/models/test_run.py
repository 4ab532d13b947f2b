"""The split of a run: what it may name, and how it is written."""

from pathlib import Path

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
