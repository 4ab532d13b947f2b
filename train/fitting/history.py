"""What a training leaves on the way: the best epoch's model and the history, always on disk."""

import csv
import io
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import whole_file, write_text
from ...models.run import MODEL_NAME
from .event_log import EventLog

HISTORY_NAME = "history.csv"


class History(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the best epoch's model and the history on disk, so that nothing done is lost."""

    def __init__(
        self, classifier: keras.Model, out: Path, *, events: EventLog | None = None
    ) -> None:
        """Record the epochs of `classifier`, or of a part of it, in the folder `out`."""
        super().__init__()
        self.path = out / MODEL_NAME
        self.rows: list[dict[str, Any]] = []
        self.phase = ""
        self.best_weights: tuple[NDArray[Any], ...] = ()
        self.seconds_before = 0.0
        self.mirrored: keras.Model | None = None  # what is trained in the classifier's place
        self._classifier = classifier
        self._events = events
        self._history = out / HISTORY_NAME
        self._started = time.perf_counter()
        self._epoch_started = 0.0

    @property
    def best(self) -> dict[str, Any]:
        """The row of the best epoch: the one with the lowest validation loss."""
        return min(self.rows, key=lambda row: row["val_loss"])

    @property
    def seconds(self) -> float:
        """How long the training has taken, with what a checkpoint tells of before."""
        return self.seconds_before + time.perf_counter() - self._started

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._epoch_started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = {name: float(value) for name, value in sorted((logs or {}).items())}
        values.pop("learning_rate", None)
        if not np.isfinite(values["loss"]):
            raise EdgeclfError(
                f"the loss became {values['loss']} in phase {self.phase}, epoch {epoch + 1}; "
                "use a lower learning rate"
            )
        row = {
            "phase": self.phase,
            "epoch": epoch + 1,
            "seconds": round(time.perf_counter() - self._epoch_started, 2),
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            **{name: round(value, 6) for name, value in values.items()},
        }
        if not self.rows or row["val_loss"] < self.best["val_loss"]:
            self.best_weights = tuple(self.model.get_weights())
            if self.phase != "head":  # whose epochs are shorter than this; it is saved at its end
                self.save()
        self.rows.append(row)
        self.write_history()
        if self._events:
            self._events.add(row, step=len(self.rows))

    def save(self) -> None:
        """Write the classifier as it is now."""
        if self.mirrored:
            self._classifier.set_weights(self.mirrored.get_weights())
        with whole_file(self.path) as temporary:
            self._classifier.save(temporary, include_optimizer=False)

    def write_history(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self._history, text.getvalue())


def read_history(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a run's `history.csv`, by column; none where there is no such file."""
    path = folder / HISTORY_NAME
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
