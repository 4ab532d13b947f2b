"""The pictures that a run leaves: curves and confusion matrix."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...edge_runtime.files import whole_file
from ...models.metrics.scoring import Metrics
from ...models.report.figures import brief_figures


def draw_curves(path: Path, history: Sequence[dict[str, Any]]) -> None:
    """Draw loss and accuracy over the epochs, the phases side by side, to the PNG `path`."""
    epochs = np.arange(1, len(history) + 1)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        for key, label, style in ((name, "train", "--"), (f"val_{name}", "val", "-")):
            axis.plot(epochs, [row[key] for row in history], style, marker=".", label=label)
        for before, after in pairwise(history):
            if before["phase"] != after["phase"]:
                at = history.index(after) + 0.5
                axis.axvline(at, color="grey", linewidth=0.8)
                axis.annotate(
                    after["phase"], (at, 1), xycoords=("data", "axes fraction"), va="bottom",
                    fontsize=8, color="grey",
                )  # fmt: skip
        axis.set(xlabel="epoch", ylabel=name)
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def draw_confusion(path: Path, scores: Metrics, labels: tuple[str, ...]) -> None:
    """Draw the confusion matrix, shaded by the share of each true class, to the PNG `path`."""
    counts = np.asarray(scores.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(3.6, 0.55 * len(labels) + 1.6)
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(labels) <= 40:
        ticks = range(len(labels))
        axis.set_xticks(ticks, labels, rotation=45, ha="right")
        axis.set_yticks(ticks, labels)
        for row, column in np.argwhere(counts):
            color = "white" if shares[row, column] > 0.6 else "black"
            axis.text(column, row, counts[row, column], ha="center", va="center", color=color)
    axis.set(xlabel="predicted", ylabel="true", title=f"{brief_figures(scores)} on test")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=150)
