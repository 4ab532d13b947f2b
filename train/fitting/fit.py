"""Two phases, as the field does it: the head on a frozen backbone, then the whole, gently."""

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import keras
import tensorflow as tf

from ...models.networks.architectures import architecture, check_input
from ...models.networks.classifier import build_classifier
from ...models.networks.imagenet import imagenet_weights
from ...models.networks.weights import read_weights, set_weights
from ..config import PhaseConfig, TrainConfig
from ..data.batch_streams import TrainingData
from ..data.features import FeatureBatches, head_features, head_of
from .checkpoint import Checkpoint, TrainingPaused
from .distribute import check_in_step, fit_shared, mirrored
from .history import History
from .layerwise import LayerwiseAdam, layer_shares
from .losses import DistillationLoss, accuracy
from .precision import check_precision, computing_in


@dataclass(frozen=True)
class FitResult:
    """What a fit did.

    Attributes:
        history: a row per epoch: phase, epoch, seconds, learning_rate, losses and accuracies.
        best: the row of the best epoch.
        interrupted: whether Ctrl-C, or the checkpoint's pause, ended it early.
        seconds: what it took, before an interruption included.
    """

    history: tuple[dict[str, Any], ...]
    best: dict[str, Any]
    interrupted: bool
    seconds: float


def build_model(config: TrainConfig, *, classes: int) -> keras.Model:
    """Return the network to train, seeded, with the weights that `config` names."""
    keras.utils.set_random_seed(config.seed)
    chosen = architecture(config.architecture)
    check_input(chosen, config.head_input_hw)
    check_precision(config.precision)
    model = build_classifier(
        chosen,
        classes=classes,
        input_hw=config.input_hw,
        dropout=config.dropout,
        # From scratch the statistics must follow within a few hundred steps.
        bn_momentum=0.9 if config.weights == "none" else 0.99,
    )
    if config.weights == "imagenet":
        set_weights(model, imagenet_weights(chosen), source="imagenet", head=False)
    elif config.weights != "none":
        weights = read_weights(Path(config.weights))
        set_weights(model, weights, source=config.weights, head=False)
    return model


def fit(
    model: keras.Model,
    training_data: TrainingData,
    config: TrainConfig,
    *,
    checkpoint: Checkpoint,
    strategy: tf.distribute.Strategy | None = None,
) -> FitResult:
    """Train, and leave the epoch of the lowest validation loss in `config.out/model.keras`.

    Args:
        model: what `build_model` returned.
        training_data: what it is shown.
        config: the training.
        checkpoint: what it goes on from, and where it keeps its state after each epoch.
        strategy: over what the steps of the whole network are shared out.
    """
    history = checkpoint.history
    first = checkpoint.phase
    interrupted = False
    try:
        for index, phase in enumerate(config.phases):
            if not phase.epochs or index < first:
                continue
            checkpoint.phase, history.phase = index, phase.name
            seed = (config.seed, index)
            if phase.name == "head":
                _fit_head(model, training_data, config, phase, seed, checkpoint)
            else:
                _fit_whole(model, training_data, config, phase, seed, checkpoint, strategy)
            checkpoint.save_best()
    except TrainingPaused:
        interrupted = True
    except KeyboardInterrupt:
        if not history.rows or not checkpoint.model:
            raise
        checkpoint.save_best()
        interrupted = True
        click.echo(
            "\nInterrupted: the best epoch so far is kept and scored; the same command with "
            "--resume goes on.",
            err=True,
        )
    return FitResult(tuple(history.rows), history.best, interrupted, history.seconds)


def _fit_head(
    model: keras.Model,
    training_data: TrainingData,
    config: TrainConfig,
    phase: PhaseConfig,
    seed: tuple[int, ...],
    checkpoint: Checkpoint,
) -> None:
    train, val = head_features(model, training_data, seed=seed, key=checkpoint.key)
    head = head_of(model)
    head.trainable = True
    _run(
        head,
        config,
        phase,
        checkpoint,
        batches=FeatureBatches(train, batch_size=config.batch_size, seed=seed),
        validation_data=(val.values, val.targets),
    )


