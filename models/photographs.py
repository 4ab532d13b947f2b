"""Which photographs a model is calibrated or scored on, and their pixels."""

from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.command_line.warning import echo_warning
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.images.folders import scan_folder
from ..edge_runtime.preprocess import ResizeRule
from .data.class_folders import LabelledImage, scan_labelled_folder
from .data.labelled_images import load_images
from .good_only import DEFECT, GOOD, USUAL_GOOD, is_good_only, usual_good
from .run import Run


@dataclass(frozen=True)
class Photographs:
    """Image files with their classes.

    Attributes:
        paths: the files.
        labels: the class of each; all empty where they are not known.
    """

    paths: tuple[Path, ...]
    labels: tuple[str, ...]


def run_data(run: Run, *, data: Path | None = None) -> Path:
    """Return the folder of the images of `run`: `data`, if that is given, as it has moved.

    Raises:
        EdgeclfError: it is not there.
    """
    root = data or run.data
    if not root.is_dir():
        raise EdgeclfError(
            f"{root}: no such folder, though the run was trained on it; "
            "give the folder's new place with --data"
        )
    return root


def run_photographs(run: Run, split: str, *, data: Path | None = None) -> Photographs:
    """Return the photographs of a split of `run`, below `data` if its folder has moved."""
    images = run.split(split)
    root = run_data(run, data=data)
    there = [(root / image.path).exists() for image in images]
    if not all(there):
        left = {image.label for image, is_there in zip(images, there, strict=True) if is_there}
        lost = sorted({image.label for image in images} - left)
        of_class = f", all of class {lost[0]!r} among them" if lost and left else ""
        raise EdgeclfError(
            f"{root}: lacks {there.count(False)} of the run's {len(images)} {split} images"
            f"{of_class}, the first {images[there.index(False)].path}; put them back, or give the "
            "folder's new place with --data"
        )
    return Photographs(tuple(root / i.path for i in images), tuple(i.label for i in images))


def run_groups(run: Run, split: str, *, data: Path | None = None) -> dict[Path, str]:
    """Return the group of each of `run_photographs`, by its file; empty where it stands alone."""
    return {(data or run.data) / image.path: image.group for image in run.split(split)}


def folder_photographs(folder: Path) -> Photographs:
    """Return all photographs below `folder`, whose classes do not matter."""
    if not folder.is_dir():
        raise EdgeclfError(f"{folder}: no such folder; give a folder of photographs")
    scan = scan_folder(folder)
    paths = scan.files
    for warning in scan.warnings(folder):
        echo_warning(warning)
    if not paths:
        raise EdgeclfError(f"{folder}: holds no image; give a folder of photographs")
    return Photographs(paths, ("",) * len(paths))


def labelled_photographs(folder: Path, labels: tuple[str, ...]) -> Photographs:
    """Return the photographs of `folder`, a folder per class, each of which must be in `labels`.

    For a model that has seen good images only, every class that is not good is a defect.
    """
    found = scan_labelled_folder(folder)
    images = found.images
    for warning in found.warnings:
        echo_warning(warning)
    if is_good_only(labels):
        images = _good_or_defect(images, folder)
    unknown = sorted({image.label for image in images} - set(labels))
    if unknown:
        known = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
        raise EdgeclfError(
            f"{folder}: class {unknown[0]!r} is none of the model's {len(labels)} ({known}); "
            "rename the folder, or give data of these classes"
        )
    return Photographs(tuple(i.path for i in images), tuple(i.label for i in images))


def _good_or_defect(images: tuple[LabelledImage, ...], folder: Path) -> tuple[LabelledImage, ...]:
    names = sorted({image.label for image in images})
    good = usual_good(names)
    if good is None:
        raise EdgeclfError(
            f"{folder}: expected one folder {', '.join(USUAL_GOOD[:-1])} or {USUAL_GOOD[-1]}, and "
            f"defects in the others; got {', '.join(names)}"
        )
    return tuple(replace(image, label=GOOD if image.label == good else DEFECT) for image in images)


def load_photographs(
    photographs: Photographs, *, size_hw: tuple[int, int], rule: ResizeRule
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return the pixels and labels of all that can be read; warn of each that cannot.

    Returns:
        RGB uint8 of shape (images, height, width, 3), and the class of each.
    """
    pixels, readable = readable_photographs(photographs, size_hw=size_hw, rule=rule)
    return pixels, readable.labels


def readable_photographs(
    photographs: Photographs, *, size_hw: tuple[int, int], rule: ResizeRule
) -> tuple[NDArray[np.uint8], Photographs]:
    """Return the pixels of all that can be read, and which these are; warn of each that cannot.

    Returns:
        RGB uint8 of shape (images, height, width, 3), and the photographs in the same order.
    """
    with click.progressbar(length=len(photographs.paths), label="Reading images") as bar:
        loaded = load_images(photographs.paths, size_hw=size_hw, rule=rule, advance=bar.update)
    if not len(loaded.pixels):
        raise EdgeclfError(
            f"none of {len(loaded.errors)} images can be read; replace them (the first is "
            f"{loaded.errors[0]})"
        )
    for error in loaded.errors:
        echo_warning(f"skipped {error}")
    left = np.flatnonzero(loaded.readable)
    return loaded.pixels, Photographs(
        tuple(photographs.paths[i] for i in left), tuple(photographs.labels[i] for i in left)
    )
