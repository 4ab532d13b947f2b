"""Photographs without labels, of which a teacher says what they show."""

from collections.abc import Callable, Sequence
from itertools import chain

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images.folders import scan_folder
from ...models.data.examples import NO_CLASS, Split
from ...models.data.labelled_images import load_images
from ..config import TrainConfig
from ..data_check.likeness.near_duplicates import near_duplicates_of


def read_unlabelled(
    config: TrainConfig, *, pixels: NDArray[np.uint8], splits: Sequence[str]
) -> tuple[Split | None, list[str]]:
    """Return the unlabelled photographs that may be learned from, if there are any, and warnings.

    Left out are those that cannot be read, and near-duplicates of the data's images: what is
    validated and tested on must be new to the network, and what it trains on it sees anyway.

    Args:
        config: the training, which names their folder.
        pixels: the data's images, uint8 of shape (images, height, width, 3).
        splits: the split of each.

    Raises:
        EdgeclfError: the folder cannot be read, or no photograph is left.
    """
    folder = None if config.distill is None else config.distill.unlabelled
    if folder is None:
        return None, []
    scan = scan_folder(folder)
    with click.progressbar(length=len(scan.files), label="Reading unlabelled images") as bar:
        loaded = load_images(
            scan.files, size_hw=config.input_hw, rule=config.resize, advance=bar.update
        )
    warnings = [*scan.warnings(folder), *(f"skipped {error}" for error in loaded.errors)]
    with click.progressbar(length=len(pixels) + len(loaded.pixels), label="Comparing") as bar:
        known = _known(pixels, loaded.pixels, splits, advance=bar.update)
    for split in sorted(set(known.values())):
        count = sum(each == split for each in known.values())
        warnings.append(f"{folder}: near-duplicates of {split} images left out: {count}")
    new = [place for place in range(len(loaded.pixels)) if place not in known]
    if not new:
        raise EdgeclfError(
            f"{folder}: none of its {len(scan.files)} photographs can be read and is not in the "
            "data already; give others, or leave --unlabelled out"
        )
    return Split(loaded.pixels[new], np.full(len(new), NO_CLASS)), warnings


def _known(
    pixels: NDArray[np.uint8],
    unlabelled: NDArray[np.uint8],
    splits: Sequence[str],
    *,
    advance: Callable[[int], object],
) -> dict[int, str]:
    """Return which of the unlabelled images the data has, too, and in which split."""
    known: dict[int, str] = {}
    for pair in near_duplicates_of(chain(pixels, unlabelled), advance=advance):
        if pair.first < len(pixels) <= pair.second:
            known[pair.second - len(pixels)] = splits[pair.first]
    return known
