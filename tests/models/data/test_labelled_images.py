"""A folder of labelled photographs is listed, checked and loaded."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.data import labelled_images
from edgeclf.models.data.class_folders import scan_labelled_folder
from edgeclf.models.data.labelled_images import load_images


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def listed(root: Path) -> list[tuple[str, str, str | None]]:
    return [
        (image.path.relative_to(root).as_posix(), image.label, image.split)
        for image in scan_labelled_folder(root).images
    ]


def write_grey(path: Path, level: int) -> Path:
    cv2.imwrite(str(path), np.full((6, 9, 3), level, np.uint8))
    return path


def test_flat_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/1.JPG", "a/x.webp", "a/deep/er/y.tif", "readme.txt", "stray.png")
    assert listed(tmp_path) == [
        ("a/deep/er/y.tif", "a", None),
        ("a/x.webp", "a", None),
        ("b/1.JPG", "b", None),
        ("b/2.png", "b", None),
    ]


def test_nested_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/2.png", "val/a/3.png", "test/b/4.png")
    assert listed(tmp_path) == [
        ("test/b/4.png", "b", "test"),
        ("train/a/1.png", "a", "train"),
        ("train/b/2.png", "b", "train"),
        ("val/a/3.png", "a", "val"),
    ]


def test_train_alone_is_a_split(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/2.png")
    assert [split for _, _, split in listed(tmp_path)] == ["train", "train"]


def test_a_class_may_be_called_train_beside_others(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.png", "car/2.png")
    assert listed(tmp_path) == [("car/2.png", "car", None), ("train/1.png", "train", None)]


def test_hidden_and_other_files_are_ignored(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/._1.png", "a/.2.jpg", "a/notes.txt", "a/Thumbs.db", ".git/3.png")
    (tmp_path / "a" / "folder.png").mkdir()
    assert listed(tmp_path) == [("a/1.png", "a", None)]


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_every_empty_class_is_named(tmp_path: Path, prefix: str) -> None:
    touch(tmp_path, f"{prefix}full/1.png", f"{prefix}bare/notes.txt")
    (tmp_path / prefix / "void").mkdir()
    with pytest.raises(EdgeclfError) as caught:
        scan_labelled_folder(tmp_path)
    bare, void = str(caught.value).splitlines()
    assert bare.startswith(f"{tmp_path / prefix / 'bare'}: class 'bare' holds no image")
    assert void.startswith(f"{tmp_path / prefix / 'void'}: class 'void' holds no image")
    assert ".png" in void


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(EdgeclfError, match="data: no such folder"):
        scan_labelled_folder(tmp_path / "data")
    touch(tmp_path, "data")
    with pytest.raises(EdgeclfError, match="data: no such folder"):
        scan_labelled_folder(tmp_path / "data")


@pytest.mark.parametrize("inside", [[], ["1.png", "2.png"], [".hidden/1.png"]])
def test_no_class(tmp_path: Path, inside: list[str]) -> None:
    touch(tmp_path, *inside)
    with pytest.raises(EdgeclfError) as caught:
        scan_labelled_folder(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: holds no class")


def test_loading_keeps_the_order_and_leaves_out_what_is_unreadable(tmp_path: Path) -> None:
    paths = [write_grey(tmp_path / f"{level}.png", level) for level in (200, 10, 90, 30, 170)]
    paths[1].write_bytes(paths[1].read_bytes()[:-20])
    paths[4].write_text("no pixels")
    paths.append(tmp_path / "gone.png")
    steps: list[int] = []
    loaded = load_images(paths, size_hw=(4, 5), rule="stretch", advance=steps.append)
    assert loaded.pixels.shape == (3, 4, 5, 3)
    assert loaded.pixels.dtype == np.uint8
    assert loaded.pixels[:, 0, 0, 0].tolist() == [200, 90, 30]
    assert loaded.readable.tolist() == [True, False, True, True, False, False]
    assert [error.split(": ")[0] for error in loaded.errors] == [str(paths[i]) for i in (1, 4, 5)]
    assert steps == [1] * 6


@pytest.mark.parametrize(("rule", "black_rows"), [("stretch", 0), ("crop", 0), ("pad", 3)])
def test_loading_follows_the_resize_rule(tmp_path: Path, rule: str, black_rows: int) -> None:
    path = write_grey(tmp_path / "a.png", 80)
    loaded = load_images([path], size_hw=(9, 9), rule=rule)  # type: ignore[arg-type]
    assert (loaded.pixels[0].max((1, 2)) == 0).sum() == black_rows


def test_loading_nothing_gives_nothing(tmp_path: Path) -> None:
    assert load_images([], size_hw=(4, 5), rule="stretch").pixels.shape == (0, 4, 5, 3)
    unreadable = load_images([tmp_path / "gone.png"], size_hw=(4, 5), rule="stretch")
    assert unreadable.pixels.shape == (0, 4, 5, 3)
    assert len(unreadable.errors) == 1


def test_many_pixels_lie_in_a_file_with_the_same_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_grey(tmp_path / f"{level}.png", level) for level in (1, 2, 3)]
    in_memory = load_images(paths, size_hw=(4, 5), rule="stretch").pixels
    monkeypatch.setattr(labelled_images, "_IN_MEMORY_BYTES", 100)
    in_file = load_images(paths, size_hw=(4, 5), rule="stretch").pixels
    assert isinstance(in_file, np.memmap)
    np.testing.assert_array_equal(in_file, in_memory)
