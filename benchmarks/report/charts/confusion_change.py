"""The difference of two confusion matrices."""

import numpy as np

from ....models.report.markup import Markup
from ....models.report.matrix import MOST_CLASSES, cell, draw_matrix
from ...results.schema import Benchmark, Model
from .. import words
from ..mistakes import Pair, confusion_change


def draw_heatmap(benchmark: Benchmark, model: Model) -> Markup | None:
    """Return the model's confusion matrix less the reference's, truth in rows; None without a
    reference, or where the classes are too many to be read."""
    change = confusion_change(benchmark, model)
    labels = benchmark.data.labels
    if change is None or len(labels) > MOST_CLASSES:
        return None
    strongest = _strongest(benchmark)

    def draw_cell(row: int, column: int, x: float, y: float, side: float) -> Markup:
        pair = Pair(labels[row], labels[column], 0, int(change[row, column]))
        return _draw_cell(pair, x=x, y=y, side=side, strongest=strongest)

    return draw_matrix(
        labels,
        draw_cell,
        title=words.shortened(model.name, length=24),
        text=f"Confusion matrix of {model.name} less that of the reference: "
        + words.count(model.against.disagreements if model.against else 0, "image")
        + " called otherwise",
    )


def _strongest(benchmark: Benchmark) -> int:
    """Return the largest change of any cell with any model, for which the colour is fullest."""
    changes = [confusion_change(benchmark, model) for model in benchmark.models]
    return max(int(np.abs(change).max()) for change in changes if change is not None) or 1


def _draw_cell(pair: Pair, *, x: float, y: float, side: float, strongest: int) -> Markup:
    text = f"{pair.change:+d}".replace("-", "−") if pair.change else ""
    kind = ("worse" if pair.worse else "better") if pair.change else ""
    if pair.truth == pair.guess:
        kind += " diagonal"
    return cell(
        x,
        y,
        side,
        text=text,
        about=f"{pair.truth} called {pair.guess}: {text or 'no change'}",
        strength=abs(pair.change) / strongest if pair.change else None,
        kind=kind.strip(),
    )
