"""Two phases, as the field does it: the head on a frozen backbone, then the whole, gently."""

import csv
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import whole_file, write_text
from ..models.architectures import architecture
from ..models.densenet import HEAD_NAME, build_classifier
from ..models.run import MODEL_NAME
from ..models.weights import download_imagenet, read_weights, set_weights
from .batches import TrainBatches, ValidationBatches
from .config import PhaseConfig, TrainConfig
from .dataset import Dataset

HISTORY_NAME = "history.csv"


@dataclass(frozen=True)
class FitResult:
    """What a fit did.

    Attributes:
        history: a row per epoch: phase, epoch, seconds, learning_rate, losses and accuracies.
        interrupted: whether Ctrl-C ended it early.
    """

    history: tuple[dict[str, Any], ...]
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
    record = _Record(config.out)
    interrupted = False
    try:
        for index, phase in enumerate(config.phases):
            if not phase.epochs:
                continue
            record.phase = phase.name
            _fit_phase(model, dataset, config, phase, index, record)
            set_weights(model, read_weights(record.path), source=str(record.path), head=True)
    except KeyboardInterrupt:
        if not record.path.exists():
            raise
        interrupted = True
        click.echo("\nInterrupted: the best epoch so far is kept and scored.", err=True)
    return FitResult(tuple(record.rows), interrupted)


def _fit_phase(
    model: keras.Model,
    dataset: Dataset,
    config: TrainConfig,
    phase: PhaseConfig,
    index: int,
    record: "_Record",
) -> None:
    for layer in model.layers:
        is_bn = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = (
            phase.name == "scratch"
            or layer.name == HEAD_NAME
            or (phase.name == "fine-tune" and not is_bn)
        )
    batches = TrainBatches(
        dataset.splits["train"],
        classes=len(dataset.labels),
        batch_size=config.batch_size,
        config=config.augment,
        class_weights=config.class_weights,
        seed=(config.seed, index),
    )
    rate, callbacks = _schedule(phase, steps=phase.epochs * len(batches), patience=config.patience)
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # compiling a DenseNet takes longer than a small training
    )
    click.echo(f"Phase {phase.name}: {phase.epochs} epochs at most, {config.architecture}")
    model.fit(
        batches,
        validation_data=ValidationBatches(dataset.splits["val"], classes=len(dataset.labels)),
        epochs=phase.epochs,
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[record, *callbacks],
    )


def _schedule(phase: PhaseConfig, *, steps: int, patience: int) -> tuple[Any, list[Any]]:
    """Return Adam's learning rate and the callbacks that go with it.

    From pretrained weights the validation loss is steady enough to steer by. From scratch it
    jumps, and the last stretch of a cosine (Loshchilov and Hutter 2017) brings the accuracy.
    """
    if phase.name == "scratch":
        warm_up = steps // 10
        cosine = keras.optimizers.schedules.CosineDecay(
            phase.learning_rate / 10,
            max(1, steps - warm_up),
            warmup_target=phase.learning_rate,
            warmup_steps=warm_up,
        )
        return cosine, []
    return phase.learning_rate, [
        _WarmUp(phase.learning_rate, steps // phase.epochs),
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


class _Record(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the best epoch's model and the history on disk, so that nothing done is lost."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        self.path = out / MODEL_NAME
        self.rows: list[dict[str, Any]] = []
        self.phase = ""
        self._history = out / HISTORY_NAME
        self._best = np.inf
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        if not np.isfinite(values["loss"]):
            raise EdgeclfError(
                f"the loss became {values['loss']} in phase {self.phase}, epoch {epoch + 1}; "
                "use a lower learning rate"
            )
        self.rows.append(
            {
                "phase": self.phase,
                "epoch": epoch + 1,
                "seconds": round(time.perf_counter() - self._started, 2),
                "learning_rate": float(self.model.optimizer.learning_rate),
                **{
                    name: round(values[name], 6)
                    for name in sorted(values)
                    if name != "learning_rate"
                },
            }
        )
        if values["val_loss"] < self._best:
            self._best = values["val_loss"]
            with whole_file(self.path) as temporary:
                self.model.save(temporary, include_optimizer=False)
        self._write_history()

    def _write_history(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self._history, text.getvalue())
