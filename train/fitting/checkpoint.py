"""What a training needs to go on: one file in the run's folder, renewed whole after each epoch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import DAMAGED_ARRAYS, read_json, whole_file
from ...models.run import METRICS_NAME
from .history import History
from .training_key import Key, check_same

CHECKPOINT_NAME = "checkpoint.npz"

# What the callbacks of a schedule remember from one epoch to the next.
_REMEMBERED = ("best", "wait", "cooldown_counter", "steps_done", "_ema_weights_in_model")


def recorded_key(folder: Path) -> Key | None:
    """Return the key of the training in `folder`, interrupted or finished; None without one.

    Raises:
        EdgeclfError: its file is damaged.
    """
    path = folder / CHECKPOINT_NAME
    if path.exists():
        return _read(path).state["key"]  # type: ignore[no-any-return]
    path = folder / METRICS_NAME
    return _finished_key(path) if path.exists() else None


def is_finished(folder: Path, key: Key) -> bool:
    """Return whether the training of `key` has come to its end in `folder`.

    Raises:
        EdgeclfError: another training has.
    """
    path = folder / METRICS_NAME
    if (folder / CHECKPOINT_NAME).exists() or not path.exists():
        return False
    check_same(path, _finished_key(path), key)
    return True


def _finished_key(path: Path) -> Key:
    metrics = read_json(path)
    key = metrics.get("trained_with") if isinstance(metrics, dict) else None
    if not isinstance(key, dict):
        raise EdgeclfError(
            f"{path}: does not say what it was trained with; start anew with --overwrite and "
            "without --resume"
        )
    return key


@dataclass(frozen=True)
class _Saved:
    """A checkpoint, read.

    Attributes:
        state: where the training stands: phase, epochs of it, whether it is over, seconds,
            history rows and what the callbacks remember.
        variables: of the model that is fitted, and of the optimizer.
        best: the weights of the best epoch.
    """

    state: dict[str, Any]
    variables: tuple[NDArray[Any], ...]
    best: tuple[NDArray[Any], ...]


def _read(path: Path) -> _Saved:
    try:
        with np.load(path) as archive:
            state = json.loads(str(archive["state"]))
            state |= {
                "key": dict(state["key"]),
                "rows": list(state["rows"]),
                "seconds": float(state["seconds"]),
            }
            return _Saved(state, _numbered(archive, "variable"), _numbered(archive, "best"))
    except DAMAGED_ARRAYS:
        raise EdgeclfError(
            f"{path}: no readable checkpoint, damaged or of something else; start anew with "
            "--overwrite and without --resume"
        ) from None


class TrainingPaused(Exception):  # noqa: N818, nothing has gone wrong
    """A training has come as far as it was asked to, and its checkpoint is written."""


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes where the training stands after each epoch, and brings it back there.

    It must be the last of the callbacks: it keeps what the others have made of the epoch.
    """

    def __init__(
        self, folder: Path, *, key: Key, history: History, pause_after: int | None = None
    ) -> None:
        """Keep the training that `key` tells from others, and that `history` records.

        After `pause_after` epochs of all phases it raises `TrainingPaused`.
        """
        super().__init__()
        self._pause_after = pause_after
        self.path = folder / CHECKPOINT_NAME
        self.key = key
        self.history = history
        self.phase = 0
        self.epochs_done = 0
        self._saved: _Saved | None = None
        self._callbacks: Sequence[keras.callbacks.Callback] = ()

    def read(self) -> None:
        """Read the file, and take up the history in it.

        Raises:
            EdgeclfError: it is damaged, or another training's.
        """
        saved = _read(self.path)
        check_same(self.path, saved.state["key"], self.key)
        self._saved = saved
        self.phase = saved.state["phase"]
        self.history.rows = saved.state["rows"]
        self.history.seconds_before = saved.state["seconds"]

    def begin(self, model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> bool:
        """Bring the compiled `model` to where the checkpoint stands in this phase, if it does.

        Args:
            model: what will be fitted: the classifier, or its head alone.
            callbacks: the other callbacks of the fit.

        Returns:
            Whether the phase is over already.
        """
        self.set_model(model)
        self.history.best_weights = tuple(model.get_weights())
        self._callbacks = callbacks
        model.optimizer.build(model.trainable_variables)
        if self._saved is None or self._saved.state["phase"] != self.phase:
            self._saved = None
            self.epochs_done = 0
            self._write(over=False)
            return False

        state = self._saved.state
        self.epochs_done = state["epochs"]
        if self.history.rows:
            # The files may be those of another epoch.
            self.history.best_weights = self._saved.best
            self.save_best()
            self.history.write_history()
        for variable, array in zip(self._variables(), self._saved.variables, strict=True):
            variable.assign(array)
        click.echo(f"Going on after epoch {self.epochs_done} of {self.path}")
        return bool(state["over"])

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        if self._saved is None:
            return
        for callback, remembered in zip(
            self._callbacks, self._saved.state["callbacks"], strict=True
        ):
            for name, value in remembered.items():
                setattr(callback, name, value)
        self._saved = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self.epochs_done = epoch + 1
        self._write(over=self.model.stop_training or self.epochs_done == self.params["epochs"])
        if self._pause_after is not None and len(self.history.rows) >= self._pause_after:
            raise TrainingPaused

    def save_best(self) -> None:
        """Bring the model to its best epoch and write it."""
        self.model.set_weights(self.history.best_weights)
        self.history.save()

    def _variables(self) -> list[Any]:
        """Return all that changes from step to step, the dropout's random state among it."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def _write(self, *, over: bool) -> None:
        state = {
            "key": self.key,
            "phase": self.phase,
            "epochs": self.epochs_done,
            "over": over,
            "seconds": self.history.seconds,
            "rows": self.history.rows,
            "callbacks": [
                {name: vars(callback)[name] for name in _REMEMBERED if name in vars(callback)}
                for callback in self._callbacks
            ],
        }
        arrays: dict[str, Any] = {
            f"{name}{index}": np.asarray(value)
            for name, values in (
                ("variable", self._variables()),
                ("best", self.history.best_weights),
            )
            for index, value in enumerate(values)
        }
        with whole_file(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, state=np.array(json.dumps(state)), **arrays)


def _numbered(archive: Any, name: str) -> tuple[NDArray[Any], ...]:
    count = sum(key.startswith(name) for key in archive.files)
    return tuple(archive[f"{name}{index}"] for index in range(count))
