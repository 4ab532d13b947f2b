"""From a data folder to arrays: what is there, what can be read, and which split it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.prediction import UNKNOWN
from ...edge_runtime.text import alike
from ...models.data.class_folders import SPLITS, LabelledImage, scan_labelled_folder
from ...models.data.examples import Split
from ...models.data.labelled_images import LoadedImages, load_images
from ...models.run import SplitImage
from ..config import TrainConfig
from ..data_check.columns import column_of
from ..data_check.likeness.near_duplicates import Pair, near_duplicates_of
from .distillation import teacher_split
from .split import fold_images, split_images
from .unlabelled import read_unlabelled


@dataclass(frozen=True)
class Dataset:
    """A data folder, read, checked and split.

    Attributes:
        labels: class names in order.
        images: every readable image with its split, in the order of the arrays before the split.
        splits: `train`, `val` and `test`, and `unlabelled` where there are such photographs.
        seen: for each test image, whether training sees it too, or a near-duplicate of it.
        warnings: what was left out or taken on trust, one line each.
    """

    labels: tuple[str, ...]
    images: tuple[SplitImage, ...]
    splits: dict[str, Split]
    seen: NDArray[np.bool_]
    warnings: tuple[str, ...]

    @cached_property
    def shown(self) -> Split:
        """What the network learns from: `train`, and what is unlabelled behind it."""
        train, more = self.splits["train"], self.splits.get("unlabelled")
        if more is None:
            return train
        pixels = np.concatenate([train.pixels, more.pixels])
        return Split(pixels, np.concatenate([train.classes, more.classes]))


def read_dataset(config: TrainConfig, *, fold: tuple[int, int] | None = None) -> Dataset:
    """Read the images of `config.data`, skip what is unreadable, split the rest, and print the
    warnings.

    Args:
        config: the training.
        fold: which fold of a cross-validation is the test, from 0, and how many there are; None
            for the split that `config` wants.

    Raises:
        EdgeclfError: the folder cannot serve for training; every reason is named.
    """
    check_apart(config.data, config.out)
    if config.distill is not None and config.distill.unlabelled is not None:
        check_apart(config.distill.unlabelled, config.out)
    folder = scan_labelled_folder(config.data)
    found = folder.images
    labels = tuple(sorted({image.label for image in found}))
    check_labels(config.data, labels)
    readable, loaded = read_images(found, config)
    _check_none_lost(labels, readable, loaded.errors)

    paths = [image.path.relative_to(config.data).as_posix() for image in readable]
    groups, splits, warnings = _groups_and_splits(readable, paths, config, fold)
    classes = np.asarray([labels.index(image.label) for image in readable])
    unlabelled = read_unlabelled(config)
    compared = [loaded.pixels] if unlabelled is None else [loaded.pixels, unlabelled.pixels]
    with click.progressbar(length=sum(map(len, compared)), label="Looking for duplicates") as bar:
        pairs = near_duplicates_of(chain(*compared), advance=bar.update)
    seen = _seen_in_training(pairs, splits)
    dataset_splits = {
        name: Split(loaded.pixels[mask], classes[mask])
        for name in ("train", "val", "test")
        for mask in [np.asarray(splits) == name]
    }
    skipped: tuple[str, ...] = ()
    if unlabelled is not None:
        dataset_splits["unlabelled"], skipped = unlabelled.new_to(splits, pairs)
    warnings = [
        *folder.warnings,
        *(f"skipped {error}" for error in loaded.errors),
        *warnings,
        *skipped,
        *_leak_warnings(splits, seen),
    ]
    for warning in warnings:
        echo_warning(warning)
    return Dataset(
        labels=labels,
        images=tuple(
            SplitImage(path, image.label, group, split)
            for path, image, group, split in zip(paths, readable, groups, splits, strict=True)
        ),
        splits=dataset_splits,
        seen=seen[np.asarray(splits) == "test"],
        warnings=tuple(warnings),
    )


def read_images(
    found: Sequence[LabelledImage], config: TrainConfig
) -> tuple[list[LabelledImage], LoadedImages]:
    """Return those of the images that can be read, and the pixels of these; show the progress.

    Args:
        found: images of the data folder.
        config: the training, which has the input size and the resize rule.
    """
    with click.progressbar(length=len(found), label="Reading images") as bar:
        loaded = load_images(
            [image.path for image in found],
            size_hw=config.input_hw,
            rule=config.resize,
            advance=bar.update,
        )
    readable = [image for image, ok in zip(found, loaded.readable, strict=True) if ok]
    return readable, loaded


def check_apart(data: Path, out: Path) -> None:
    """Refuse a run in a folder of images: its pictures would be data of the next training."""
    inside = out.resolve()
    if data.is_dir() and data.resolve() in (inside, *inside.parents):
        raise EdgeclfError(
            f"{out}: lies in the folder of images {data}, and the next training would learn from "
            "the run's pictures; choose another --out"
        )


def check_labels(root: Path, labels: tuple[str, ...]) -> None:
    """Refuse a data folder of a single class, or with a class that is no answer of a model."""
    if len(labels) < 2:
        raise EdgeclfError(
            f"{root}: holds one class, {', '.join(labels)}; a classifier needs two or more folders"
        )
    if any(alike(label) == UNKNOWN for label in labels):
        raise EdgeclfError(
            f"{root}: a class {UNKNOWN!r} would be mixed up with the answer {UNKNOWN!r}, which a "
            "threshold gives; rename it, as to `other`"
        )


def _check_none_lost(
    labels: tuple[str, ...], readable: list[LabelledImage], errors: tuple[str, ...]
) -> None:
    lost = sorted(set(labels) - {image.label for image in readable})
    if lost:
        raise EdgeclfError(
            "\n".join([*errors, f"no image can be read of: {', '.join(lost)}; replace the files"])
        )


def _groups_and_splits(
    images: list[LabelledImage],
    paths: list[str],
    config: TrainConfig,
    fold: tuple[int, int] | None,
) -> tuple[list[str], list[str], list[str]]:
    """Return the group and the split of each image, which a teacher decides, and warnings."""
    if config.distill is None:
        groups, warnings = read_groups(config.groups, paths)
        return groups, _split(images, groups, config, fold), warnings
    known, warnings = teacher_split(
        config.distill.teacher,
        data=config.data,
        paths=paths,
        labels=[image.label for image in images],
        resize=config.resize,
    )
    return [image.group for image in known], [image.split for image in known], warnings


def read_groups(csv_path: Path | None, paths: list[str]) -> tuple[list[str], list[str]]:
    """Return the group of each path, and warnings; without a file each image stands alone."""
    if csv_path is None:
        return [""] * len(paths), []
    groups = column_of(csv_path, "group", paths)
    alone = [path for path, group in zip(paths, groups, strict=True) if not group]
    warnings = [f"{csv_path}: no group for {path}; it stands alone" for path in alone]
    return groups, warnings


def _split(
    images: list[LabelledImage],
    groups: list[str],
    config: TrainConfig,
    fold: tuple[int, int] | None,
) -> list[str]:
    """Keep the folders' own splits, and carve what is missing out of `train`."""
    # An image without a group is a group of one.
    names = [group or f"\0{index}" for index, group in enumerate(groups)]
    given = {image.split for image in images}
    if fold is not None:
        if given != {None}:
            raise EdgeclfError(
                f"{config.data}: --folds deals out all images, but the folder has a split of its "
                "own; give one with a folder of images per class"
            )
        index, folds = fold
        return fold_images(
            [image.label for image in images],
            names,
            folds=folds,
            val_fraction=config.val_fraction,
            seed=config.seed,
        )[index]
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


def _seen_in_training(pairs: Sequence[Pair], splits: list[str]) -> NDArray[np.bool_]:
    """Tell of each image outside `train` whether `train` holds it too, or a near-duplicate.

    Pairs with images behind those of `splits` count for nothing.
    """
    seen = np.zeros(len(splits), np.bool_)
    for pair in pairs:
        if pair.second >= len(splits):
            continue
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if splits[other] == "train" and splits[one] != "train":
                seen[one] = True
    return seen


def _leak_warnings(splits: list[str], seen: NDArray[np.bool_]) -> list[str]:
    lines = []
    for split in SPLITS[1:]:
        of_split = np.asarray(splits) == split
        leaked = int(seen[of_split].sum())
        if leaked:
            lines.append(
                f"{leaked} of {of_split.sum()} {split} images ({leaked / of_split.sum():.0%}) have "
                "a near-duplicate in train, and flatter: `edgeclf data check DATA --propose-groups "
                "groups.csv`, then --groups groups.csv"
            )
    return lines
