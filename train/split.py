"""A split into train, val and test: stratified, seeded, and never through a group."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.labelled_images import SPLITS


def split_images(
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    fractions: tuple[float, float, float],
    seed: int,
) -> list[str]:
    """Assign each image to `train`, `val` or `test`.

    Whole groups are dealt out, the largest first and equals in seeded order, each to the split
    that lacks most of its classes. Where a fraction is 0, that split stays empty.

    Args:
        labels: class of each image.
        groups: group of each image.
        fractions: shares of train, val and test; they add up to 1.
        seed: of the order.

    Raises:
        EdgeclfError: a class cannot be on all sides; every such class is named.
    """
    classes, label_index = np.unique(np.asarray(labels), return_inverse=True)
    names, group_index = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (group_index, label_index), 1)

    # A class with few images still wants one of them on each side.
    share = np.asarray(fractions)[:, np.newaxis]
    wanted = np.where(share > 0, np.maximum(share * counts.sum(0), 1), 0)

    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    lacking = wanted.copy()
    open_splits = np.flatnonzero(np.asarray(fractions) > 0)
    split_of_group = np.zeros(len(names), int)
    for group in order:
        # Each class counts by its own size, else the common ones would decide for the rare.
        need = (lacking[open_splits] / counts.sum(0)) @ counts[group]
        chosen = open_splits[np.argmax(need)]
        lacking[chosen] -= counts[group]
        split_of_group[group] = chosen

    split = split_of_group[group_index]
    _check_every_class(classes, label_index, group_index, split, open_splits)
    return [SPLITS[index] for index in split]


def _check_every_class(
    classes: NDArray[np.str_],
    label_index: NDArray[np.intp],
    group_index: NDArray[np.intp],
    split: NDArray[np.intp],
    open_splits: NDArray[np.intp],
) -> None:
    problems = []
    for index, name in enumerate(classes):
        of_class = label_index == index
        missing = [SPLITS[s] for s in open_splits if not (of_class & (split == s)).any()]
        if missing:
            groups = len(np.unique(group_index[of_class]))
            problems.append(
                f"class {name!r}: {of_class.sum()} images in {groups} groups cannot fill "
                f"{' and '.join(SPLITS[s] for s in open_splits)}, none is left for "
                f"{' and '.join(missing)}; add images or remove the class"
            )
    if problems:
        raise EdgeclfError("\n".join(problems))
