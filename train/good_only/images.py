"""The images of a training that learns good ones only, and which split they belong to."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images.folders import scan_folder, subfolders
from ...models.data.class_folders import LabelledImage, scan_labelled_folder
from ...models.good_only import DEFECT, GOOD, GOOD_ONLY_LABELS, usual_good
from ...models.run import SplitImage
from ..config import TrainConfig
from ..data.dataset import check_apart, read_groups, read_images
from ..data.split import split_images

_ENOUGH = 20
_FITTED = ("train", "val")


@dataclass(frozen=True, eq=False)
class GoodOnlyImages:
    """A data folder, read and split.

    Attributes:
        images: every image that is used, with its split; all that is not good is a test image.
        pixels: the same, RGB uint8 of shape (images, height, width, 3).
        warnings: what was left out or taken on trust, one line each.
    """

    images: tuple[SplitImage, ...]
    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...]

    def of(self, split: str) -> NDArray[np.intp]:
        """Return the places of the images of a split."""
        return np.flatnonzero([image.split == split for image in self.images])

    @property
    def classes(self) -> NDArray[np.intp]:
        """The class index of each image, of shape (images,)."""
        return np.asarray([GOOD_ONLY_LABELS.index(image.label) for image in self.images], np.intp)

    @property
    def groups(self) -> list[str]:
        """The group of each image; empty if it stands alone."""
        return [image.group for image in self.images]


def read_good_only(config: TrainConfig, *, good: str | None) -> GoodOnlyImages:
    """Read the images of `config.data` and split the good ones.

    Args:
        config: the training.
        good: name of the folder of good images; None for the one with a usual name, or for a
            folder that holds no other.

    Raises:
        EdgeclfError: no folder is known to be that of good images, or there are too few of them.
    """
    check_apart(config.data, config.out)
    found, warnings = _scan(config.data, good)
    readable, loaded = read_images(found, config)
    paths = [image.path.relative_to(config.data).as_posix() for image in readable]
    groups, more = read_groups(config.groups, paths)
    splits = _split(readable, groups, config)
    kept = [place for place, split in enumerate(splits) if split]
    good_images = sum(readable[place].label == GOOD for place in kept)
    lost = Counter(readable[place].label for place, split in enumerate(splits) if not split)
    return GoodOnlyImages(
        tuple(SplitImage(paths[i], readable[i].label, groups[i], splits[i]) for i in kept),
        loaded.pixels[kept],
        (
            *warnings,
            *(f"skipped {error}" for error in loaded.errors),
            *more,
            *(
                f"left out {count} {label} images: of their groups the training has good ones, or "
                "they stand in a folder for training"
                for label, count in lost.items()
            ),
            *(
                [f"{good_images} good images are few to set a threshold by; give {_ENOUGH} or more"]
                if good_images < _ENOUGH
                else []
            ),
        ),
    )


def _scan(root: Path, good: str | None) -> tuple[list[LabelledImage], tuple[str, ...]]:
    """Return the images, each called good or defect, and warnings."""
    if root.is_dir() and not any(subfolders(root)):
        if good is not None:
            raise EdgeclfError(f"{root}: holds no folder {good!r}; leave --good out, or make it")
        scan = scan_folder(root)
        if not scan.files:
            raise EdgeclfError(f"{root}: holds no image; give a folder of images of good parts")
        images = [LabelledImage(path, GOOD, None) for path in scan.files]
        return images, tuple(scan.warnings(root))
    folder = scan_labelled_folder(root)
    labels = sorted({image.label for image in folder.images})
    name = _good_folder(root, labels, good)
    images = [
        LabelledImage(each.path, GOOD if each.label == name else DEFECT, each.split)
        for each in folder.images
    ]
    return images, folder.warnings


def _good_folder(root: Path, labels: list[str], good: str | None) -> str:
    if good in labels:
        return str(good)
    name = labels[0] if len(labels) == 1 else usual_good(labels)
    if good is None and name is not None:
        return name
    what = f"holds no folder {good!r};" if good else "which folder holds the good images?"
    raise EdgeclfError(f"{root}: {what} give --good, one of {', '.join(labels)}")


def _split(images: list[LabelledImage], groups: list[str], config: TrainConfig) -> list[str]:
    """Return the split of each image, empty for one that must not be used.

    A defect is for the test, unless something of its group is not.
    """
    names = [group or f"\0{place}" for place, group in enumerate(groups)]
    splits = [image.split or "" for image in images]
    open_places = [
        place
        for place, image in enumerate(images)
        if image.label == GOOD and image.split in (None, "train")
    ]
    given = {image.split for image in images if image.label == GOOD}
    val = 0.0 if "val" in given else config.val_fraction
    test = 0.0 if "test" in given else config.test_fraction
    if not open_places:
        raise EdgeclfError(f"{config.data}: has no good image to train on; add some")
    carved = split_images(
        [GOOD] * len(open_places),
        [names[place] for place in open_places],
        fractions=(1 - val - test, val, test),
        seed=config.seed,
    )
    for place, split in zip(open_places, carved, strict=True):
        splits[place] = split
    fitted = {
        names[place]
        for place, image in enumerate(images)
        if image.label == GOOD and splits[place] in _FITTED
    }
    for place, image in enumerate(images):
        if image.label == DEFECT:
            used = image.split in _FITTED or names[place] in fitted
            splits[place] = "" if used else "test"
    return splits
