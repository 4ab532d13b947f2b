"""From a run to a run with fewer channels, fine-tuned towards the one that it was."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import read_json
from ...models.data.examples import Split, draw_order
from ...models.data.mix import MixConfig
from ...models.float_model import FloatModel
from ...models.good_only import is_good_only
from ...models.networks.channels import with_channels
from ...models.photographs import run_data
from ...models.run import CONFIG_NAME, Run, read_run
from ..config import DistillConfig, PhaseConfig, RunOptions, TrainConfig
from ..data.dataset import read_dataset
from ..evaluation.evaluate import Evaluation
from ..fitting.checkpoint import recorded_key
from ..fitting.training_key import START_WEIGHTS, Key
from ..run_folder import check_out, interruption_says_how_to_go_on
from ..training import StartNetwork, train_on
from .layout import read_layout
from .network import check_keep, slim_network

# Of the images on which weights are solved: what a DenseNet121 makes of so many pixels, whole and
# slim, takes about 4 GB.
_MOST_PIXELS = 2**24


@dataclass(frozen=True)
class SlimConfig:
    """How a run is slimmed.

    Attributes:
        run: its folder.
        out: folder of the new run.
        keep: share of the multiply-accumulates that stays at most, above 0, at most 1.
        images: training images on which channels are chosen, at most.
        epochs: of the fine-tuning; 0 for none.
        learning_rate: of the fine-tuning.
        data: folder of the run's images; None where it has not moved.
        seed: of the choice of images and of the fine-tuning.
        overwrite: whether a run in `out` may be replaced.
        resume: whether to go on with a fine-tuning that was interrupted, if `out` holds one.
    """

    run: Path
    out: Path
    keep: float
    images: int
    epochs: int
    learning_rate: float
    data: Path | None
    seed: int
    overwrite: bool
    resume: bool


def slim_run(config: SlimConfig) -> Evaluation:
    """Slim a run as `config` says, leave the new one in `config.out`, and return its evaluation.

    Raises:
        EdgeclfError: the run cannot be slimmed so far, its images are gone, or `config.out` holds
            another run.
    """
    run = read_run(config.run)
    if is_good_only(run.info.labels):
        raise EdgeclfError(
            f"{config.run}: has learnt from good images only, and nothing fine-tunes its memory; "
            "slim a run of `edgeclf train` with classes"
        )
    options = RunOptions(
        overwrite=config.overwrite,
        resume=config.resume,
        recall=run.info.calibration.recall,
        good=run.info.good,
    )
    check_out(config.out, options, teacher=config.run)
    model = FloatModel(run.info).keras_model  # calibrated, as it teaches
    check_keep(read_layout(model), config.keep, name=run.info.architecture)
    training = _training(config, run)
    assert training.distill is not None
    dataset = read_dataset(training)
    train = dataset.splits["train"]
    inputs = _choose(train, count=config.images, seed=config.seed)
    asked = {"keep": config.keep, "images": len(inputs)}
    begun = recorded_key(config.out) if config.resume else None
    if begun is not None:
        channels, start = _slimmed_before(model, begun, asked, out=config.out)
    else:
        most = _MOST_PIXELS // math.prod(run.info.input_hw)
        slim = slim_network(
            model,
            inputs,
            _choose(train, count=most, seed=config.seed),
            keep=config.keep,
            temperature=training.distill.temperature,
            seed=config.seed,
        )
        click.echo(
            f"{slim.after / 1e6:.1f} of {slim.before / 1e6:.1f} million multiply-accumulates stay "
            f"({slim.after / slim.before:.3f}): {slim.removed} of {slim.removable} channels that "
            "may leave have left"
        )
        channels = {**run.info.channels, **slim.channels}
        counts = {"before": slim.before, "after": slim.after}
        start = StartNetwork(slim.model, {"slim": asked | counts})
    with interruption_says_how_to_go_on(config.out):
        return train_on(dataset, replace(training, channels=channels), options, start=start)


def _slimmed_before(
    model: keras.Model, begun: Key, asked: dict[str, Any], *, out: Path
) -> tuple[dict[str, int], StartNetwork]:
    """Return the channels of a slimming that was begun in `out`, and its network without weights.

    Those are in the checkpoint: to solve them again would not give the very same bits.

    Args:
        model: the network that is slimmed.
        begun: the key of what was begun.
        asked: what is asked for now, of which the key tells whether it is the same.
        out: the folder.
    """
    channels, known = begun.get("channels"), begun.get("slim")
    if not isinstance(channels, dict) or not isinstance(known, dict):
        raise EdgeclfError(
            f"{out}: holds what `edgeclf train` left, and `edgeclf slim` does not go on with that; "
            "choose another --out, or replace it with --overwrite and without --resume"
        )
    network = with_channels(model, channels, where=f"{out}: its checkpoint")
    return channels, StartNetwork(network, {"slim": known | asked}, begun[START_WEIGHTS])


def _training(config: SlimConfig, run: Run) -> TrainConfig:
    """Return the fine-tuning: the images, split and augmentation are those of the run."""
    # Few images may teach less than the solved weights know: the network as it comes is kept, too.
    as_it_comes = PhaseConfig("slim", 1, 0.0)
    phase = PhaseConfig("fine-tune", config.epochs, config.learning_rate, schedule="plateau")
    return TrainConfig(
        data=run_data(run, data=config.data),
        out=config.out,
        architecture=run.info.architecture,
        weights=str(read_json(run.folder / CONFIG_NAME).get("weights")),  # of whose licence it is
        groups=None,
        input_hw=run.info.input_hw,
        head_input_hw=run.info.input_hw,
        resize=run.info.resize,
        val_fraction=len(run.split("val")) / len(run.images),
        test_fraction=len(run.split("test")) / len(run.images),
        batch_size=run.batch_size,
        precision="float32",
        phases=(as_it_comes, phase) if config.epochs else (),
        head_draws=1,
        patience=2,
        label_smoothing=0.0,
        class_weights="sqrt",
        dropout=0.0,
        augment=run.augment,
        mix=MixConfig(),
        sampling="shuffled",
        distill=DistillConfig(config.run, weight=1.0),  # what RUN says, not the labels
        test_draws=1,
        seed=config.seed,
    )


def _choose(train: Split, *, count: int, seed: int) -> NDArray[np.uint8]:
    """Return up to `count` training images, of each class as many where it has them."""
    order = draw_order(train.classes, sampling="balanced", rng=np.random.default_rng(seed))
    _, first = np.unique(order, return_index=True)
    chosen = order[np.sort(first)][:count]
    rest = np.setdiff1d(np.arange(len(order)), chosen)[: max(0, count - len(chosen))]
    return np.asarray(train.pixels[np.sort(np.concatenate([chosen, rest]))])
