"""What an epoch of the frozen phase costs against plain Keras, and where a fine-tune's step goes.

`python -m edgeclf.benchmarks.lab.training_speed DATA --weights FILE` trains the head as
`edgeclf train` does and as plain `fit` does with the same frozen network, which computes its
features anew each epoch; by turns, round by round. Then it takes a step of the fine-tune apart.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from math import exp, log
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.quiet import quiet_tensorflow
from ...models.data.augment import AugmentConfig
from ...models.data.examples import Split
from ...models.data.labelled_images import load_images
from ...models.float_model import FloatModel
from ...models.metrics.statistics import student_interval
from ...models.networks.architectures import ARCHITECTURES
from ...models.photographs import run_photographs
from ...models.run import Run, read_run
from ...train.command import train
from ..measure.machine import BackgroundLoad
from ..results.estimates import median

_DRAWS = 4
_TIMED_EPOCHS = 3


@click.command(context_settings={"show_default": True})
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--arch",
    default="densenet121",
    type=click.Choice(sorted(ARCHITECTURES)),
    help="Architecture to train.",
)
@click.option(
    "--weights", required=True, help="Weights to start from, as `edgeclf train` takes; not `none`."
)
@click.option(
    "--input-size",
    type=click.IntRange(min=16),
    help="Input height and width in pixels. [default: the architecture's]",
)
@click.option(
    "--batch-size", default=16, type=click.IntRange(min=1), help="Images of a training step."
)
@click.option("--rounds", default=3, type=click.IntRange(min=2), help="Number of rounds to time.")
def training_speed(
    data: Path, arch: str, weights: str, input_size: int | None, batch_size: int, rounds: int
) -> None:
    """Measure the speed of training on DATA, a folder of images per class."""
    quiet_tensorflow()
    options = ["--arch", arch, "--weights", weights, "--batch-size", str(batch_size)]
    options += ["--input-size", str(input_size)] if input_size else []
    background = BackgroundLoad()
    ours, plain, once = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(rounds):
            out = Path(folder) / str(index)
            epochs, features = _our_head(data, out, options)
            ours.append(median(epochs))
            once.append(features)
            run = read_run(out)
            pixels, classes, _ = _train_images(run)
            plain.append(median(_plain_head(run, pixels, classes, batch_size)))
            _report_round(index + 1, ours[-1], once[-1], plain[-1])
        run = read_run(Path(folder) / "0")
        pixels, classes, paths = _train_images(run)
        _report_head(ours, plain, len(pixels))
        _report_step(run, pixels, classes, paths, batch_size)
    click.echo(f"Other processes kept {background.cores()} cores busy meanwhile")


def _our_head(data: Path, out: Path, options: list[str]) -> tuple[list[float], float]:
    """Train the head by the command line.

    Returns:
        The seconds from the start of an epoch to that of the next, but of the first, which traces;
        and the seconds of all that is not an epoch.
    """
    from ...train.fitting.history import History

    epochs = ["--head-epochs", str(_TIMED_EPOCHS + 2), "--head-draws", str(_DRAWS), "--epochs", "0"]
    starts: list[float] = []
    started = time.perf_counter()
    with patch.object(History, "on_train_batch_begin", _noted(starts)):
        train([str(data), "--out", str(out), *epochs, *options], standalone_mode=False)
    total = time.perf_counter() - started
    return [float(seconds) for seconds in np.diff(starts)[1:]], total - (starts[-1] - starts[0])


def _noted(starts: list[float]) -> Callable[..., None]:
    def on_train_batch_begin(_self: Any, batch: int, logs: Any = None) -> None:  # noqa: ARG001
        if batch == 0:
            starts.append(time.perf_counter())

    return on_train_batch_begin


def _plain_head(run: Run, pixels: Any, classes: Any, batch_size: int) -> list[float]:
    """Fit the same network with all but its head frozen, and return the seconds of each epoch."""
    import keras

    model = FloatModel(run.info).keras_model
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    seconds: list[float] = []
    started = [0.0]
    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: started.__setitem__(0, time.perf_counter()),
        on_epoch_end=lambda *_: seconds.append(time.perf_counter() - started[0]),
    )
    images = pixels.astype("float32")
    model.fit(
        images, classes, batch_size=batch_size, epochs=_TIMED_EPOCHS + 1, verbose=0,
        callbacks=[watch],
    )  # fmt: skip
    return seconds[1:]


def _train_images(run: Run) -> tuple[Any, Any, list[Path]]:
    photographs = run_photographs(run, "train")
    loaded = load_images(photographs.paths, size_hw=run.info.input_hw, rule=run.info.resize)
    if loaded.errors:
        raise EdgeclfError(f"{loaded.errors[0]}; give data whose images can all be read")
    classes = np.asarray([run.info.labels.index(label) for label in photographs.labels])
    return loaded.pixels, classes, list(photographs.paths)


def _report_round(number: int, ours: float, once: float, plain: float) -> None:
    click.echo(
        f"Round {number}: {ours:.2f} s an epoch of ours ({once:.1f} s before, between and after), "
        f"{plain:.2f} s of plain Keras"
    )


def _report_head(ours: list[float], plain: list[float], images: int) -> None:
    ratios = [log(b / a) for a, b in zip(ours, plain, strict=True)]
    interval = student_interval(ratios)
    middle, low, high = (
        exp(value) for value in (sum(ratios) / len(ratios), interval.low, interval.high)
    )
    click.echo(
        f"\nHead, {images} training images: plain Keras takes {middle:.1f} [{low:.1f}, {high:.1f}] "
        f"times as long for an epoch, which shows each image once; ours shows it {_DRAWS} times"
    )


def _report_step(run: Run, pixels: Any, classes: Any, paths: list[Path], batch_size: int) -> None:
    """Say what a batch of the fine-tune costs to decode, augment and learn, and who waits."""
    import keras

    from ...models.data.batches import TrainBatches

    batches = TrainBatches(
        Split(pixels, classes),
        classes=len(run.info.labels),
        batch_size=batch_size,
        config=AugmentConfig(),
        class_weights="sqrt",
        seed=(0,),
    )

    class OneBatch(keras.utils.PyDataset):  # type: ignore[misc]
        """The first batch again and again: nothing to wait for."""

        batch = batches[0]

        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, index: int) -> Any:
            return self.batch

    model = FloatModel(run.info).keras_model
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    model.compile("adam", "categorical_crossentropy", jit_compile=False)

    def fit(dataset: Any) -> float:
        return _seconds(lambda: model.fit(dataset, shuffle=False, verbose=0)) / len(batches)

    fit(OneBatch())  # traces
    decode = _seconds(
        lambda: load_images(paths[:batch_size], size_hw=run.info.input_hw, rule=run.info.resize)
    )
    make = _seconds(lambda: [batches[index] for index in range(len(batches))]) / len(batches)
    turns = [(fit(OneBatch()), fit(batches)) for _ in range(_TIMED_EPOCHS)]
    learn, whole = (median(times) for times in zip(*turns, strict=True))
    click.echo(
        f"\nFine-tune, ms for a step of {batch_size} images: {1000 * whole:.0f}, of which "
        f"{1000 * learn:.0f} forward, backward and update, and {1000 * (whole - learn):.0f} more "
        f"with new images each step. They take {1000 * make:.1f} to augment, ahead of the step; "
        f"decoding takes {1000 * decode:.1f}, once a training"
    )


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    try:
        training_speed(standalone_mode=False)
    except (EdgeclfError, click.ClickException) as error:
        sys.exit(f"Error: {error}")