def _fit_whole(
    model: keras.Model,
    training_data: TrainingData,
    config: TrainConfig,
    phase: PhaseConfig,
    seed: tuple[int, ...],
    checkpoint: Checkpoint,
    strategy: tf.distribute.Strategy | None,
) -> None:
    # A shell around it: in the file that Keras opens, no loss of ours shall be named.
    trained = keras.Model(model.input, model.output)
    if strategy:
        trained = checkpoint.history.mirrored = mirrored(model, strategy)
    for layer in trained.layers:
        is_bn = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = phase.name == "scratch" or not is_bn
    with computing_in(config.precision), strategy.scope() if strategy else nullcontext():
        _run(
            trained,
            config,
            phase,
            checkpoint,
            batches=training_data.train(seed),
            validation_data=training_data.val(),
            strategy=strategy,
        )


def _run(
    model: keras.Model,
    config: TrainConfig,
    phase: PhaseConfig,
    checkpoint: Checkpoint,
    *,
    batches: keras.utils.PyDataset,
    validation_data: Any,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Compile `model` for `phase` and fit it, from where the checkpoint stands."""
    loss = _loss(config)
    optimizer, callbacks = _schedule(
        model,
        phase,
        checkpoint.history,
        steps_per_epoch=len(batches),
        patience=config.patience,
    )
    model.compile(
        optimizer=optimizer,
        loss=loss,
        # Made here: one that is made while the step is traced has it traced twice.
        metrics=[keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")],
        jit_compile=False,  # compiling a DenseNet takes longer than a small training
    )
    click.echo(f"Phase {phase.name}: {phase.epochs} epochs at most, {config.architecture}")
    if checkpoint.begin(model, callbacks):
        return
    for _ in range(checkpoint.epochs_done):
        batches.on_epoch_end()  # order and augmentation are those of the epoch's number
    course: dict[str, Any] = {
        "initial_epoch": checkpoint.epochs_done,
        "epochs": phase.epochs,
        "verbose": 1 if sys.stdout.isatty() else 2,
        "callbacks": [*callbacks, checkpoint],
        "validation_data": validation_data,
    }
    if strategy:
        check_in_step(strategy, checkpoint.epochs_done)
        fit_shared(model, strategy, batches, loss=loss, **course)
    else:
        # The batches have their own order, which a resumed training finds again.
        model.fit(batches, shuffle=False, **course)


def _loss(config: TrainConfig) -> keras.losses.Loss:
    if config.distill is None:
        return keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
    return DistillationLoss(
        weight=config.distill.weight,
        temperature=config.distill.temperature,
        label_smoothing=config.label_smoothing,
    )


def _schedule(
    model: keras.Model, phase: PhaseConfig, history: History, *, steps_per_epoch: int, patience: int
) -> tuple[keras.Optimizer, list[keras.callbacks.Callback]]:
    """Return the optimizer of `phase` and its callbacks, `history` among them.

    From pretrained weights, what is validated and kept is the average of the weights over the last
    epoch or so (Polyak and Juditsky 1992): on small data the weights themselves jump about the
    optimum. From scratch, a cosine (Loshchilov and Hutter 2017) brings them to rest.
    """
    rate: Any = phase.learning_rate
    callbacks: list[keras.callbacks.Callback] = [history]
    if phase.schedule == "cosine":
        steps = phase.epochs * steps_per_epoch
        warm_up = steps // 10
        rate = keras.optimizers.schedules.CosineDecay(
            phase.learning_rate / 10,
            max(1, steps - warm_up),
            warmup_target=phase.learning_rate,
            warmup_steps=warm_up,
        )
    else:
        callbacks += [
            _WarmUp(phase.learning_rate, steps_per_epoch),
            keras.callbacks.ReduceLROnPlateau(patience=max(1, patience // 2), factor=0.3),
            keras.callbacks.EarlyStopping(patience=patience),
        ]
    averaging = {}
    if phase.name != "scratch":
        averaging = {"use_ema": True, "ema_momentum": 1 - 1 / max(2, steps_per_epoch)}
        # Before the history, which saves them.
        callbacks.insert(0, keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    if phase.layer_decay == 1:
        return keras.optimizers.Adam(rate, **averaging), callbacks
    shares = layer_shares(model, phase.layer_decay)
    return LayerwiseAdam(rate, shares=shares, **averaging), callbacks


class _WarmUp(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises the learning rate over the first epoch.

    Adam's first steps are as long for a weight that hardly matters as for any other, which a
    pretrained network answers with a jump of the loss.
    """

    def __init__(self, learning_rate: float, steps: int) -> None:
        super().__init__()
        self._learning_rate = learning_rate
        self._steps = steps
        self.steps_done = 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        if self.steps_done < self._steps:
            self.steps_done += 1
            share = self.steps_done / self._steps
            self.model.optimizer.learning_rate = self._learning_rate * share
