"""A folder of labelled photographs: what is in it, and its pixels."""

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images import IMAGE_SUFFIXES, ImageError, RGBImage, find_images, read_image
from ...edge_runtime.preprocess import ResizeRule, preprocess

SPLITS = ("train", "val", "test")

# Above this, the pixels lie in a temporary file that the system pages in as it needs it.
_IN_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class LabelledImage:
    """One photograph of a data folder.

    Attributes:
        path: the file.
        label: its class, which is the name of its folder.
        split: `train`, `val` or `test` where the folder layout says so, else None.
    """

    path: Path
    label: str
    split: str | None


@dataclass(frozen=True)
class LoadedImages:
    """Photographs as the model takes them.

    Attributes:
        pixels: RGB uint8 of shape (readable images, height, width, 3).
        readable: for each path that was asked for, whether it is in `pixels`; the order is kept.
        errors: what was wrong with the others, one line each.
    """

    pixels: NDArray[np.uint8]
    readable: NDArray[np.bool_]
    errors: tuple[str, ...]


def scan_labelled_folder(root: Path) -> list[LabelledImage]:
    """List the images below `root/<class>/` or `root/train|val|test/<class>/`, sorted by path.

    Raises:
        EdgeclfError: `root` is no folder, holds no class, or has a class without an image; every
            such class is named.
    """
    if not root.is_dir():
        raise EdgeclfError(f"{root}: no such folder; give one with a folder of images per class")
    folders = _folders(root)
    class_folders: list[tuple[Path, str | None]]
    if folders and all(folder.name in SPLITS for folder in folders):
        class_folders = [(inner, outer.name) for outer in folders for inner in _folders(outer)]
    else:
        class_folders = [(folder, None) for folder in folders]
    if not class_folders:
        raise EdgeclfError(
            f"{root}: holds no class; put the images of each class in a folder of its name"
        )
    images: list[LabelledImage] = []
    empty: list[str] = []
    for folder, split in class_folders:
        paths = find_images(folder)
        images += [LabelledImage(path, folder.name, split) for path in paths]
        if not paths:
            known = " ".join(sorted(IMAGE_SUFFIXES))
            empty.append(
                f"{folder}: class {folder.name!r} holds no image ({known}); fill or remove it"
            )
    if empty:
        raise EdgeclfError("\n".join(empty))
    return images


def load_images(
    paths: Sequence[Path],
    *,
    size_hw: tuple[int, int],
    rule: ResizeRule,
    advance: Callable[[int], object] | None = None,
) -> LoadedImages:
    """Read and preprocess `paths`, several at a time; what cannot be read is left out and named.

    Args:
        paths: image files.
        size_hw: the model's input size in pixels.
        rule: how an image is brought to that size.
        advance: called with 1 after each image, for a progress bar.
    """

    def load(path: Path) -> RGBImage | ImageError:
        try:
            return preprocess(read_image(path), size_hw=size_hw, rule=rule)
        except ImageError as error:
            return error

    pixels = _allocate((len(paths), *size_hw, 3))
    readable = np.zeros(len(paths), np.bool_)
    errors = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for index, loaded in enumerate(pool.map(load, paths)):
            if isinstance(loaded, ImageError):
                errors.append(str(loaded))
            else:
                pixels[index - len(errors)] = loaded
                readable[index] = True
            if advance:
                advance(1)
    return LoadedImages(pixels[: readable.sum()], readable, tuple(errors))


def _allocate(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if not shape[0] or np.prod(shape, dtype=np.int64) <= _IN_MEMORY_BYTES:
        return np.empty(shape, np.uint8)
    # The file has no name: the system frees it with the array.
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)


def _folders(root: Path) -> list[Path]:
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
