"""`edgeclf train`: photographs in, a run out."""

from pathlib import Path
from typing import Any, get_args

import click

from ..edge_runtime.preprocess import RESIZE_RULES
from ..models.architectures import ARCHITECTURES, architecture
from ..models.augment import AugmentConfig, Flip
from ..models.examples import ClassWeights
from .config import PhaseConfig, TrainConfig

_POSITIVE = click.IntRange(min=1)
_COUNT = click.IntRange(min=0)
_SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(context_settings={"show_default": True})
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--arch", default="densenet121", help=f"One of {', '.join(ARCHITECTURES)}.")
@click.option(
    "--weights", default="imagenet", help="`imagenet` (downloaded once), `none`, or a weights FILE."
)
@click.option(
    "--groups",
    type=click.Path(path_type=Path),
    help="CSV with columns path, group: images of a group stay on one side of the split.",
)
@click.option("--input-size", type=click.IntRange(min=16), help="Pixels. [default: the network's]")
@click.option(
    "--resize", default="stretch", type=click.Choice(RESIZE_RULES), help="How images get that size."
)
@click.option("--val-fraction", default=0.15, type=click.FloatRange(0.01, 0.5))
@click.option("--test-fraction", default=0.2, type=click.FloatRange(0.01, 0.5))
@click.option("--batch-size", default=16, type=_POSITIVE)
@click.option("--head-epochs", default=15, type=_COUNT, help="Backbone frozen; at most so many.")
@click.option(
    "--head-draws",
    default=4,
    type=_POSITIVE,
    help="How often one of them shows each image, all but once augmented.",
)
@click.option("--head-learning-rate", default=3e-3, type=click.FloatRange(0, min_open=True))
@click.option("--epochs", default=15, type=_COUNT, help="Whole network; at most so many.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Of the whole network. [default: 2e-5 to fine-tune, cosine from 2e-3 with --weights none]",
)
@click.option(
    "--patience",
    default=6,
    type=_POSITIVE,
    help="Epochs without progress, but not with --weights none.",
)
@click.option("--label-smoothing", default=0.1, type=_SHARE)
@click.option(
    "--class-weights",
    default="sqrt",
    type=click.Choice(get_args(ClassWeights)),
    help="How much more rare classes weigh.",
)
@click.option("--dropout", default=0.2, type=_SHARE, help="Before the head.")
@click.option("--rotation", default=15.0, type=click.FloatRange(0, 180), help="Degrees.")
@click.option("--zoom", default=0.1, type=click.FloatRange(0, 0.9))
@click.option("--flip", default="horizontal", type=click.Choice(get_args(Flip)))
@click.option("--brightness", default=0.1, type=click.FloatRange(0, 1))
@click.option("--seed", default=0, type=_COUNT, help="Of split, order and augmentation.")
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    help="Cross-validate: train so many times, each tested on another part; in OUT/fold-1, …",
)
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    help="Of each class that thresholds shall reach; chosen on the validation images.",
)
@click.option(
    "--masks",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Of defects, for the report. [default: DATA-masks, if it exists]",
)
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
def train(
    data: Path,
    out: Path,
    overwrite: bool,
    folds: int | None,
    recall: float | None,
    masks: Path | None,
    **options: Any,
) -> None:
    """Fine-tune a classifier on DATA, a folder of images per class.

    DATA/train|val|test/<class>/ works too; what is missing of them is split off DATA/train.
    """
    config = _config(data, out, **options)
    from ..edge_runtime.quiet import quiet_tensorflow

    quiet_tensorflow()
    if folds is not None:
        from .folds import train_folds

        result = train_folds(config, folds, overwrite=overwrite, recall=recall, masks=masks)
        click.echo(result.text())
        return
    from .training import train_classifier

    scores = train_classifier(config, overwrite=overwrite, recall=recall, masks=masks)
    click.echo(
        f"{out}: accuracy {scores.accuracy:.3f}, macro-F1 {scores.macro_f1:.3f} "
        f"on {scores.images} test images"
    )


def _config(data: Path, out: Path, **options: Any) -> TrainConfig:
    chosen = architecture(options["arch"])
    size = options["input_size"] or chosen.input_size
    rate = options["learning_rate"]
    phases: tuple[PhaseConfig, ...]
    if options["weights"] == "none":
        phases = (PhaseConfig("scratch", options["epochs"], rate or 2e-3),)
    else:
        phases = (
            PhaseConfig("head", options["head_epochs"], options["head_learning_rate"]),
            PhaseConfig("fine-tune", options["epochs"], rate or 2e-5),
        )
    if not any(phase.epochs for phase in phases):
        raise click.UsageError("nothing to train: give --epochs or --head-epochs of 1 or more")
    same = (
        "weights", "groups", "resize", "val_fraction", "test_fraction", "batch_size", "head_draws",
        "patience", "label_smoothing", "class_weights", "dropout", "seed",
    )  # fmt: skip
    return TrainConfig(
        data=data,
        out=out,
        architecture=chosen.name,
        input_hw=(size, size),
        phases=phases,
        augment=AugmentConfig(
            options["rotation"], options["zoom"], options["flip"], options["brightness"]
        ),
        **{name: options[name] for name in same},
    )
