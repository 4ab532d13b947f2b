"""Quantization-aware training: the rounded network learns to say what the float one says.

The loss is the divergence from the float network's scores (distillation, Hinton et al. 2015), not
the labels' cross-entropy: what shall be regained is what rounding lost, and on small data the
labels were learned by heart long ago. So it needs no labels, and the validation images measure it
without the coin tosses of accuracy on a hundred images.

Adam moves every weight by about its learning rate, large or small; the size of equalised
kernels differs by orders of magnitude. So each weight is moved in units of its own rounding.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.files import DAMAGED_ARRAYS, whole_file
from ...models.data.augment import AugmentConfig
from ...models.data.batches import unlabelled_batches
from ...models.photographs import Photographs
from ..graph.nodes import Graph
from ..graph.to_keras import build_tf_keras, image_batch, scores_by
from .fake_quant import build_fake_quant, learned, on_grid, rounding_steps
from .ranges import TensorRange

# Scores are kept from zero, whose logarithm is not finite.
_LEAST = 1e-7


@dataclass(frozen=True)
class QatConfig:
    """How the rounded network is trained.

    Attributes:
        epochs: passes over the training images.
        batch_size: images of a step.
        augment: how training images are changed.
        seed: of order and augmentation.
        learning_rate: Adam's at the start, in steps of the rounding; it falls to zero along a
            cosine.
    """

    epochs: int
    batch_size: int
    augment: AugmentConfig
    seed: int
    learning_rate: float = 0.003


@dataclass(frozen=True)
class QatPlan:
    """What the rounded network is trained on, and how.

    Attributes:
        train: photographs to train on.
        val: photographs that choose the epoch.
        config: the training.
    """

    train: Photographs
    val: Photographs
    config: QatConfig


@dataclass(frozen=True)
class QatEpoch:
    """What was measured after an epoch.

    Attributes:
        epoch: 0 is the network before training.
        divergence: Kullback-Leibler divergence of the rounded network's scores from the float
            one's, in nats, mean over the validation images.
        agreement: share of the validation images on which both name the same class.
    """

    epoch: int
    divergence: float
    agreement: float


@dataclass(frozen=True)
class Trained:
    """What a training brought.

    Attributes:
        graph: with the weights of the best epoch.
        ranges: over which it rounds.
        history: what was measured of each epoch.
    """

    graph: Graph
    ranges: dict[str, TensorRange]
    history: tuple[QatEpoch, ...]

    def scores(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return Keras's float32 scores (images, classes) for RGB uint8 (images, h, w, 3)."""
        return scores_by(build_fake_quant(self.graph, self.ranges).traced(), inputs)


def train_fake_quant(
    graph: Graph,
    ranges: dict[str, TensorRange],
    *,
    start: Graph,
    train: NDArray[np.uint8],
    val: NDArray[np.uint8],
    config: QatConfig,
    checkpoint: Path,
) -> Trained:
    """Fine-tune `start` with its rounding in place until it says what `graph` says in float.

    The epoch of the least divergence is kept.

    After each epoch all that is needed to go on is written to `checkpoint`; the same call takes it
    up, and ends as if it had never been interrupted.

    Args:
        graph: a deploy graph.
        ranges: what `calibrate_ranges` returned for it.
        start: the same graph, with the weights to start from.
        train: RGB uint8 of shape (images, height, width, 3).
        val: the same, never trained on; they choose the epoch.
        config: the training.
        checkpoint: the file to write.
    """
    teacher, student = build_tf_keras(graph), build_fake_quant(start, ranges)
    batches = unlabelled_batches(
        train, batch_size=config.batch_size, config=config.augment, seed=config.seed
    )
    rate = tf_keras.optimizers.schedules.CosineDecay(
        config.learning_rate, config.epochs * len(batches)
    )
    optimizer = tf_keras.optimizers.Adam(rate)
    weights, units = student.trainable_weights, rounding_steps(start, ranges, student)
    starts = [tf.constant(weight) for weight in weights]
    moves = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
    optimizer.build(moves)

    def place() -> None:
        for weight, began, unit, move in zip(weights, starts, units, moves, strict=True):
            weight.assign(began + unit * move)

    scored = student.traced()
    expected = scores_by(teacher.traced(), val)
    state = _State(moves, optimizer, checkpoint, key=_key(start, ranges, train, val, config))
    if state.resume():
        place()
    else:
        state.keep(_measure(0, scored, val, expected))

    @tf.function(input_signature=[image_batch(graph)], autograph=False)  # type: ignore[untyped-decorator]
    def step(images: Any) -> Any:
        wanted = teacher(images, training=False)
        with tf.GradientTape() as tape:
            loss = _divergence(wanted, student(images, training=True))
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(
            (gradient * unit, move)
            for gradient, unit, move in zip(gradients, units, moves, strict=True)
        )
        place()
        return loss

    for epoch in range(config.epochs):
        if epoch < state.epochs_done:
            batches.on_epoch_end()
            continue
        started, losses = time.perf_counter(), []
        with click.progressbar(range(len(batches)), label=f"Epoch {epoch + 1}") as bar:
            for index in bar:
                losses.append(float(step(tf.constant(batches[index][0]))))
        batches.on_epoch_end()
        measured = _measure(epoch + 1, scored, val, expected)
        state.keep(measured)
        click.echo(
            f"Epoch {epoch + 1} of {config.epochs}: {time.perf_counter() - started:.0f} s, "
            f"divergence from float {np.mean(losses):.4f}, on validation images "
            f"{measured.divergence:.4f} with agreement {measured.agreement:.3f}"
        )
    state.restore_best()
    place()
    return Trained(on_grid(learned(start, student), ranges), ranges, tuple(state.history))


