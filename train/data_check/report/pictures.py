"""A data folder as pictures, for a notebook: what the classes hold and how they differ.

Each function takes what `check_data` found and returns a figure. Galleries show the largest classes
alone where there are many, and draw their photographs from a seed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ....edge_runtime.images import RGBImage, read_image
from ..checking import DataCheck
from ..masks import find_masks
from ..outliers import Outlier

_MOST_CLASSES = 12
_CELL_INCHES = 1.3
_BINS = 64  # grey levels of a channel's histogram
_MAP_SIDE = 48  # pixels of the map of where defects lie
_RGB = ("#d03b3b", "#2f8f4e", "#2f6fd0")
_OUTLINE = "#ff2d95"


def draw_balance(check: DataCheck) -> Figure:
    """Draw how many photographs each class has."""
    sizes = {label: len(places) for label, places in check.classes().items()}
    figure, axis = _axis(width=7, height=0.8 + 0.32 * len(sizes))
    bars = axis.barh(list(sizes), list(sizes.values()))
    axis.bar_label(bars, padding=3)
    axis.invert_yaxis()
    axis.set(xlabel="photographs", xlim=(0, 1.1 * max(sizes.values())))
    return figure


def draw_sizes(check: DataCheck) -> Figure:
    """Draw width and height of each photograph."""
    figure, axis = _axis(width=6, height=4.5)
    for label, places in _largest(check).items():
        of_class = [check.photographs[place] for place in places]
        axis.scatter(
            [each.width for each in of_class],
            [each.height for each in of_class],
            s=18,
            alpha=0.5,
            label=label,
        )
    axis.set(xlabel="width, pixels", ylabel="height, pixels", xlim=(0, None), ylim=(0, None))
    axis.set_aspect("equal")
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_light(check: DataCheck) -> Figure:
    """Draw how brightness and contrast are spread in each class, as boxes of quartiles."""
    classes = _largest(check)
    figure = Figure(figsize=(9, 1.2 + 0.36 * len(classes)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    ticks = range(1, len(classes) + 1)
    for axis, measure in zip(axes, ("brightness", "contrast"), strict=True):
        values = [
            [getattr(check.photographs[place], measure) for place in places]
            for places in classes.values()
        ]
        axis.boxplot(values, orientation="horizontal", widths=0.6)
        axis.set_yticks(ticks, list(classes))
        axis.set(xlabel=f"{measure}, grey levels")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    return figure


def draw_colours(check: DataCheck, *, per_class: int = 40, seed: int = 0) -> Figure:
    """Draw how often each level of red, green and blue occurs in photographs of each class."""
    classes = _drawn(check, per_class, seed)
    columns = min(4, len(classes))
    rows = -(-len(classes) // columns)
    figure = Figure(figsize=(2.6 * columns, 1.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    levels = (np.arange(_BINS) + 0.5) * 256 / _BINS
    for axis, (label, places) in zip(axes, classes.items(), strict=False):
        for shares, colour in zip(_histograms(check, places), _RGB, strict=True):
            axis.plot(levels, shares, color=colour, linewidth=1.2)
        axis.set_title(label, fontsize=9)
    for axis in axes:
        axis.set(xlim=(0, 255), ylim=(0, None), yticks=[])
        axis.spines[["top", "right", "left"]].set_visible(False)
    for axis in axes[len(classes) :]:
        axis.set_visible(False)
    return figure


def draw_samples(check: DataCheck, *, per_class: int = 8, seed: int = 0) -> Figure:
    """Draw some photographs of each class, a class a row."""
    classes = _drawn(check, per_class, seed)
    figure, axes = _gallery(len(classes), per_class)
    for row, (label, places) in zip(axes, classes.items(), strict=True):
        row[0].set_ylabel(label, fontsize=9)
        for axis, place in zip(row, places, strict=False):
            axis.imshow(_read(check, place))
    return figure


def draw_masks(check: DataCheck, masks: Path, *, per_class: int = 7, seed: int = 0) -> Figure:
    """Draw where the defects of each class lie, and some of them outlined, a class a row.

    Args:
        check: of the photographs.
        masks: a folder of the same structure, as `check_data` takes it.
        per_class: photographs of each class.
        seed: of their choice.
    """
    mask_of = find_masks(masks, check.photographs)
    masked = {
        label: [place for place in places if place in mask_of]
        for label, places in _largest(check).items()
    }
    masked = {label: places for label, places in masked.items() if places}
    rng = np.random.default_rng(seed)
    figure, axes = _gallery(len(masked), per_class + 1)
    for row, (label, places) in zip(axes, masked.items(), strict=True):
        marked = [_marked(mask_of[place]) for place in places]
        small = [
            cv2.resize(each, (_MAP_SIDE,) * 2, interpolation=cv2.INTER_AREA) for each in marked
        ]
        row[0].imshow(np.mean(small, axis=0), cmap="magma", vmin=0)
        row[0].set_ylabel(label, fontsize=9)
        row[0].set_title(f"{np.median([each.mean() for each in marked]):.1%} covered", fontsize=8)
        for axis, index in zip(row[1:], rng.permutation(len(places)), strict=False):
            rgb, mask = _read(check, places[index]), marked[index]
            axis.imshow(rgb)
            if mask.any():
                fitted = cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
                axis.contour(fitted, [0.5], colors=_OUTLINE, linewidths=1)
    return figure


def draw_duplicates(check: DataCheck, *, most: int = 8) -> Figure:
    """Draw copies and near-duplicates side by side, those under two classes first."""
    pairs = [(places[0], places[1], "the same file") for places in check.copies]
    pairs += [
        (pair.first, pair.second, f"similarity {pair.match.whole:.2f}")
        for pair in check.near_duplicates
    ]
    labels = [each.label for each in check.photographs]
    pairs.sort(key=lambda pair: labels[pair[0]] == labels[pair[1]])
    if not pairs:
        return _nothing("no photograph resembles another")
    figure, axes = _gallery(min(most, len(pairs)), 2, width=2.2)
    for row, (first, second, title) in zip(axes, pairs, strict=False):
        for axis, place in zip(row, (first, second), strict=True):
            axis.imshow(_read(check, place))
            axis.set_xlabel(check.photographs[place].path, fontsize=7)
        row[0].set_title(title, fontsize=8)
    return figure


def draw_outliers(check: DataCheck, *, most: int = 12) -> Figure:
    """Draw the photographs that are most unlike the others of their class."""
    outliers = check.outliers[:most]
    if not outliers:
        return _nothing("no photograph is unlike the others of its class")
    columns = min(6, len(outliers))
    figure, axes = _gallery(-(-len(outliers) // columns), columns, width=1.7)
    for axis, outlier in zip(axes.ravel(), outliers, strict=False):
        axis.imshow(_read(check, outlier.photograph))
        axis.set_title(_unlike(outlier), fontsize=7)
        axis.set_xlabel(check.photographs[outlier.photograph].path, fontsize=6)
    return figure


def _unlike(outlier: Outlier) -> str:
    return f"{outlier.measure} {outlier.value:.4g}\nmedian {outlier.median:.4g}"


def _largest(check: DataCheck) -> dict[str, list[int]]:
    """Return the photographs of each class that has some, of the largest where there are many."""
    classes = {label: places for label, places in check.classes().items() if places}
    largest = sorted(classes, key=lambda label: -len(classes[label]))[:_MOST_CLASSES]
    return {label: places for label, places in classes.items() if label in largest}


def _drawn(check: DataCheck, per_class: int, seed: int) -> dict[str, list[int]]:
    """Return some photographs of each class, at random."""
    rng = np.random.default_rng(seed)
    return {
        label: [places[index] for index in rng.permutation(len(places))[:per_class]]
        for label, places in _largest(check).items()
    }


def _read(check: DataCheck, place: int) -> RGBImage:
    return read_image(Path(check.data) / check.photographs[place].path)


def _histograms(check: DataCheck, places: Sequence[int]) -> NDArray[np.float64]:
    """Return the share of pixels at each level of each channel, of shape (3, 64)."""
    shares = np.zeros((3, _BINS))
    for place in places:
        rgb = _read(check, place)
        for channel in range(3):
            counts = np.bincount(rgb[..., channel].ravel() >> 2, minlength=_BINS)
            shares[channel] += counts / counts.sum() / len(places)
    return shares


def _marked(path: Path) -> NDArray[np.float32]:
    """Return a mask, 1 on the defect and 0 elsewhere, of shape (height, width)."""
    return np.asarray(read_image(path, background=0).max(axis=2) > 127, np.float32)


def _axis(*, width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _gallery(rows: int, columns: int, *, width: float = _CELL_INCHES) -> tuple[Figure, Any]:
    """Return a figure with cells for pictures, of shape (rows, columns), without frames."""
    figure = Figure(figsize=(width * columns, width * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return figure, axes


def _nothing(text: str) -> Figure:
    figure, axis = _axis(width=4, height=0.5)
    axis.set_axis_off()
    axis.text(0, 0.5, text, va="center")
    return figure
