"""How well a run that has seen good images only tells each kind of defect."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...edge_runtime.command_line.table import format_table
from ...models.good_only import DEFECT, GOOD_ONLY_LABELS
from ...models.metrics.detection import auroc
from ...models.metrics.scoring import ClassScores, Labels

_DEFECT = GOOD_ONLY_LABELS.index(DEFECT)


@dataclass(frozen=True)
class DefectScore:
    """How well a kind of defect is separated from good images.

    Attributes:
        kind: the folder of its images; `all` for every kind.
        images: how many.
        auroc: the chance that a defect has a higher score than a good image, ties as half.
        found: share of them that is called a defect, 0 to 1.
    """

    kind: str
    images: int
    auroc: float
    found: float


def score_defects(
    truth: Labels, scores: ClassScores, *, paths: Sequence[Path]
) -> tuple[DefectScore, ...]:
    """Return the figures of each kind of defect, and those of all; none where one side is missing.

    Args:
        truth: class indices, of shape (images,).
        scores: float32 of shape (images, 2).
        paths: of the images, below the data folder.
    """
    anomaly = scores[:, _DEFECT]
    good = truth != _DEFECT
    if good.all() or not good.any():
        return ()
    kinds = np.asarray([path.parent.name for path in paths])
    names = sorted(set(kinds[~good]))
    parts = [(name, ~good & (kinds == name)) for name in names] + [("all", ~good)]
    return tuple(
        DefectScore(
            kind=name,
            images=int(places.sum()),
            auroc=auroc(anomaly[good], anomaly[places]),
            found=float((scores[places].argmax(1) == _DEFECT).mean()),
        )
        for name, places in parts
    )


def defects_text(found: Sequence[DefectScore]) -> str:
    """Return the figures as a table for the terminal."""
    if not found:
        return "No image AUROC: there is no defect among the test images"
    rows = [[one.kind, str(one.images), f"{one.auroc:.3f}", f"{one.found:.3f}"] for one in found]
    return format_table(["defect", "images", "image AUROC", "found"], rows)
