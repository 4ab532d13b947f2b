"""The drawings of an evaluation."""

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np

from ...models.metrics.calibration_error import CalibrationBin
from ...models.metrics.scoring import confusion_matrix
from ...models.metrics.statistics import wilson_interval
from ...models.report.drawing import HALF, label, line, path, svg, x_axis, y_axis
from ...models.report.figures import count, shortened
from ...models.report.markup import Markup, tag
from ...models.report.matrix import MOST_CLASSES, cell, draw_matrix
from ...models.report.scales import Scale
from ..evaluation.curves import ClassCurves
from ..evaluation.evaluate import CalibrationScore, Evaluation

_HIGH = 340
_COLOURS = 7  # of the style sheet
_LETTERS, _COLUMNS = 8, 3  # of the legend


def draw_confusion(evaluation: Evaluation, labels: tuple[str, ...]) -> Markup | None:
    """Return the confusion matrix; None of more classes than can be read."""
    if len(labels) > MOST_CLASSES:
        return None
    counts = confusion_matrix(evaluation.truth, evaluation.guess, classes=len(labels))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)

    def draw_cell(row: int, column: int, x: float, y: float, side: float) -> Markup:
        number = int(counts[row, column])
        kind = "better diagonal" if row == column else "worse"
        return cell(
            x,
            y,
            side,
            text=str(number) if number else "",
            about=f"{labels[row]} called {labels[column]}: {count(number, 'image')}",
            strength=float(shares[row, column]) if number else None,
            kind=kind if number else "diagonal" if row == column else "",
        )

    return draw_matrix(
        labels,
        draw_cell,
        title="truth in rows, called in columns",
        text=f"Confusion matrix of {count(len(evaluation.truth), 'test image')}",
    )


def draw_reliability(score: CalibrationScore, *, title: str) -> Markup:
    """Return how often the model is right against how sure it is; on the diagonal it is honest."""
    x, y = _unit_scales()
    most = max(one.images for one in score.bins)
    return svg(
        HALF,
        _HIGH + 52,
        x_axis(x, top=y.end, bottom=y.start, name="score of the best class"),
        y_axis(y, left=x.start, right=x.end, name=f"share that is right · {title}"),
        line(x(0), y(0), x(1), y(1), class_="rule"),
        *(_reliability_mark(one, x, y, most=most) for one in score.bins),
        label=f"Reliability, {title}: "
        + "; ".join(
            f"{one.images} images score {one.score:.2f}, {one.accuracy:.2f} right"
            for one in score.bins
        ),
    )


def _reliability_mark(one: CalibrationBin, x: Scale, y: Scale, *, most: int) -> Markup:
    interval = wilson_interval(round(one.accuracy * one.images), images=one.images)
    text = f"{count(one.images, 'image')}: score {one.score:.3f}, right {one.accuracy:.3f}"
    return tag(
        "g",
        tag("title", text),
        line(x(one.score), y(interval.low), x(one.score), y(interval.high), class_="bar"),
        tag(
            "circle",
            cx=x(one.score),
            cy=y(one.accuracy),
            r=3 + 7 * (one.images / most) ** 0.5,
            class_="dot",
        ),
        class_="ref",
    )


def draw_roc(curves: Sequence[ClassCurves]) -> Markup:
    """Return the ROC curves; those of the classes that are worst have names."""
    x, y = _unit_scales()
    lines = {one.label: list(zip(map(x, one.false_alarms), map(y, one.recall), strict=True))
             for one in curves}  # fmt: skip
    return svg(
        HALF,
        _HIGH + 52 + _legend_height(curves),
        x_axis(x, top=y.end, bottom=y.start, name="false alarms: share of the other images"),
        y_axis(y, left=x.start, right=x.end, name="recall"),
        line(x(0), y(0), x(1), y(1), class_="rule"),
        *_draw_curves(curves, lines, title="AUC", figures=[one.auc for one in curves]),
        label="AUC: " + "; ".join(f"{one.label} {one.auc:.3f}" for one in curves),
    )


def draw_precision_recall(curves: Sequence[ClassCurves]) -> Markup:
    """Return the precision-recall curves, in the colours of the ROC curves."""
    x, y = _unit_scales()
    lines = {one.label: _steps(one, x, y) for one in curves}
    figures = [one.average_precision for one in curves]
    return svg(
        HALF,
        _HIGH + 52 + _legend_height(curves),
        x_axis(x, top=y.end, bottom=y.start, name="recall"),
        y_axis(y, left=x.start, right=x.end, name="precision"),
        *_draw_curves(curves, lines, title="AP", figures=figures),
        label="AP: " + "; ".join(f"{one.label} {one.average_precision:.3f}" for one in curves),
    )


