"""A training from the data folder to the finished run."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import write_text
from ..edge_runtime.scoring import Scores, score_predictions
from ..models.calibration import CALIBRATION_NAME
from ..models.photographs import Photographs
from ..models.run import (
    LABELS_NAME,
    MODEL_NAME,
    read_run,
    write_config,
    write_split,
)
from .config import TrainConfig
from .dataset import Dataset, read_dataset
from .evaluation.evaluate import Evaluation, evaluate
from .evaluation.sight import find_masks
from .fit import FitResult, build_model, fit
from .plots import draw_confusion, draw_curves
from .report.writing import write_evaluation


def train_classifier(
    config: TrainConfig,
    *,
    overwrite: bool = False,
    recall: float | None = None,
    masks: Path | None = None,
) -> Scores:
    """Train as `config` says, leave the run in `config.out`, and return its test scores.

    Args:
        config: the training.
        overwrite: whether a run that is there may be replaced.
        recall: what the model's thresholds shall reach of each class; None for no thresholds.
        masks: of the defects in the test images; None for `DATA-masks` where that exists.

    Raises:
        EdgeclfError: the data or the weights cannot serve, or `config.out` holds a run already.
    """
    out = config.out
    if (out / MODEL_NAME).exists() and not overwrite:
        raise EdgeclfError(f"{out}: holds a run already; choose another --out, or add --overwrite")
    return train_on(read_dataset(config), config, recall=recall, masks=masks)[0]


def train_on(
    dataset: Dataset, config: TrainConfig, *, recall: float | None, masks: Path | None
) -> tuple[Scores, Evaluation]:
    """Train on `dataset`; otherwise as `train_classifier`."""
    out = config.out
    for warning in dataset.warnings:
        click.echo(f"Warning: {warning}", err=True)
    photographs = _test_photographs(dataset, config.data)
    masked = find_masks(
        photographs, data=config.data, masks=masks, size_hw=config.input_hw, rule=config.resize
    )
    model = build_model(config, classes=len(dataset.labels))

    # All input is known to be good: only now is the folder touched.
    for name in (MODEL_NAME, CALIBRATION_NAME):
        (out / name).unlink(missing_ok=True)
    write_text(out / LABELS_NAME, "\n".join(dataset.labels) + "\n")
    write_split(out, dataset.images)
    write_config(out, _plain(config))

    started = time.perf_counter()
    result = fit(model, dataset, config)
    draw_curves(out / "curves.png", result.history)
    run = read_run(out)
    evaluation = evaluate(
        run.info,
        val=dataset.splits["val"],
        test=dataset.splits["test"],
        photographs=photographs,
        masked=masked,
        recall=recall,
    )
    guess = evaluation.scores.argmax(1)
    scores = _score(dataset, guess)
    draw_confusion(out / "confusion.png", scores, dataset.labels)
    metrics = _metrics(scores, result, dataset, time.perf_counter() - started)
    metrics |= evaluation.to_json() | _unseen(scores, dataset, guess)
    write_evaluation(run, evaluation, metrics, data=config.data)
    return scores, evaluation


def _test_photographs(dataset: Dataset, data: Path) -> Photographs:
    images = [image for image in dataset.images if image.split == "test"]
    return Photographs(tuple(data / i.path for i in images), tuple(i.label for i in images))


def _score(
    dataset: Dataset, guess: NDArray[np.intp], *, of: slice | NDArray[np.bool_] = slice(None)
) -> Scores:
    truth = dataset.splits["test"].classes
    return score_predictions(truth[of], guess[of], labels=dataset.labels)


def _unseen(scores: Scores, dataset: Dataset, guess: NDArray[np.intp]) -> dict[str, Any]:
    """Return the scores on the test images of which training has seen no near-duplicate."""
    if not dataset.seen.any():
        return {}
    if dataset.seen.all():
        click.echo("Warning: training has seen a near-duplicate of every test image", err=True)
        return {"test_unseen": None}
    unseen = _score(dataset, guess, of=~dataset.seen)
    click.echo(
        f"Warning: accuracy {unseen.accuracy:.3f} on the {unseen.images} test images that have no "
        f"near-duplicate in train, {scores.accuracy:.3f} on all {scores.images}",
        err=True,
    )
    return {"test_unseen": unseen.to_json()}


def _metrics(scores: Scores, result: FitResult, dataset: Dataset, seconds: float) -> dict[str, Any]:
    return {
        "test": scores.to_json(),
        "images": {name: len(split.classes) for name, split in dataset.splits.items()},
        "best_epoch": result.best,
        "epochs": len(result.history),
        "seconds": round(seconds, 1),
        "interrupted": result.interrupted,
        "warnings": list(dataset.warnings),
    }


def _plain(config: TrainConfig) -> dict[str, Any]:
    values = asdict(config)
    values["data"] = str(config.data.resolve())
    values["groups"] = None if config.groups is None else str(config.groups.resolve())
    del values["out"]
    return values
