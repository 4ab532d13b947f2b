"""Curves for TensorBoard, which need not be installed for them to be written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from ...edge_runtime.errors import EdgeclfError

LOGS_NAME = "logs"

# How `tf.summary.scalar`, which TensorBoard brings, marks its values.
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
)


class EventLog:
    """Writes the figures of each epoch to a folder, those of validation to one of their own.

    TensorBoard draws figures of the same name from both into one picture.
    """

    def __init__(self, folder: Path) -> None:
        """Write to `folder/train` and `folder/validation`, which are made with the first row."""
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def add(self, row: Mapping[str, Any], *, step: int) -> None:
        """Write a row of the history; `step` counts the epochs of all phases."""
        try:
            for name, value in row.items():
                if isinstance(value, float):
                    self._write(name, value, step)
            for writer in self._writers.values():
                writer.flush()
        except tf.errors.OpError as error:
            reason = " ".join(str(error.message).split())
            raise EdgeclfError(
                f"{self._folder}: cannot be written ({reason}); mend that and go on with --resume, "
                "without --tensorboard if need be"
            ) from None

    def _write(self, name: str, value: float, step: int) -> None:
        part = "validation" if name.startswith("val_") else "train"
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(str(self._folder / part))
        with self._writers[part].as_default(step):
            tf.summary.write(name.removeprefix("val_"), tf.constant(value), metadata=_SCALAR)


def remove_events(folder: Path) -> None:
    """Remove what an `EventLog` has written to `folder`."""
    for path in folder.glob("*/events.out.tfevents.*"):
        path.unlink()
