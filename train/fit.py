"""Two phases, as the field does it: the head on a frozen backbone, then the whole, gently."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np

from ..models.architectures import architecture
from ..models.batches import TrainBatches, ValidationBatches
from ..models.classifier import build_classifier
from ..models.examples import image_weights
from ..models.weights import download_imagenet, read_weights, set_weights
from .config import PhaseConfig, TrainConfig
from .dataset import Dataset
from .features import extract_features, head_of
from .record import Record


@dataclass(frozen=True)
class FitResult:
    """What a fit did.

    Attributes:
        history: a row per epoch: phase, epoch, seconds, learning_rate, losses and accuracies.
        best: the row of the epoch that was kept.
        interrupted: whether Ctrl-C ended it early.
    """

    history: tuple[dict[str, Any], ...]
    best: dict[str, Any]
    interrupted: bool


def build_model(config: TrainConfig, *, classes: int) -> keras.Model:
    """Return the network to train, seeded, with the weights that `config` names."""
    keras.utils.set_random_seed(config.seed)
    chosen = architecture(config.architecture)
    model = build_classifier(
        chosen,
        classes=classes,
        input_hw=config.input_hw,
        dropout=config.dropout,
        # From scratch the statistics must follow within a few hundred steps.
        bn_momentum=0.9 if config.weights == "none" else 0.99,
    )
    if config.weights == "imagenet":
        set_weights(model, download_imagenet(chosen), source="imagenet", head=False)
    elif config.weights != "none":
        weights = read_weights(Path(config.weights))
        set_weights(model, weights, source=config.weights, head=False)
    return model


def fit(model: keras.Model, dataset: Dataset, config: TrainConfig) -> FitResult:
    """Train, and leave the epoch of the lowest validation loss in `config.out/model.keras`."""
    record = Record(model, config.out)
    interrupted = False
    try:
        for index, phase in enumerate(config.phases):
            if not phase.epochs:
                continue
            record.phase = phase.name
            seed = (config.seed, index)
            if phase.name == "head":
                _fit_head(model, dataset, config, phase, seed, record)
            else:
                _fit_whole(model, dataset, config, phase, seed, record)
            set_weights(model, read_weights(record.path), source=str(record.path), head=True)
    except KeyboardInterrupt:
        if not record.path.exists():
            raise
        interrupted = True
        click.echo("\nInterrupted: the best epoch so far is kept and scored.", err=True)
    return FitResult(tuple(record.rows), record.best, interrupted)


def _fit_head(
    model: keras.Model,
    dataset: Dataset,
    config: TrainConfig,
    phase: PhaseConfig,
    seed: tuple[int, ...],
    record: Record,
) -> None:
    train, val = (
        extract_features(
            model, dataset.splits[name], augment_as=config.augment, draws=draws, seed=seed
        )
        for name, draws in (("train", config.head_draws), ("val", 1))
    )
    targets = np.eye(len(dataset.labels), dtype=np.float32)
    head = head_of(model)
    head.trainable = True
    _run(
        head,
        config,
        phase,
        record,
        steps=math.ceil(len(train.values) / config.batch_size),
        x=train.values,
        y=targets[train.classes],
        sample_weight=image_weights(train.classes, rule=config.class_weights),
        batch_size=config.batch_size,
        validation_data=(val.values, targets[val.classes]),
    )


def _fit_whole(
    model: keras.Model,
    dataset: Dataset,
    config: TrainConfig,
    phase: PhaseConfig,
    seed: tuple[int, ...],
    record: Record,
) -> None:
    for layer in model.layers:
        is_bn = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = phase.name == "scratch" or not is_bn
    classes = len(dataset.labels)
    batches = TrainBatches(
        dataset.splits["train"],
        classes=classes,
        batch_size=config.batch_size,
        config=config.augment,
        class_weights=config.class_weights,
        seed=seed,
    )
    _run(
        model,
        config,
        phase,
        record,
        steps=len(batches),
        x=batches,
        validation_data=ValidationBatches(dataset.splits["val"], classes=classes),
    )


def _run(
    model: keras.Model,
    config: TrainConfig,
    phase: PhaseConfig,
    record: Record,
    *,
    steps: int,
    **data: Any,
) -> None:
    """Compile `model` for `phase` and fit it, `steps` of them an epoch."""
    optimizer, callbacks = _schedule(phase, record, steps_per_epoch=steps, patience=config.patience)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # compiling a DenseNet takes longer than a small training
    )
    click.echo(f"Phase {phase.name}: {phase.epochs} epochs at most, {config.architecture}")
    model.fit(
        epochs=phase.epochs,
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=callbacks,
        **data,
    )


def _schedule(
    phase: PhaseConfig, record: Record, *, steps_per_epoch: int, patience: int
) -> tuple[keras.Optimizer, list[keras.callbacks.Callback]]:
    """Return the optimizer of `phase` and its callbacks, `record` among them.

    From pretrained weights, what is validated and kept is the average of the weights over the last
    epoch or so (Polyak and Juditsky 1992): on small data the weights themselves jump about the
    optimum. From scratch, a cosine (Loshchilov and Hutter 2017) brings them to rest.
    """
    if phase.name == "scratch":
        steps = phase.epochs * steps_per_epoch
        warm_up = steps // 10
        cosine = keras.optimizers.schedules.CosineDecay(
            phase.learning_rate / 10,
            max(1, steps - warm_up),
            warmup_target=phase.learning_rate,
            warmup_steps=warm_up,
        )
        return keras.optimizers.Adam(cosine), [record]
    averaging = keras.optimizers.Adam(
        phase.learning_rate, use_ema=True, ema_momentum=1 - 1 / max(2, steps_per_epoch)
    )
    return averaging, [
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),  # before the record, which saves them
        record,
        _WarmUp(phase.learning_rate, steps_per_epoch),
        keras.callbacks.ReduceLROnPlateau(patience=max(1, patience // 2), factor=0.3),
        keras.callbacks.EarlyStopping(patience=patience),
    ]


class _WarmUp(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises the learning rate over the first epoch.

    Adam's first steps are as long for a weight that hardly matters as for any other, which a
    pretrained network answers with a jump of the loss.
    """

    def __init__(self, learning_rate: float, steps: int) -> None:
        super().__init__()
        self._learning_rate = learning_rate
        self._steps = steps
        self._done = 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        if self._done < self._steps:
            self._done += 1
            share = self._done / self._steps
            self.model.optimizer.learning_rate = self._learning_rate * share
