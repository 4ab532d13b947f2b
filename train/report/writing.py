"""What an evaluation leaves in its run's folder."""

from pathlib import Path
from typing import Any

import click

from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.files import write_json, write_text
from ...edge_runtime.text import printable
from ...models.photographs import Photographs
from ...models.run import METRICS_NAME, Run
from ...models.score_calibration import write_calibration
from ..evaluation.evaluate import Evaluation
from ..fitting.history import read_history
from ..fitting.plots import draw_confusion
from .card import model_card
from .page import page
from .predictions import write_predictions
from .words import cautions, inspection_sentence

REPORT_NAME = "report.html"
CARD_NAME = "MODEL_CARD.md"
CONFUSION_NAME = "confusion.png"


def write_evaluation(
    run: Run,
    evaluation: Evaluation,
    further: dict[str, Any],
    *,
    val: Photographs,
    test: Photographs,
    data: Path,
) -> None:
    """Write all that an evaluation of `run` leaves: `calibration.json`, `metrics.json`,
    `predictions.csv`, `confusion.png`, `report.html` and `MODEL_CARD.md`. Say on the terminal how
    many defects pass, and what should be known before the figures are believed.

    Args:
        run: a finished training.
        evaluation: of it.
        further: what `metrics.json` holds beside the evaluation; older figures in it give way.
        val: the validation images, in the order of the evaluation.
        test: the test images, the same.
        data: the folder of the images.
    """
    metrics = further | evaluation.to_json()
    draw_confusion(run.folder / CONFUSION_NAME, evaluation.plain, run.info.labels)
    write_calibration(run.folder, evaluation.calibration)
    write_json(run.folder / METRICS_NAME, metrics)
    write_predictions(run, evaluation, val=val, test=test, data=data)
    write_text(run.folder / REPORT_NAME, page(run, evaluation, metrics, data=data))
    write_text(run.folder / CARD_NAME, model_card(run, evaluation, metrics, data=data))
    if inspection := inspection_sentence(evaluation):
        click.echo(printable(inspection))
    for caution in cautions(evaluation, read_history(run.folder)):
        echo_warning(caution)
