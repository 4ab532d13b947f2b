"""A split into train, val and test: stratified, seeded, and never through a group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...models.data.class_folders import SPLITS

_TRIES = 50


def split_images(
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    fractions: tuple[float, float, float],
    seed: int,
) -> list[str]:
    """Assign each image to `train`, `val` or `test`.

    Whole groups are dealt out, the largest first and equals in seeded order, each to the split
    that lacks most of its classes; the last groups of a class go where it has none. Where a
    fraction is 0, that split stays empty.

    Args:
        labels: class of each image.
        groups: group of each image.
        fractions: shares of train, val and test; they add up to 1.
        seed: of the order.

    Raises:
        EdgeclfError: a class cannot be on all sides; every such class is named.
    """
    classes, label_index = np.unique(np.asarray(labels), return_inverse=True)
    _, group_index = np.unique(np.asarray(groups), return_inverse=True)
    split = _part(label_index, group_index, shares=np.asarray(fractions), seed=seed)
    open_splits = np.flatnonzero(np.asarray(fractions) > 0)
    _check_every_class(classes, label_index, group_index, split, open_splits)
    return [SPLITS[index] for index in split]


def fold_images(
    labels: Sequence[str], groups: Sequence[str], *, folds: int, val_fraction: float, seed: int
) -> list[list[str]]:
    """Return the splits of the trainings of a cross-validation, each as `split_images` does.

    Each image is in the test of one of them; from the others, validation images are dealt out.

    Args:
        labels: class of each image.
        groups: group of each image; whole groups are in one fold.
        folds: number of trainings, at least 2.
        val_fraction: share of all images, for the validation of each training.
        seed: of the order.

    Raises:
        EdgeclfError: a class has not enough groups; every such class is named.
    """
    classes, label_index = np.unique(np.asarray(labels), return_inverse=True)
    _, group_index = np.unique(np.asarray(groups), return_inverse=True)
    fold = _part(label_index, group_index, shares=np.full(folds, 1 / folds), seed=seed)
    # Testing on one fold, a class needs two groups in the others: to train and to validate.
    problems = []
    for index, name in enumerate(classes):
        own = label_index == index
        of_fold = [len(np.unique(group_index[own & (fold == k)])) for k in range(folds)]
        if min(of_fold) == 0 or sum(of_fold) - max(of_fold) < 2:
            problems.append(
                f"class {str(name)!r}: {own.sum()} images in {sum(of_fold)} groups cannot fill "
                f"{folds} folds beside training and validation; use other --folds, add images or "
                "remove the class"
            )
    if problems:
        raise EdgeclfError("\n".join(problems))
    val = min(val_fraction / (1 - 1 / folds), 0.5)
    found = []
    for k in range(folds):
        rest = np.flatnonzero(fold != k).tolist()
        split = np.full(len(labels), "test", dtype=object)
        split[rest] = split_images(
            [labels[i] for i in rest],
            [groups[i] for i in rest],
            fractions=(1 - val, val, 0),
            seed=seed,
        )
        found.append(split.tolist())
    return found


def _part(
    label_index: NDArray[np.intp],
    group_index: NDArray[np.intp],
    *,
    shares: NDArray[np.float64],
    seed: int,
) -> NDArray[np.intp]:
    """Return the part of each image, of as many as there are `shares`, which add up to 1."""
    counts = np.zeros((group_index.max() + 1, label_index.max() + 1))
    np.add.at(counts, (group_index, label_index), 1)
    # A class with few images still wants one of them on each side.
    share = shares[:, np.newaxis]
    wanted = np.where(share > 0, np.maximum(share * counts.sum(0), 1), 0)
    open_parts = np.flatnonzero(shares > 0)
    rng = np.random.default_rng(seed)
    deals = [_deal(counts, wanted, open_parts, rng.permutation(len(counts)))]
    # Groups of several classes or sizes may come out better in another order.
    while not deals[-1].is_exact and len(deals) < _TRIES:
        deals.append(_deal(counts, wanted, open_parts, rng.permutation(len(counts))))
    best = min(deals, key=lambda deal: float(((deal.misses / counts.sum(0)) ** 2).sum()))
    return best.split_of_group[group_index]


@dataclass(frozen=True)
class _Deal:
    split_of_group: NDArray[np.intp]
    misses: NDArray[np.float64]  # images that each split has too many or too few of each class

    @property
    def is_exact(self) -> bool:
        return bool((abs(self.misses) < 1).all())


def _deal(
    counts: NDArray[np.float64],
    wanted: NDArray[np.float64],
    open_splits: NDArray[np.intp],
    order: NDArray[np.intp],
) -> _Deal:
    """Deal out groups with `counts` (groups, classes) to match `wanted` (splits, classes)."""
    sizes = counts.sum(0)
    dealt = np.zeros_like(wanted)
    groups_left = (counts > 0).sum(0)
    split_of_group = np.zeros(len(counts), np.intp)
    for group in order[np.argsort(-counts[order].sum(1), kind="stable")]:
        # Each class counts by its own size, else the common ones would decide for the rare.
        need = ((wanted - dealt) / sizes) @ counts[group]
        choice = open_splits
        for index in np.flatnonzero(counts[group]):
            bare = open_splits[dealt[open_splits, index] == 0]
            if len(bare) > 0 and groups_left[index] <= len(bare):
                choice = bare
        chosen = choice[np.argmax(need[choice])]
        dealt[chosen] += counts[group]
        groups_left -= counts[group] > 0
        split_of_group[group] = chosen
    return _Deal(split_of_group, dealt - wanted)


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
                f"class {str(name)!r}: {of_class.sum()} images in {groups} groups cannot fill "
                f"{' and '.join(SPLITS[s] for s in open_splits)}, none is left for "
                f"{' and '.join(missing)}; add images or remove the class"
            )
    if problems:
        raise EdgeclfError("\n".join(problems))
