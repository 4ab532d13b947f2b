"""Photographs as a model takes them: the pixels of many files."""

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images import ImageError, RGBImage, read_image
from ...edge_runtime.preprocess import ResizeRule, preprocess

# Above this, the pixels lie in a temporary file that the system pages in as it needs it.
_IN_MEMORY_BYTES = 2 << 30


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
    try:
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
    except OSError as error:
        raise EdgeclfError(
            f"{tempfile.gettempdir()}: cannot hold the pixels of {shape[0]} images "
            f"({error.strerror or error}); set TMPDIR to a folder with "
            f"{np.prod(shape, dtype=np.int64) / 1e9:.1f} GB"
        ) from None
