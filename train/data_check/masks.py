"""Masks of defects, held against the images they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images import ImageError, read_image
from ...edge_runtime.images.folders import find_images
from .reading import Corrupt, Photograph


@dataclass(frozen=True)
class Masks:
    """What does not fit between images and masks; paths have forward slashes.

    Attributes:
        folder: of the masks.
        masks: number of masks.
        without_image: masks whose image is missing, relative to their folder.
        without_mask: images, of the classes that have masks, whose mask is missing.
        other_size: images whose mask has another aspect ratio.
        empty: masks that mark nothing.
        unreadable: masks that cannot be read, each with the reason.
    """

    folder: str
    masks: int
    without_image: tuple[str, ...]
    without_mask: tuple[str, ...]
    other_size: tuple[str, ...]
    empty: tuple[str, ...]
    unreadable: tuple[str, ...]


def check_masks(
    folder: Path, photographs: tuple[Photograph, ...], corrupt: tuple[Corrupt, ...]
) -> Masks:
    """Hold `folder/<class>/<name>.<any>` against the images `<class>/<name>.<any>`.

    Raises:
        EdgeclfError: the folder is missing or holds no image.
    """
    mask_of = _masks_by_stem(folder)
    image_of = {_stem(photograph.path): photograph for photograph in photographs}
    known = {*image_of, *(_stem(each.path) for each in corrupt)}
    masked_classes = {stem.rpartition("/")[0] for stem in mask_of}

    other_size, empty, unreadable = [], [], []
    for stem, path in mask_of.items():
        if stem not in image_of:
            continue
        photograph = image_of[stem]
        try:
            mask = read_image(path, background=0)
        except ImageError as error:
            unreadable.append(str(error))
            continue
        # Equal once the longer side is as long, to within a pixel.
        height, width = mask.shape[:2]
        factor = max(photograph.width, photograph.height) / max(width, height)
        off = abs(width * factor - photograph.width), abs(height * factor - photograph.height)
        if max(off) > max(1.0, factor):
            other_size.append(photograph.path)
        if not np.count_nonzero(cv2.cvtColor(mask, cv2.COLOR_RGB2GRAY)):
            empty.append(path.relative_to(folder).as_posix())
    return Masks(
        folder=str(folder),
        masks=len(find_images(folder)),
        without_image=tuple(
            path.relative_to(folder).as_posix()
            for stem, path in mask_of.items()
            if stem not in known
        ),
        without_mask=tuple(
            photograph.path
            for stem, photograph in image_of.items()
            if stem.rpartition("/")[0] in masked_classes and stem not in mask_of
        ),
        other_size=tuple(other_size),
        empty=tuple(empty),
        unreadable=tuple(unreadable),
    )


def find_masks(folder: Path, photographs: Sequence[Photograph]) -> dict[int, Path]:
    """Return the mask of each photograph that has one, by the photograph's place.

    Raises:
        EdgeclfError: the folder is missing or holds no image.
    """
    mask_of = _masks_by_stem(folder)
    stems = [_stem(photograph.path) for photograph in photographs]
    return {place: mask_of[stem] for place, stem in enumerate(stems) if stem in mask_of}


def _masks_by_stem(folder: Path) -> dict[str, Path]:
    paths = find_images(folder) if folder.is_dir() else []
    if not paths:
        raise EdgeclfError(
            f"{folder}: no such folder of masks, or an empty one; give one with a folder per class"
        )
    return {_stem(path.relative_to(folder).as_posix()): path for path in paths}


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.rpartition('.')[0]}"
