"""Where the model looks: class activation maps of some test images, and the pointing game."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images import RGBImage
from ...edge_runtime.preprocess import ResizeRule
from ...models.data.examples import Split
from ...models.float_model import FloatModel
from ...models.masks import Mask, MaskedImages, load_masked_images
from ...models.metrics.scoring import ClassScores
from ...models.photographs import Photographs
from ...models.pointing import CUT, TOLERANCE, HeatmapScore, score_maps

# So many images fill a page.
_MISTAKES, _EXAMPLES = 12, 12


@dataclass(frozen=True, eq=False)
class ImageSaliency:
    """An image, and where the model sees a class in it.

    Attributes:
        path: the file.
        truth: its class.
        label: the class of the map.
        score: of that class, 0 to 1.
        pixels: RGB uint8 of shape (height, width, 3), the model's input.
        heatmap: float32 of shape (rows, columns); None if the network has no such maps.
        mask: bool of shape (height, width), the defect; None if none is drawn.
    """

    path: Path
    truth: str
    label: str
    score: float
    pixels: RGBImage
    heatmap: NDArray[np.float32] | None
    mask: Mask | None


@dataclass(frozen=True)
class Saliency:
    """Where a model looks in the test images.

    Attributes:
        mistakes: images that it has wrong, the surest first, with maps of what it calls them.
        examples: images with maps of their own class, the classes in turn; those with masks, or
            without any those that it has right.
        pointing: how the maps of the images with masks lie, of all and of each class.
    """

    mistakes: tuple[ImageSaliency, ...]
    examples: tuple[ImageSaliency, ...]
    pointing: tuple[HeatmapScore, ...]


def find_masks(
    photographs: Photographs,
    *,
    data: Path,
    masks: Path | None,
    size_hw: tuple[int, int],
    rule: ResizeRule,
) -> MaskedImages | None:
    """Return the photographs that have masks in `masks`, or in `DATA-masks` if that exists.

    Raises:
        EdgeclfError: the `masks` that were asked for do not fit; of `DATA-masks` it is a warning.
    """
    own = data.resolve() if data.name in {"", ".."} else data  # `.` and `..` are no names
    folder = masks or own.with_name(f"{own.name}-masks")
    if masks is None and not folder.is_dir():
        return None
    try:
        return load_masked_images(
            photographs, folder=data, masks=folder, size_hw=size_hw, rule=rule
        )
    except EdgeclfError as error:
        if masks is not None:
            raise
        echo_warning(f"no pointing game: {error}")
        return None


def measure_saliency(
    model: FloatModel,
    test: Split,
    scores: ClassScores,
    *,
    photographs: Photographs,
    masked: MaskedImages | None,
) -> Saliency:
    """Return where `model` looks.

    Args:
        model: the classifier.
        test: the test images.
        scores: of the test images, float32 of shape (images, classes).
        photographs: the files of the test images.
        masked: those of them that have masks.
    """
    labels = model.info.labels
    guess = scores.argmax(1)
    wrong = np.flatnonzero(guess != test.classes)
    wrong = wrong[np.argsort(-scores.max(1)[wrong], kind="stable")][:_MISTAKES]
    mask_of = {image.path: image.mask for image in masked.images} if masked else {}
    if masked:
        pool = [i for i, path in enumerate(photographs.paths) if path in mask_of]
    else:
        right = np.flatnonzero(guess == test.classes)
        pool = list(right[np.argsort(-scores.max(1)[right], kind="stable")])
    own = np.asarray(_in_turn(pool, test.classes)[:_EXAMPLES], np.intp)
    return Saliency(
        mistakes=_saliency_of(model, test, scores, wrong, guess[wrong], photographs, mask_of),
        examples=_saliency_of(model, test, scores, own, test.classes[own], photographs, mask_of),
        pointing=_pointing(model, masked, labels),
    )


def _in_turn(images: list[int], classes: NDArray[np.intp]) -> list[int]:
    """Return the images in their order, one of each class, then the next of each."""
    of_class: dict[int, list[int]] = defaultdict(list)
    for image in images:
        of_class[int(classes[image])].append(image)
    rounds = zip_longest(*(of_class[index] for index in sorted(of_class)))
    return [image for image in chain.from_iterable(rounds) if image is not None]


def _saliency_of(
    model: FloatModel,
    test: Split,
    scores: ClassScores,
    images: NDArray[np.intp],
    classes: NDArray[np.intp],
    photographs: Photographs,
    mask_of: dict[Path, Mask],
) -> tuple[ImageSaliency, ...]:
    from ...models.activation_maps import class_activation_maps

    labels = model.info.labels
    maps = class_activation_maps(model, test.pixels[images], classes) if len(images) else None
    return tuple(
        ImageSaliency(
            path=photographs.paths[image],
            truth=labels[test.classes[image]],
            label=labels[index],
            score=float(scores[image, index]),
            pixels=test.pixels[image],
            heatmap=None if maps is None else maps[place],
            mask=mask_of.get(photographs.paths[image]),
        )
        for place, (image, index) in enumerate(zip(images, classes, strict=True))
    )


def _pointing(
    model: FloatModel, masked: MaskedImages | None, labels: tuple[str, ...]
) -> tuple[HeatmapScore, ...]:
    from ...models.activation_maps import class_activation_maps

    if not masked:
        return ()
    classes = np.asarray([labels.index(image.label) for image in masked.images])
    maps = class_activation_maps(model, np.stack([one.pixels for one in masked.images]), classes)
    if maps is None:
        return ()
    return tuple(
        score_maps(maps, masked.images, label=label, cut=CUT, tolerance=TOLERANCE)
        for label in (None, *dict.fromkeys(image.label for image in masked.images))
    )
