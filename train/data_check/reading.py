"""Every file of a data folder, read once."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.images import ImageError, decode_image
from ...models.data.class_folders import LabelledImage
from .likeness.appearance import Spectrum, perceptual_hash, spectrum
from .likeness.landmarks import Landmarks, find_landmarks


@dataclass(frozen=True)
class Photograph:
    """One image that can be read.

    Attributes:
        path: relative to the data folder, with forward slashes.
        label: its class.
        split: `train`, `val` or `test`; empty where no split is known.
        sha256: of the file's bytes, in hexadecimal.
        width: in pixels.
        height: in pixels.
        brightness: mean grey level, 0 to 255.
        contrast: standard deviation of the grey levels.
    """

    path: str
    label: str
    split: str
    sha256: str
    width: int
    height: int
    brightness: float
    contrast: float


@dataclass(frozen=True)
class Corrupt:
    """A file that is no image, or not a whole one.

    Attributes:
        path: relative to the data folder, with forward slashes.
        label: its class.
        reason: what is wrong with it.
    """

    path: str
    label: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """What a data folder holds.

    Attributes:
        photographs: all that can be read, sorted by path.
        corrupt: all that cannot.
        hashes: of the photographs, uint8 of shape (photographs, 8).
        squares: spectra of the photographs, stretched to a square.
        pictures: spectra of the photographs in their own aspect ratio.
        landmarks: of the photographs; none if scenes are not asked for.
    """

    photographs: tuple[Photograph, ...]
    corrupt: tuple[Corrupt, ...]
    hashes: NDArray[np.uint8]
    squares: Spectrum
    pictures: Spectrum
    landmarks: tuple[Landmarks, ...]


@dataclass(frozen=True)
class _Seen:
    photograph: Photograph
    hash: NDArray[np.uint8]
    square: Spectrum
    picture: Spectrum
    landmarks: Landmarks | None


def read_folder(
    root: Path,
    images: Sequence[LabelledImage],
    splits: Sequence[str],
    *,
    scenes: bool = True,
    advance: Callable[[int], object] | None = None,
) -> Reading:
    """Read the `images` below `root`, several at a time.

    Args:
        root: the data folder.
        images: as `scan_labelled_folder` lists them.
        splits: the split of each, empty where it is not known.
        scenes: whether to look for landmarks, which takes longest.
        advance: called with 1 after each image, for a progress bar.
    """

    def see(image: LabelledImage, split: str) -> _Seen | Corrupt:
        path = image.path.relative_to(root).as_posix()
        try:
            return _see(image, path, split, scenes=scenes)
        except ImageError as error:
            return Corrupt(path, image.label, error.reason)

    seen: list[_Seen] = []
    corrupt: list[Corrupt] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for each in pool.map(see, images, splits):
            if isinstance(each, Corrupt):
                corrupt.append(each)
            else:
                seen.append(each)
            if advance:
                advance(1)
    return Reading(
        photographs=tuple(each.photograph for each in seen),
        corrupt=tuple(corrupt),
        hashes=np.asarray([each.hash for each in seen], np.uint8).reshape(-1, 8),
        squares=np.asarray([each.square for each in seen], np.complex64),
        pictures=np.asarray([each.picture for each in seen], np.complex64),
        landmarks=tuple(each.landmarks for each in seen if each.landmarks),
    )


def _see(image: LabelledImage, path: str, split: str, *, scenes: bool) -> _Seen:
    try:
        data = image.path.read_bytes()
    except OSError as error:
        raise ImageError(path, f"cannot be read ({error.strerror})") from None
    rgb = decode_image(data, name=path)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    photograph = Photograph(
        path=path,
        label=image.label,
        split=split,
        sha256=hashlib.sha256(data).hexdigest(),
        width=grey.shape[1],
        height=grey.shape[0],
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
    )
    return _Seen(
        photograph,
        perceptual_hash(grey),
        spectrum(grey, keep_aspect=False),
        spectrum(grey, keep_aspect=True),
        find_landmarks(grey) if scenes else None,
    )
