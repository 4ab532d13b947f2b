"""The difference of two confusion matrices."""

import numpy as np

from ....edge_runtime.page.drawing import HALF, THIRD, WIDE, label, svg, text_width
from ....edge_runtime.page.markup import Markup, join, tag
from ...results import Benchmark, Model
from .. import words
from ..mistakes import Pair, confusion_change

MOST_CLASSES = 30
_LETTERS = 14


def heatmap_width(classes: int) -> int:
    """Return how wide the drawing is."""
    return THIRD if classes <= 5 else HALF if classes <= 10 else WIDE


def draw_heatmap(benchmark: Benchmark, model: Model) -> Markup | None:
    """Return the model's confusion matrix less the reference's, truth in rows; None without a
    reference, or where the classes are too many to be read."""
    change = confusion_change(benchmark, model)
    labels = benchmark.data.labels
    if change is None or len(labels) > MOST_CLASSES:
        return None
    width = heatmap_width(len(labels))
    names = [words.shortened(name, length=_LETTERS) for name in labels]
    left = min(max(map(text_width, names)) + 10, 130)
    head = 40 + min(max(map(text_width, names)), 130) * 0.72
    side = min((width - left - 40) / len(labels), 44)
    strongest = _strongest(benchmark)
    cells = [
        _draw_cell(
            Pair(labels[i], labels[j], 0, int(change[i, j])),
            x=left + j * side, y=head + i * side, side=side, strongest=strongest,
        )
        for i, j in np.ndindex(change.shape)
    ]  # fmt: skip
    rows = [
        label(left - 6, head + (i + 0.5) * side + 4.5, name, anchor="end")
        for i, name in enumerate(names)
    ]
    columns = [
        tag(
            "text",
            name,
            transform=f"translate({left + (j + 0.5) * side + 3:.1f} {head - 6:.1f}) rotate(-45)",
        )
        for j, name in enumerate(names)
    ]
    return svg(
        width,
        head + len(labels) * side + 8,
        label(0, 18, words.shortened(model.name, length=24), class_="head"),
        *rows,
        *columns,
        *cells,
        label=f"Confusion matrix of {model.name} less that of the reference: "
        + words.count(model.against.disagreements if model.against else 0, "image")
        + " called otherwise",
    )


def _strongest(benchmark: Benchmark) -> int:
    """Return the largest change of any cell with any model, for which the colour is fullest."""
    changes = [confusion_change(benchmark, model) for model in benchmark.models]
    return max(int(np.abs(change).max()) for change in changes if change is not None) or 1


def _draw_cell(pair: Pair, *, x: float, y: float, side: float, strongest: int) -> Markup:
    told = f"{pair.change:+d}".replace("-", "−") if pair.change else ""
    strength = abs(pair.change) / strongest
    kind = ("worse" if pair.worse else "better") if pair.change else ""
    middle = x + side / 2
    parts = [
        tag("title", f"{pair.truth} called {pair.guess}: {told or 'no change'}"),
        tag(
            "rect", x=x + 1, y=y + 1, width=side - 2, height=side - 2, class_="cell",
            fill_opacity=f"{0.15 + 0.6 * strength:.2f}" if pair.change else None,
        ),
    ]  # fmt: skip
    if told:
        parts.append(label(middle, y + side / 2 + 4.5, told, anchor="middle", class_="count"))
    if pair.truth == pair.guess:
        kind += " diagonal"
    return tag("g", join(parts), class_=kind.strip() or None)
