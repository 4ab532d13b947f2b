"""Writes what an evaluation leaves in its run's folder."""

from pathlib import Path
from typing import Any

from ...edge_runtime.files import write_json, write_text
from ...models.run import METRICS_NAME, Run
from ...models.score_calibration import write_calibration
from ..evaluation.evaluate import Evaluation
from .card import model_card
from .page import page

REPORT_NAME = "report.html"
CARD_NAME = "MODEL_CARD.md"


def write_evaluation(
    run: Run, evaluation: Evaluation, metrics: dict[str, Any], *, data: Path
) -> None:
    """Write `calibration.json`, `metrics.json`, `report.html` and `MODEL_CARD.md` of `run`.

    Args:
        run: a finished training.
        evaluation: of it.
        metrics: the content of `metrics.json`.
        data: the folder of the images.
    """
    write_calibration(run.folder, evaluation.calibration)
    write_json(run.folder / METRICS_NAME, metrics)
    write_text(run.folder / REPORT_NAME, page(run, evaluation, metrics, data=data))
    write_text(run.folder / CARD_NAME, model_card(run, evaluation, metrics, data=data))
