"""The images that novelty models are fitted on, and what a file computes of them."""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.classifier import Classifier
from ..edge_runtime.command_line.warning import echo_warning
from ..edge_runtime.novelty.model import NoveltyModel
from ..models.float_model import FloatModelInfo
from ..models.metrics.detection import group_numbers
from ..models.novelty.fit import Observed, fit_novelty
from ..models.photographs import Photographs, readable_photographs, run_groups, run_photographs
from ..models.run import Run
from .quantize.calibrate import choose_balanced

# More train images hardly change what is fitted, and each file is run on all of them.
_MOST_TRAIN, _MOST_HELD_OUT = 1000, 500
# Fewer say nothing of how novel known images are.
_FEWEST_HELD_OUT = 2


@dataclass(frozen=True)
class Images:
    """Images of known classes.

    Attributes:
        pixels: RGB uint8 of shape (images, height, width, 3).
        classes: class index of each, of shape (images,).
        groups: what thing each shows, of shape (images,).
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.intp]
    groups: NDArray[np.intp]


@dataclass(frozen=True)
class NoveltyImages:
    """What novelty models are fitted on.

    Attributes:
        train: images that the network was trained on.
        held_out: images that it was not trained on.
        false_unknown: share of known images that may be said to be unknown.
    """

    train: Images
    held_out: Images
    false_unknown: float

    def fit(self, path: Path) -> NoveltyModel:
        """Return the novelty model of the file at `path`, which gives its features."""
        classifier = Classifier(path)
        train, held_out = (
            _observe(classifier, part, label=f"Features of {classifier.spec.recipe}, {name}")
            for part, name in ((self.train, "train"), (self.held_out, "val"))
        )
        return fit_novelty(train, held_out, false_unknown=self.false_unknown)


def load_novelty_images(
    run: Run, *, data: Path | None, seed: int, false_unknown: float
) -> NoveltyImages | None:
    """Read the images of a run that novelty models are fitted on; None if there are too few.

    Args:
        run: of the network.
        data: folder of the run's images, if that has moved.
        seed: of the choice among many.
        false_unknown: share of known images that may be said to be unknown.
    """
    train, held_out = (
        _load(run, split, data=data, most=most, seed=seed)
        for split, most in (("train", _MOST_TRAIN), ("val", _MOST_HELD_OUT))
    )
    if len(held_out.pixels) < _FEWEST_HELD_OUT:
        echo_warning(
            f"{len(held_out.pixels)} validation image is too few to tell what is unlike "
            f"the training: the files will not; {_FEWEST_HELD_OUT} or more are needed"
        )
        return None
    return NoveltyImages(train, held_out, false_unknown=false_unknown)


def _load(run: Run, split: str, *, data: Path | None, most: int, seed: int) -> Images:
    info: FloatModelInfo = run.info
    found = run_photographs(run, split, data=data)
    groups = run_groups(run, split, data=data)
    pairs = list(zip(found.paths, found.labels, strict=True))
    chosen = choose_balanced(pairs, found.labels, count=most, seed=seed)
    photographs = Photographs(*map(tuple, zip(*chosen, strict=True)))
    pixels, read = readable_photographs(photographs, size_hw=info.input_hw, rule=info.resize)
    return Images(
        pixels,
        np.asarray([info.labels.index(label) for label in read.labels], np.intp),
        group_numbers([groups[path] for path in read.paths]),
    )


def _observe(classifier: Classifier, images: Images, *, label: str) -> Observed:
    with click.progressbar(images.pixels, label=label) as bar:
        seen = [classifier.observe(pixels) for pixels in bar]
    parts = [(one.features, one.scores, one.appearance) for one in seen]
    features, scores, appearances = (np.stack(part) for part in zip(*parts, strict=True))
    return Observed(features, scores, images.classes, images.groups, appearances)
