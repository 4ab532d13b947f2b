"""A training from the data folder to the finished run."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import keras
import tensorflow as tf

from ..edge_runtime.files import sha256_of, write_text
from ..edge_runtime.model_file.spec import check_good
from ..models.metrics.scoring import Metrics
from ..models.photographs import Photographs
from ..models.run import (
    LABELS_NAME,
    METRICS_NAME,
    MODEL_NAME,
    read_run,
    write_config,
    write_split,
)
from .config import RunOptions, TrainConfig
from .data.batch_streams import prepare_training_data
from .data.dataset import Dataset, read_dataset
from .evaluation.evaluate import Evaluation, evaluate
from .evaluation.saliency import find_masks
from .fitting.checkpoint import CHECKPOINT_NAME, Checkpoint, is_finished
from .fitting.distribute import find_strategy, is_chief
from .fitting.event_log import LOGS_NAME, EventLog
from .fitting.fit import FitResult, build_model, fit
from .fitting.history import History
from .fitting.plots import draw_curves
from .fitting.training_key import Key, training_key, weights_digest
from .further_scores import draw_averaged_scores, unseen_scores
from .report.writing import write_evaluation
from .run_folder import (
    CURVES_NAME,
    check_out,
    interruption_says_how_to_go_on,
    make_room,
    remove_intermediate,
)

_DEFAULTS = RunOptions()


@dataclass(frozen=True, eq=False)
class StartNetwork:
    """A network that a training starts from, in place of what its config names.

    Attributes:
        model: the network; of `config.channels`.
        settings: what the run's config.json shall hold of where it comes from.
        digest: of the weights that the training began with, if a checkpoint has those of `model`;
            None if they are its own.
    """

    model: keras.Model
    settings: dict[str, Any]
    digest: str | None = None


def run_training(config: TrainConfig, options: RunOptions = _DEFAULTS) -> Metrics:
    """Train as `config` says, leave the run in `config.out`, and return its test scores.

    Of several workers only the chief writes there.

    Raises:
        EdgeclfError: the data or the weights cannot serve, or `config.out` holds another training.
    """
    strategy = find_strategy()
    if is_chief(strategy):
        check_out(config.out, options, teacher=config.distill.teacher if config.distill else None)
        with interruption_says_how_to_go_on(config.out):
            return train_on(read_dataset(config), config, options, strategy=strategy).plain
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        if options.resume and (config.out / CHECKPOINT_NAME).exists():
            shutil.copy(config.out / CHECKPOINT_NAME, own)
        elif options.resume and (config.out / METRICS_NAME).exists():
            shutil.copytree(config.out, own, dirs_exist_ok=True)
        elsewhere = replace(config, out=own)
        quiet = replace(options, tensorboard=False)
        return train_on(read_dataset(elsewhere), elsewhere, quiet, strategy=strategy).plain


def train_on(
    dataset: Dataset,
    config: TrainConfig,
    options: RunOptions,
    *,
    strategy: tf.distribute.Strategy | None = None,
    start: StartNetwork | None = None,
) -> Evaluation:
    """Train on `dataset`, from `start` if there is one; otherwise as `run_training`."""
    out = config.out
    check_good(options.good, dataset.labels)
    photographs = _photographs(dataset, "test", config.data)
    masked = find_masks(
        photographs,
        data=config.data,
        masks=options.masks,
        size_hw=config.input_hw,
        rule=config.resize,
    )
    start = start or StartNetwork(build_model(config, classes=len(dataset.labels)), {})
    digest = start.digest or weights_digest(start.model)
    key = training_key(plain_config(config) | start.settings, dataset, start_weights=digest)
    result = None
    if options.resume and is_finished(out, key):
        click.echo(f"{out}: finished already{_thresholds_elsewhere(out, options)}")
    else:
        result = fit_dataset(
            start.model, key, dataset, config, options, strategy, settings=start.settings
        )
    run = read_run(out)
    evaluation = evaluate(
        run.info,
        train=dataset.splits["train"],
        val=dataset.splits["val"],
        test=dataset.splits["test"],
        photographs=photographs,
        masked=masked,
        recall=options.recall,
    )
    if result is None:
        return evaluation
    further = _training_json(result, dataset, key)
    further |= unseen_scores(evaluation, dataset) | draw_averaged_scores(dataset, config)
    val = _photographs(dataset, "val", config.data)
    write_evaluation(run, evaluation, further, val=val, test=photographs, data=config.data)
    if not result.interrupted:
        remove_intermediate(out)
    return evaluation


def fit_dataset(
    model: keras.Model,
    key: Key,
    dataset: Dataset,
    config: TrainConfig,
    options: RunOptions,
    strategy: tf.distribute.Strategy | None,
    *,
    settings: Mapping[str, Any] = MappingProxyType({}),
    pause_after: int | None = None,
) -> FitResult:
    """Train `model`, from a checkpoint if `options` say so, and leave it in the run's folder.

    `settings` stand in its `config.json`, too. After `pause_after` epochs of all phases, if that is
    given, it stops as if it was interrupted.
    """
    out = config.out
    training_data = prepare_training_data(dataset, config)
    events = EventLog(out / LOGS_NAME) if options.tensorboard else None
    history = History(model, out, events=events)
    checkpoint = Checkpoint(out, key=key, history=history, pause_after=pause_after)
    if options.resume and checkpoint.path.exists():
        checkpoint.read()
        if pause_after is not None and len(history.rows) >= pause_after:
            return FitResult(tuple(history.rows), history.best, True, history.seconds)

    # All input is known to be good: only now is the folder touched.
    make_room(out, resume=options.resume)
    write_text(out / LABELS_NAME, "\n".join(dataset.labels) + "\n")
    write_split(out, dataset.images)
    write_config(out, plain_config(config) | {"good": options.good} | dict(settings))

    if not config.phases:
        checkpoint.history.save()
        return FitResult((), {}, interrupted=False, seconds=checkpoint.history.seconds)
    result = fit(model, training_data, config, checkpoint=checkpoint, strategy=strategy)
    draw_curves(out / CURVES_NAME, result.history)
    return result


def _thresholds_elsewhere(out: Path, options: RunOptions) -> str:
    if options.recall is None:
        return ""
    command = f"edgeclf evaluate {out} --recall {options.recall}"
    return f"; its thresholds are left as they are, {command} changes them"


def _photographs(dataset: Dataset, split: str, data: Path) -> Photographs:
    images = [image for image in dataset.images if image.split == split]
    return Photographs(tuple(data / i.path for i in images), tuple(i.label for i in images))


def _training_json(result: FitResult, dataset: Dataset, key: Key) -> dict[str, Any]:
    known = {
        "images": {name: len(split.classes) for name, split in dataset.splits.items()},
        "seconds": round(result.seconds, 1),
        "trained_with": key,
        "warnings": list(dataset.warnings),
    }
    if not result.history:
        return known
    return known | {
        "best_epoch": result.best,
        "epochs": len(result.history),
        "interrupted": result.interrupted,
    }


def plain_config(config: TrainConfig) -> dict[str, Any]:
    """Return what a run's `config.json` holds of it."""
    values = asdict(config)
    values["data"] = str(config.data.resolve())
    values["groups"] = None if config.groups is None else str(config.groups.resolve())
    if config.distill is not None:
        teacher = config.distill.teacher
        values["distill"]["teacher"] = str(teacher.resolve())
        values["distill"]["teacher_sha256"] = sha256_of(teacher / MODEL_NAME)
        values["distill"]["teacher_calibration"] = read_run(teacher).info.calibration.temperature
        if (unlabelled := config.distill.unlabelled) is not None:
            values["distill"]["unlabelled"] = str(unlabelled.resolve())
    del values["out"]
    return values
