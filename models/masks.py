"""Photographs whose defects are drawn: which pixels of the model's input they cover."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.images import IMAGE_SUFFIXES, RGBImage, read_image
from ..edge_runtime.preprocess import ResizeRule, preprocess
from .photographs import Photographs

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """A photograph as the model takes it, with its mask.

    Attributes:
        label: its class.
        pixels: RGB uint8 of shape (height, width, 3), the model's input.
        mask: bool of shape (height, width): the defect.
        path: the file.
    """

    label: str
    pixels: RGBImage
    mask: Mask
    path: Path


@dataclass(frozen=True)
class MaskedImages:
    """What can be scored.

    Attributes:
        images: the photographs with their masks.
        without: how many photographs have no mask, as those without a defect.
        empty: how many have one that marks nothing of the model's input.
    """

    images: tuple[MaskedImage, ...]
    without: int
    empty: int


def load_masked_images(
    photographs: Photographs,
    *,
    folder: Path,
    masks: Path,
    size_hw: tuple[int, int],
    rule: ResizeRule,
) -> MaskedImages:
    """Read the photographs that have a mask.

    Args:
        photographs: files below `folder`.
        folder: of the photographs.
        masks: a folder of the same structure; a mask is called as its photograph, but for the
            suffix. It is bright where the defect is.
        size_hw: height and width of the model's input in pixels.
        rule: how a photograph is brought to that size.

    Raises:
        EdgeclfError: a file cannot be read, a mask has not the size of its photograph, or no
            photograph has a mask.
    """
    if not masks.is_dir():
        raise EdgeclfError(f"{masks}: no such folder; give one with a mask for each defect")
    images: list[MaskedImage] = []
    without = empty = 0
    for path, label in zip(photographs.paths, photographs.labels, strict=True):
        found = _find_mask(masks / path.relative_to(folder))
        if found is None:
            without += 1
            continue
        rgb, drawn = read_image(path), read_image(found, background=0)
        if rgb.shape != drawn.shape:
            raise EdgeclfError(
                f"{found}: {_size(drawn)} pixels for a photograph of {_size(rgb)}; give each "
                "photograph a mask of its size"
            )
        mask = fit_mask(drawn, size_hw=size_hw, rule=rule)
        if mask.any():
            pixels = preprocess(rgb, size_hw=size_hw, rule=rule)
            images.append(MaskedImage(label, pixels, mask, path))
        else:
            empty += 1
    if not images:
        raise EdgeclfError(
            f"{masks}: holds no mask for any of {len(photographs.paths)} photographs, the first "
            f"{photographs.paths[0].relative_to(folder)}; name each as its photograph, in a folder "
            "per class"
        )
    return MaskedImages(tuple(images), without, empty)


def fit_mask(drawn: RGBImage, *, size_hw: tuple[int, int], rule: ResizeRule) -> Mask:
    """Return a mask as the photograph comes to the model, bool of shape `size_hw`.

    A pixel belongs to the defect that covers at least half of it; where a defect is too fine to
    fill any, half as much as of the pixel that it covers most.

    Args:
        drawn: RGB uint8 of the photograph's size; above half brightness is the defect.
        size_hw: height and width of the model's input in pixels.
        rule: how the photograph is brought to that size.
    """
    marked = np.where(drawn.max(axis=2, keepdims=True) > 127, np.uint8(255), np.uint8(0))
    covered = preprocess(np.repeat(marked, 3, axis=2), size_hw=size_hw, rule=rule)[..., 0]
    return np.asarray((covered > 0) & (covered >= covered.max() / 2))


def _find_mask(place: Path) -> Path | None:
    names = (place.with_suffix(suffix) for suffix in sorted(IMAGE_SUFFIXES))
    return next((path for path in names if path.is_file()), None)


def _size(rgb: RGBImage) -> str:
    return f"{rgb.shape[1]}×{rgb.shape[0]}"
