"""What run.html shows: the report of a run is one file that holds all of it."""

from pathlib import Path
from typing import Any

from ...edge_runtime.files import read_json
from ...models.metrics.registry import METRICS
from ...models.report.drawing import HALF
from ...models.report.figures import count, ends, value
from ...models.report.matrix import matrix_width
from ...models.report.templates import Tile, render_page
from ...models.run import CONFIG_NAME, Run
from ..evaluation.evaluate import Evaluation
from ..fitting.history import read_history
from . import charts, tables
from .gallery import make_cards
from .words import (
    cautions,
    inspection_sentence,
    temperature_sentence,
    training_warnings,
    verdict_sentence,
)

_TEMPLATE = Path(__file__).with_name("run.html")
_FREQUENT = 20


def page(run: Run, evaluation: Evaluation, metrics: dict[str, Any], *, data: Path) -> str:
    """Return the page as HTML that is well-formed XML too.

    Args:
        run: a finished training.
        evaluation: of it.
        metrics: the content of its `metrics.json`.
        data: the folder of the images.
    """
    labels = run.info.labels
    verdict = verdict_sentence(evaluation)
    inspection = inspection_sentence(evaluation)
    return render_page(
        _TEMPLATE,
        title=f"Run: {verdict}",
        measured=[
            "edgeclf train",
            run.data.name,
            run.info.architecture,
            count(len(evaluation.truth), "test image"),
        ],
        verdict=verdict,
        inspection=inspection,
        warnings=[
            *training_warnings(metrics, data, run.data),
            *cautions(evaluation, read_history(run.folder)),
        ],
        tiles=_tiles(evaluation),
        classes=tables.classes_table(evaluation),
        confusion=charts.draw_confusion(evaluation, labels),
        confusion_is_wide=matrix_width(len(labels)) > HALF,
        mistakes=tables.mistakes_table(evaluation, labels, at_most=_FREQUENT),
        calibration=tables.calibration_table(evaluation),
        temperature=temperature_sentence(evaluation),
        thresholds=tables.thresholds_table(evaluation),
        left_out=tables.left_out_table(evaluation),
        recall=f"{evaluation.recall:.0%}" if evaluation.recall else "",
        settings=tables.settings_table(read_json(run.folder / CONFIG_NAME), metrics),
        **_saliency(evaluation, data),
        **_charts(run, evaluation, metrics),
    )


def _tiles(evaluation: Evaluation) -> list[Tile]:
    return [
        (
            value(estimate),
            metric.unit,
            f"{metric.title} {ends(estimate.interval)}",
        )
        for metric in METRICS
        if (estimate := evaluation.metrics.estimate(metric))
    ]


def _saliency(evaluation: Evaluation, data: Path) -> dict[str, Any]:
    saliency = evaluation.saliency
    wrong = int((evaluation.guess != evaluation.truth).sum())
    return {
        "wrong": make_cards(saliency.mistakes, data=data),
        "all_wrong": count(wrong, "mistake"),
        "examples": make_cards(saliency.examples, data=data),
        "has_heatmaps": any(one.heatmap is not None for one in saliency.examples),
        "pointing": tables.pointing_table(evaluation),
    }


def _charts(run: Run, evaluation: Evaluation, metrics: dict[str, Any]) -> dict[str, Any]:
    rows = read_history(run.folder)
    row = metrics.get("best_epoch") or {}
    best = str(row.get("phase")), str(row.get("epoch"))
    learning = [charts.draw_learning(rows, name, best=best) for name in ("loss", "accuracy")]
    curves = evaluation.curves
    return {
        "reliability": [
            charts.draw_reliability(evaluation.before, title="as trained"),
            charts.draw_reliability(evaluation.after, title="calibrated"),
        ],
        "curves": [charts.draw_roc(curves), charts.draw_precision_recall(curves)] if curves else [],
        "learning": [chart for chart in learning if chart],
    }
