"""Which images of a folder are learned, and which only test."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.data.augment import AugmentConfig
from edgeclf.models.data.mix import MixConfig
from edgeclf.train.config import TrainConfig
from edgeclf.train.good_only.images import read_good_only


def _write(folder: Path, count: int, *, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *folder.name.encode()])
    for place in range(count):
        picture = rng.integers(0, 256, (8, 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"{place:02}.png"), picture)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        data=tmp_path / "data", out=tmp_path / "run", architecture="densenet-tiny",
        weights="none", groups=None, input_hw=(16, 16), head_input_hw=(16, 16), resize="stretch",
        val_fraction=0.2, test_fraction=0.2, batch_size=4, precision="float32", phases=(),
        head_draws=1, patience=1, label_smoothing=0.0, class_weights="none", dropout=0.0,
        augment=AugmentConfig(), mix=MixConfig(), sampling="each", distill=None, test_draws=1,
        seed=0,
    )  # fmt: skip


def _counts(config: TrainConfig, good: str | None = None) -> dict[tuple[str, str], int]:
    found = read_good_only(config, good=good)
    assert len(found.pixels) == len(found.images)
    pairs = [(image.label, image.split) for image in found.images]
    return {pair: pairs.count(pair) for pair in sorted(set(pairs))}


def test_a_folder_of_images_is_good_ones(config: TrainConfig) -> None:
    _write(config.data, 10)
    assert _counts(config) == {("good", "train"): 6, ("good", "val"): 2, ("good", "test"): 2}


def test_other_classes_only_test(config: TrainConfig) -> None:
    for name, count in (("OK", 10), ("oil", 3), ("scratch", 4)):
        _write(config.data / name, count)
    counts = _counts(config)
    assert counts.pop(("defect", "test")) == 7
    assert counts == {("good", "train"): 6, ("good", "val"): 2, ("good", "test"): 2}


def test_good_names_the_folder(config: TrainConfig) -> None:
    for name in ("free", "crack"):
        _write(config.data / name, 10)
    with pytest.raises(EdgeclfError, match="give --good, one of crack, free"):
        read_good_only(config, good=None)
    with pytest.raises(EdgeclfError, match="holds no folder 'fine'; give --good, one of crack"):
        read_good_only(config, good="fine")
    assert _counts(config, "free")[("defect", "test")] == 10


def test_a_defect_of_a_group_that_is_learned_is_left_out(
    config: TrainConfig, tmp_path: Path
) -> None:
    for name in ("good", "oil"):
        _write(config.data / name, 10)
    rows = [f"{name}/{place:02}.png,g{place}" for name in ("good", "oil") for place in range(10)]
    table = tmp_path / "groups.csv"
    table.write_text("\n".join(["path,group", *rows]))
    found = read_good_only(replace(config, groups=table), good=None)
    sides: dict[str, set[str]] = {}
    for image in found.images:
        sides.setdefault(image.group, set()).add(image.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert sum(image.label == "defect" for image in found.images) == 2
    assert any(warning.startswith("left out 8 defect images") for warning in found.warnings)


def test_the_folders_of_mvtec_are_taken_as_they_are(config: TrainConfig) -> None:
    for name, count in (("train/good", 8), ("test/good", 4), ("test/broken", 3)):
        _write(config.data / name, count)
    assert _counts(config) == {
        ("good", "train"): 6, ("good", "val"): 2, ("good", "test"): 4, ("defect", "test"): 3,
    }  # fmt: skip


def test_an_unreadable_image_is_skipped_and_said(config: TrainConfig) -> None:
    _write(config.data, 10)
    (config.data / "broken.png").write_bytes(b"no picture")
    found = read_good_only(config, good=None)
    assert len(found.images) == 10
    assert any("broken.png" in warning for warning in found.warnings)


def test_a_folder_without_images_is_one_line(config: TrainConfig) -> None:
    config.data.mkdir()
    with pytest.raises(EdgeclfError, match="holds no image; give a folder of images of good"):
        read_good_only(config, good=None)
    with pytest.raises(EdgeclfError, match="no such folder"):
        read_good_only(replace(config, data=config.data / "gone"), good=None)


def test_too_few_good_images_are_one_line(config: TrainConfig) -> None:
    _write(config.data, 2)
    with pytest.raises(EdgeclfError, match="class 'good': 2 images in 2 groups cannot fill"):
        read_good_only(config, good=None)


@pytest.mark.parametrize(("count", "warned"), [(19, True), (20, False)])
def test_few_good_images_are_warned_of(config: TrainConfig, count: int, warned: bool) -> None:
    _write(config.data, count)
    found = read_good_only(config, good=None)
    text = f"{count} good images are few to set a threshold by; give 20 or more"
    assert (text in found.warnings) == warned
