"""A training from the data folder to the finished run."""

import time
from dataclasses import asdict
from typing import Any

import click

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import write_json, write_text
from ..edge_runtime.scoring import Scores, score_predictions
from ..models.run import (
    LABELS_NAME,
    METRICS_NAME,
    MODEL_NAME,
    FloatModel,
    read_run,
    write_config,
    write_split,
)
from .config import TrainConfig
from .dataset import Dataset, read_dataset
from .fit import FitResult, build_model, fit
from .plots import draw_confusion, draw_curves


def train_classifier(config: TrainConfig, *, overwrite: bool = False) -> Scores:
    """Train as `config` says, leave the run in `config.out`, and return its test scores.

    Raises:
        EdgeclfError: the data or the weights cannot serve, or `config.out` holds a run already.
    """
    out = config.out
    if (out / MODEL_NAME).exists() and not overwrite:
        raise EdgeclfError(f"{out}: holds a run already; choose another --out, or add --overwrite")
    dataset = read_dataset(config)
    for warning in dataset.warnings:
        click.echo(f"Warning: {warning}", err=True)
    model = build_model(config, classes=len(dataset.labels))

    # All input is known to be good: only now is the folder touched.
    (out / MODEL_NAME).unlink(missing_ok=True)
    write_text(out / LABELS_NAME, "\n".join(dataset.labels) + "\n")
    write_split(out, dataset.images)
    write_config(out, _plain(config))

    started = time.perf_counter()
    result = fit(model, dataset, config)
    draw_curves(out / "curves.png", result.history)
    scores = _score(dataset, config)
    draw_confusion(out / "confusion.png", scores, dataset.labels)
    write_json(out / METRICS_NAME, _metrics(scores, result, dataset, time.perf_counter() - started))
    return scores


def _score(dataset: Dataset, config: TrainConfig) -> Scores:
    test = dataset.splits["test"]
    guess = FloatModel(read_run(config.out).info).scores(test.pixels).argmax(1)
    return score_predictions(test.classes, guess, labels=dataset.labels)


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
