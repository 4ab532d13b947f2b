"""Photographs without labels, of which a teacher says what they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images.folders import scan_folder
from ...models.data.examples import NO_CLASS, Split
from ...models.data.labelled_images import load_images
from ..config import TrainConfig
from ..data_check.likeness.near_duplicates import Pair


@dataclass(frozen=True)
class Unlabelled:
    """The photographs of a folder, read.

    Attributes:
        folder: where they are, at any depth.
        pixels: of those that can be read, uint8 of shape (images, height, width, 3).
        warnings: what was skipped, one line each.
    """

    folder: Path
    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...]

    def new_to(self, splits: Sequence[str], pairs: Sequence[Pair]) -> tuple[Split, tuple[str, ...]]:
        """Return the photographs that may be learned from, and all warnings.

        Near-duplicates of the data's images are left out: what is validated and tested on must be
        new to the network, and what it trains on it sees anyway.

        Args:
            splits: the split of each of the data's images.
            pairs: near-duplicates among these and, behind them, the photographs.

        Raises:
            EdgeclfError: no photograph is left.
        """
        count = len(splits)
        known = {
            pair.second - count: splits[pair.first]
            for pair in pairs
            if pair.first < count <= pair.second
        }
        new = [place for place in range(len(self.pixels)) if place not in known]
        if not new:
            raise EdgeclfError(
                f"{self.folder}: each of its {len(self.pixels)} photographs is a near-duplicate of "
                "an image of the data; give others, or leave --unlabelled out"
            )
        left_out = [
            f"{self.folder}: near-duplicates of {split} images left out: "
            f"{list(known.values()).count(split)}"
            for split in sorted(set(known.values()))
        ]
        split = Split(self.pixels[new], np.full(len(new), NO_CLASS))
        return split, (*self.warnings, *left_out)


def read_unlabelled(config: TrainConfig) -> Unlabelled | None:
    """Return the photographs of the folder that `config` names, if it names one.

    Raises:
        EdgeclfError: the folder, or all of its photographs, cannot be read.
    """
    folder = None if config.distill is None else config.distill.unlabelled
    if folder is None:
        return None
    scan = scan_folder(folder)
    with click.progressbar(length=len(scan.files), label="Reading unlabelled images") as bar:
        loaded = load_images(
            scan.files, size_hw=config.input_hw, rule=config.resize, advance=bar.update
        )
    warnings = (*scan.warnings(folder), *(f"skipped {error}" for error in loaded.errors))
    if not len(loaded.pixels):
        nothing = f"{folder}: holds no photograph that can be read; give others"
        raise EdgeclfError("\n".join([*warnings, f"{nothing}, or leave --unlabelled out"]))
    return Unlabelled(folder, loaded.pixels, warnings)