def _divergence(wanted: Any, given: Any) -> Any:
    wanted, given = tf.maximum(wanted, _LEAST), tf.maximum(given, _LEAST)
    return tf.reduce_mean(tf.reduce_sum(wanted * (tf.math.log(wanted) - tf.math.log(given)), -1))


def _measure(
    epoch: int, compute: Any, images: NDArray[np.uint8], expected: NDArray[np.float32]
) -> QatEpoch:
    scores = scores_by(compute, images)
    same = np.mean(scores.argmax(1) == expected.argmax(1))
    return QatEpoch(epoch, float(_divergence(expected, scores)), float(same))


def _key(graph: Graph, ranges: dict[str, TensorRange], *parts: Any) -> str:
    """Return a digest of all that decides a training, so that none goes on from another's."""
    digest = hashlib.sha256(repr(sorted(ranges.items())).encode())
    for node in graph:
        for value in vars(node).values():
            digest.update(
                value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            )
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()


class _State:
    """The variables now and at their best, the optimizer and the history; in memory and on disk."""

    def __init__(self, variables: list[Any], optimizer: Any, path: Path, *, key: str) -> None:
        self.history: list[QatEpoch] = []
        self._variables = variables
        self._optimizer = optimizer
        self._path = path
        self._key = key
        self._best: list[NDArray[np.float32]] = []

    @property
    def epochs_done(self) -> int:
        return len(self.history) - 1

    def resume(self) -> bool:
        """Take up what the checkpoint holds, if it is of this training and undamaged."""
        if not self._path.exists():
            return False
        try:
            with np.load(self._path) as archive:
                state = json.loads(str(archive["state"]))
                if state["key"] != self._key:
                    return False
                saved = dict(archive)  # all of it, before any variable changes
        except DAMAGED_ARRAYS as error:
            reason = " ".join(str(error).split())
            echo_warning(f"{self._path}: damaged ({reason}); starting anew")
            return False
        for name, variables in self._all().items():
            for index, variable in enumerate(variables):
                variable.assign(saved[f"{name}{index}"])
        self._best = [saved[f"best{i}"] for i in range(len(self._variables))]
        self.history = [QatEpoch(**epoch) for epoch in state["history"]]
        click.echo(f"Going on after epoch {self.epochs_done} of {self._path}")
        return True

    def keep(self, measured: QatEpoch) -> None:
        """Add an epoch to the history and write the checkpoint."""
        arrays: dict[str, Any] = {
            f"{name}{index}": variable.numpy()
            for name, variables in self._all().items()
            for index, variable in enumerate(variables)
        }
        if not self.history or measured.divergence < min(e.divergence for e in self.history):
            self._best = [variable.numpy() for variable in self._variables]
        self.history.append(measured)
        state = json.dumps({"key": self._key, "history": [asdict(e) for e in self.history]})
        arrays |= {f"best{index}": array for index, array in enumerate(self._best)}
        with whole_file(self._path) as temporary, temporary.open("wb") as file:
            np.savez(file, state=np.array(state), **arrays)

    def restore_best(self) -> None:
        for variable, array in zip(self._variables, self._best, strict=True):
            variable.assign(array)

    def _all(self) -> dict[str, Any]:
        return {"variable": self._variables, "optimizer": self._optimizer.variables}