def _steps(one: ClassCurves, x: Scale, y: Scale) -> list[tuple[float, float]]:
    """Return the curve that the average precision is the area of."""
    points: list[tuple[float, float]] = []
    for before, after, precision in zip(
        one.recall[:-1], one.recall[1:], one.precision[1:], strict=True
    ):
        points += [(x(before), y(precision)), (x(after), y(precision))]
    return points


def _draw_curves(
    curves: Sequence[ClassCurves],
    lines: dict[str, list[tuple[float, float]]],
    *,
    title: str,
    figures: Sequence[float],
) -> Iterator[Markup]:
    """Yield the curves, then the legend below them."""
    weakest = sorted(curves, key=lambda one: one.auc)[:_COLOURS]
    # In the order of the classes, so that each has its colour in every chart and every report.
    order = [one.label for one in curves if one in weakest]
    colours = {one.label: f"c{order.index(one.label)}" for one in weakest}
    text = {one.label: f"{figure:.3f}" for one, figure in zip(curves, figures, strict=True)}
    for name in sorted(lines, key=lambda name: name in colours):
        yield tag(
            "g",
            tag("title", f"{name}: {title} {text[name]}"),
            tag("path", d=path(lines[name]), class_="curve"),
            class_=colours.get(name, "faint"),
        )
    for i, (name, colour) in enumerate(colours.items()):
        left = 44 + i % _COLUMNS * (HALF - 56) / _COLUMNS
        y = _HIGH + 64 + 18 * (i // _COLUMNS)
        yield line(left, y - 4, left + 14, y - 4, class_=f"slope {colour}")
        yield label(left + 19, y, f"{shortened(name, length=_LETTERS)} {text[name]}")


def _legend_height(curves: Sequence[ClassCurves]) -> int:
    return 10 + 18 * ceil(min(len(curves), _COLOURS) / _COLUMNS)


def draw_learning(
    rows: Sequence[dict[str, str]], name: str, *, best: tuple[str, str] | None
) -> Markup | None:
    """Return a figure over the epochs, of training and of validation; None of a single epoch.

    Args:
        rows: of `history.csv`.
        name: `loss` or `accuracy`.
        best: phase and number of the epoch whose weights the model has, if that is known.
    """
    if len(rows) < 2 or not all(row.get(name) and row.get(f"val_{name}") for row in rows):
        return None
    series = {key: [float(row[key]) for row in rows] for key in (name, f"val_{name}")}
    values = [value for each in series.values() for value in each]
    room = 0.06 * (max(values) - min(values) or 1)
    x = Scale(1, len(rows), 44, HALF - 12)
    y = Scale(min(values) - room, max(values) + room, _HIGH - 40, 36)
    parts = []
    for key, colour in ((name, "trained"), (f"val_{name}", "ref")):
        points = [(x(i), y(value)) for i, value in enumerate(series[key], start=1)]
        parts.append(tag("path", d=path(points), class_=f"curve {colour}"))
    for i in range(1, len(rows)):
        if rows[i]["phase"] != rows[i - 1]["phase"]:
            at = x(i + 0.5)
            parts.append(line(at, y.start, at, y.end, class_="rule"))
            parts.append(label(at + 5, y.end + 10, rows[i]["phase"], class_="tick"))
    places = [i for i, row in enumerate(rows, 1) if (row["phase"], row["epoch"]) == best]
    parts += [
        tag(
            "g",
            tag("title", "the best epoch"),
            tag("circle", cx=x(i), cy=y(series[f"val_{name}"][i - 1]), r=5, class_="dot"),
            class_="ref",
        )
        for i in places
    ]
    return svg(
        HALF,
        _HIGH + 8,
        x_axis(x, top=y.end, bottom=y.start, name="epoch"),
        y_axis(y, left=x.start, right=x.end, name=name),
        *parts,
        label=f"{name} over {len(rows)} epochs: training from {series[name][0]:.3f} to "
        f"{series[name][-1]:.3f}, validation from {values[len(rows)]:.3f} to {values[-1]:.3f}",
    )


def _unit_scales() -> tuple[Scale, Scale]:
    return Scale(0.0, 1.0, 44, HALF - 12), Scale(0.0, 1.0, _HIGH, 36)
