"""The report of a run: one file that holds all it shows."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...edge_runtime.files import read_json
from ...models.metrics.registry import METRICS
from ...models.report.document import document, muted, panels, section, tiles
from ...models.report.drawing import HALF
from ...models.report.figures import count, ends, plain_figure
from ...models.report.markup import Markup, tag
from ...models.report.matrix import matrix_width
from ...models.report.table import draw_table
from ...models.run import CONFIG_NAME, Run
from ..evaluation.evaluate import Evaluation
from ..fitting.history import HISTORY_NAME
from . import charts, tables
from .gallery import draw_saliency
from .words import cautions, temperature_sentence, training_warnings, verdict_sentence

_FREQUENT = 20


def page(run: Run, evaluation: Evaluation, metrics: dict[str, Any], *, data: Path) -> str:
    """Return the page as HTML that is well-formed XML too.

    Args:
        run: a finished training.
        evaluation: of it.
        metrics: the content of its `metrics.json`.
        data: the folder of the images.
    """
    text = verdict_sentence(evaluation)
    return document(
        f"Run: {text}",
        _header(run, evaluation, metrics, data, text),
        tag("main", *_sections(run, evaluation, metrics, data)),
        tag(
            "footer",
            "Intervals are of 95 % and take the images as independent draws; where photographs of "
            "the same thing are among them, the true ones are wider.",
        ),
    )


def _header(
    run: Run, evaluation: Evaluation, metrics: dict[str, Any], data: Path, text: str
) -> Markup:
    measured = [
        "edgeclf train",
        run.data.name,
        run.info.architecture,
        count(len(evaluation.truth), "test image"),
    ]
    figures = [
        (
            plain_figure(metric, estimate.value),
            metric.unit,
            f"{metric.title} {ends(estimate.interval, f'.{metric.digits - 1}f')}",
        )
        for metric in METRICS
        if (estimate := evaluation.metrics.estimate(metric))
    ]
    warned = [*training_warnings(metrics, data, run.data), *cautions(evaluation)]
    return tag(
        "header",
        tag("p", " · ".join(measured), class_="meta"),
        tag("h1", muted(f"{text}.")),
        *(tag("p", warning, class_="alert") for warning in warned),
        tiles(figures),
    )


def _sections(
    run: Run, evaluation: Evaluation, metrics: dict[str, Any], data: Path
) -> Iterator[Markup]:
    labels = run.info.labels
    matrix = charts.draw_confusion(evaluation, labels)
    wide = matrix_width(len(labels)) > HALF
    yield section(
        "Class by class",
        draw_table(tables.classes_table(evaluation)),
        tag("div", matrix, class_=f"matrix{' scroll' if wide else ''}") if matrix else None,
        draw_table(tables.mistakes_table(evaluation, labels, at_most=_FREQUENT))
        if matrix is None
        else None,
    )
    yield from _saliency(evaluation, data)
    yield section(
        "Whether the scores are honest",
        panels(
            [
                charts.draw_reliability(evaluation.before, title="as trained"),
                charts.draw_reliability(evaluation.after, title="calibrated"),
            ]
        ),
        draw_table(tables.calibration_table(evaluation)),
        note=f"On the diagonal, the model is as often right as it is sure; below, it is too sure. "
        f"{temperature_sentence(evaluation)}. What is made of this run carries the temperature.",
    )
    if evaluation.thresholds:
        yield section(
            "Thresholds",
            draw_table(tables.thresholds_table(evaluation)),
            note=f"Chosen on the validation images so that {evaluation.recall:.0%} of each class "
            "reach its threshold; what is made of this run carries them.",
        )
    if evaluation.curves:
        note = (
            "Over all thresholds. The area under the ROC curve (AUC) is the chance that an image "
        )
        note += "of the class scores higher than another; the average precision (AP) is the area "
        note += "under the other curve, and falls with the share of the class among the images."
        drawn = [
            charts.draw_roc(evaluation.curves),
            charts.draw_precision_recall(evaluation.curves),
        ]
        yield section("One class against the rest", panels(drawn), note=note)
    yield from _training(run, metrics)


def _saliency(evaluation: Evaluation, data: Path) -> Iterator[Markup]:
    saliency = evaluation.saliency
    wrong = int((evaluation.guess != evaluation.truth).sum())
    if saliency.mistakes:
        note = (
            f"{len(saliency.mistakes)} of {count(wrong, 'mistake')}, the surest first: the image "
        )
        note += "as the model takes it, and where it sees what it calls it."
        yield section("Mistakes", draw_saliency(saliency.mistakes, data=data), note=note)
    if not saliency.examples:
        return
    if saliency.examples[0].heatmap is None:
        yield section("Where it looks", note="This network makes no class activation maps.")
        return
    note = "Class activation maps of the images’ own class: bright is what speaks for it."
    note += " The line is the defect as drawn." if saliency.pointing else ""
    yield section(
        "Where it looks",
        draw_saliency(saliency.examples, data=data),
        draw_table(tables.pointing_table(evaluation)) if saliency.pointing else None,
        note=note,
    )


def _training(run: Run, metrics: dict[str, Any]) -> Iterator[Markup]:
    rows = _history(run.folder / HISTORY_NAME)
    row = metrics.get("best_epoch") or {}
    best = str(row.get("phase")), str(row.get("epoch"))
    drawn = panels(charts.draw_learning(rows, name, best=best) for name in ("loss", "accuracy"))
    if drawn:
        note = (
            "Blue is training, with its augmentation; orange is validation. The dot is the epoch "
        )
        note += "of the least validation loss, whose weights the model has."
        yield section("Learning", drawn, note=note)
    config = read_json(run.folder / CONFIG_NAME)
    yield section("Settings", draw_table(tables.settings_table(config, metrics)))


def _history(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
