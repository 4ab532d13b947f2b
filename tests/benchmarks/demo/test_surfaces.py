from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.benchmarks.demo.surfaces import SURFACE_CLASSES, draw_surface, write_surfaces

DEFECTS = tuple(name for name in SURFACE_CLASSES if name != "good")


def draw(defect: str, seed: int, size: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    return draw_surface(defect, size=size, rng=np.random.default_rng(seed))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.png"))
    }


@pytest.mark.parametrize("defect", SURFACE_CLASSES)
@pytest.mark.parametrize("size", [32, 96, 131])
def test_shapes_and_types(defect: str, size: int) -> None:
    picture, mask = draw(defect, seed=3, size=size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert mask.shape == (size, size)
    assert mask.dtype == np.bool_
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("defect", SURFACE_CLASSES)
def test_same_seed_gives_same_bytes_and_another_seed_does_not(defect: str) -> None:
    picture, mask = draw(defect, seed=5)
    again, mask_again = draw(defect, seed=5)
    assert picture.tobytes() == again.tobytes()
    assert mask.tobytes() == mask_again.tobytes()
    assert picture.tobytes() != draw(defect, seed=6)[0].tobytes()


def test_good_has_an_empty_mask() -> None:
    assert not any(draw("good", seed)[1].any() for seed in range(20))


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("size", [32, 64])
def test_defect_masks_are_neither_empty_nor_everything(defect: str, size: int) -> None:
    shares = [draw(defect, seed, size)[1].mean() for seed in range(60)]
    assert min(shares) > 0.002
    assert max(shares) < (0.12 if defect == "scratch" else 0.6)


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_shows_inside_its_mask(defect: str) -> None:
    """Fine detail is stronger on the defect than beside it, on average over pictures."""
    ratios = []
    for seed in range(40):
        picture, mask = draw(defect, seed)
        grey = picture.mean(axis=2)
        detail = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 4))
        ratios.append(detail[mask].mean() / detail[~mask].mean())
    assert np.mean(ratios) > 1.2


def test_brightness_does_not_give_the_class_away() -> None:
    levels = {name: [draw(name, seed)[0].mean() for seed in range(60)] for name in SURFACE_CLASSES}
    means = [np.mean(values) for values in levels.values()]
    assert max(means) - min(means) < 0.5 * min(np.std(values) for values in levels.values())


@pytest.mark.parametrize("defect", ["dent", "Good", ""])
def test_unknown_defect_is_named_with_the_valid_ones(defect: str) -> None:
    with pytest.raises(ValueError, match=f"{defect!r}.*good, oil, scratch, stain"):
        draw(defect, seed=0)


def test_too_small_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size is 31"):
        draw("good", seed=0, size=31)


def test_files_and_masks_are_written(tmp_path: Path) -> None:
    write_surfaces(tmp_path / "data", per_class=2, size=48, seed=1)
    names = {name: [f"{name}/{name}_0001.png", f"{name}/{name}_0002.png"] for name in DEFECTS}
    masks = [name for pair in names.values() for name in pair]
    assert sorted(files_of(tmp_path / "data-masks")) == masks
    pictures = sorted([*masks, "good/good_0001.png", "good/good_0002.png"])
    assert sorted(files_of(tmp_path / "data")) == pictures

    rng = np.random.default_rng([1, SURFACE_CLASSES.index("oil"), 2])
    picture, mask = draw_surface("oil", size=48, rng=rng)
    written = cv2.imread(str(tmp_path / "data/oil/oil_0002.png"), cv2.IMREAD_UNCHANGED)
    written_mask = cv2.imread(str(tmp_path / "data-masks/oil/oil_0002.png"), cv2.IMREAD_UNCHANGED)
    assert written is not None
    assert written_mask is not None
    assert np.array_equal(written[..., ::-1], picture)
    assert np.array_equal(written_mask, np.where(mask, 255, 0))


def test_a_larger_set_extends_a_smaller_one(tmp_path: Path) -> None:
    write_surfaces(tmp_path / "few", per_class=1, size=40, seed=2)
    write_surfaces(tmp_path / "many", per_class=3, size=40, seed=2)
    few, many = files_of(tmp_path / "few"), files_of(tmp_path / "many")
    assert len(few) == 4
    assert len(many) == 12
    assert few.items() <= many.items()


def test_another_seed_gives_other_pictures(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_surfaces(tmp_path / str(seed), per_class=1, size=40, seed=seed)
    one, two = files_of(tmp_path / "1"), files_of(tmp_path / "2")
    assert all(one[name] != two[name] for name in one)
