"""From a data folder to arrays: what is there, what can be read, and which split it belongs to."""

import csv
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.labelled_images import LabelledImage, load_images, scan_labelled_folder
from ..models.examples import Split
from ..models.run import SplitImage
from .config import TrainConfig
from .split import split_images


@dataclass(frozen=True)
class Dataset:
    """A data folder, read, checked and split.

    Attributes:
        labels: class names in order.
        images: every readable image with its split, in the order of the arrays before the split.
        splits: `train`, `val` and `test`.
        warnings: what was left out or taken on trust, one line each.
    """

    labels: tuple[str, ...]
    images: tuple[SplitImage, ...]
    splits: dict[str, Split]
    warnings: tuple[str, ...]


def read_dataset(config: TrainConfig) -> Dataset:
    """Read the images of `config.data`, skip what is unreadable, and split the rest.

    Raises:
        EdgeclfError: the folder cannot serve for training; every reason is named.
    """
    found = scan_labelled_folder(config.data)
    labels = tuple(sorted({image.label for image in found}))
    _check_labels(config.data, labels)
    with click.progressbar(length=len(found), label="Reading images") as bar:
        loaded = load_images(
            [image.path for image in found],
            size_hw=config.input_hw,
            rule=config.resize,
            advance=bar.update,
        )
    kept = [image for image, ok in zip(found, loaded.readable, strict=True) if ok]
    _check_none_lost(labels, kept, loaded.errors)

    paths = [image.path.relative_to(config.data).as_posix() for image in kept]
    groups, warnings = _read_groups(config.groups, paths)
    splits = _split(kept, groups, config)
    classes = np.asarray([labels.index(image.label) for image in kept])
    return Dataset(
        labels=labels,
        images=tuple(
            SplitImage(path, image.label, group, split)
            for path, image, group, split in zip(paths, kept, groups, splits, strict=True)
        ),
        splits={
            name: Split(loaded.pixels[mask], classes[mask])
            for name in ("train", "val", "test")
            for mask in [np.asarray(splits) == name]
        },
        warnings=(*(f"skipped {error}" for error in loaded.errors), *warnings),
    )


def _check_labels(root: Path, labels: tuple[str, ...]) -> None:
    if len(labels) < 2:
        raise EdgeclfError(
            f"{root}: holds one class, {', '.join(labels)}; a classifier needs two or more folders"
        )
    by_lower: dict[str, str] = {}
    for label in labels:
        if label != label.strip():  # labels.txt is a line for each, and trims them
            raise EdgeclfError(f"{root}: class {label!r} begins or ends with a space; rename it")
        other = by_lower.setdefault(label.lower(), label)
        if other != label:
            raise EdgeclfError(
                f"{root}: classes {other!r} and {label!r} differ only by case; merge or rename one"
            )


def _check_none_lost(
    labels: tuple[str, ...], kept: list[LabelledImage], errors: tuple[str, ...]
) -> None:
    lost = sorted(set(labels) - {image.label for image in kept})
    if lost:
        raise EdgeclfError(
            "\n".join([*errors, f"no image can be read of: {', '.join(lost)}; replace the files"])
        )


def _read_groups(csv_path: Path | None, paths: list[str]) -> tuple[list[str], list[str]]:
    """Return the group of each path, and warnings; without a file each image stands alone."""
    if csv_path is None:
        return [""] * len(paths), []
    try:
        with csv_path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EdgeclfError(f"{csv_path}: cannot be read ({error}); give a CSV file") from None
    if not rows or not {"path", "group"} <= set(rows[0]):
        columns = ", ".join(rows[0]) if rows else "none"
        raise EdgeclfError(f"{csv_path}: expected the columns path, group; got {columns}")
    group_of = {row["path"].replace("\\", "/"): row["group"] for row in rows}
    groups = [group_of.get(path, "") for path in paths]
    alone = [path for path, group in zip(paths, groups, strict=True) if not group]
    if len(alone) == len(paths):
        raise EdgeclfError(
            f"{csv_path}: names none of the images; its paths must be relative to the data folder, "
            f"like {paths[0]}"
        )
    warnings = [f"{csv_path}: no group for {path}; it stands alone" for path in alone]
    return groups, warnings


def _split(images: list[LabelledImage], groups: list[str], config: TrainConfig) -> list[str]:
    """Keep the folders' own splits, and carve what is missing out of `train`."""
    # An image without a group is a group of one.
    names = [group or f"\0{index}" for index, group in enumerate(groups)]
    given = {image.split for image in images}
    if given == {None}:
        val, test = config.val_fraction, config.test_fraction
        return split_images(
            [image.label for image in images],
            names,
            fractions=(1 - val - test, val, test),
            seed=config.seed,
        )
    if "train" not in given:
        raise EdgeclfError(f"{config.data}: has no folder train; add it, or give no splits at all")
    train = [index for index, image in enumerate(images) if image.split == "train"]
    val = 0.0 if "val" in given else config.val_fraction
    test = 0.0 if "test" in given else config.test_fraction
    carved = split_images(
        [images[index].label for index in train],
        [names[index] for index in train],
        fractions=(1 - val - test, val, test),
        seed=config.seed,
    )
    splits = [image.split or "train" for image in images]
    for index, split in zip(train, carved, strict=True):
        splits[index] = split
    missing = {i.label for i in images} - {images[index].label for index in train}
    if missing:
        raise EdgeclfError(
            f"{config.data / 'train'}: lacks the classes {', '.join(sorted(missing))}; add them"
        )
    return splits
