"""`edgeclf train`: photographs in, a run out."""

from pathlib import Path
from typing import Any, ClassVar, get_args

import click
from click.core import ParameterSource

from ..edge_runtime.preprocess import RESIZE_RULES
from ..models.data.augment import AugmentConfig, Flip
from ..models.data.examples import ClassWeights, Sampling
from ..models.data.mix import MixConfig
from ..models.networks.architectures import ARCHITECTURES, architecture
from .config import DistillConfig, PhaseConfig, Precision, RunOptions, Schedule, TrainConfig
from .sections import SectionedCommand

_POSITIVE = click.IntRange(min=1)
_COUNT = click.IntRange(min=0)
_SHARE = click.FloatRange(0, 1, max_open=True)


class _Train(SectionedCommand):
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "Data": ("groups", "val_fraction", "test_fraction", "resize", "sampling", "class_weights"),
        "Network": ("arch", "weights", "input_size", "fine_size", "dropout"),
        "Phases": (
            "head_epochs", "head_draws", "head_learning_rate", "epochs", "learning_rate",
            "schedule", "layer_decay", "patience", "batch_size", "precision", "label_smoothing",
        ),
        "Augmentation": (
            "rotation", "zoom", "flip", "brightness", "randaugment", "randaugment_magnitude",
            "mixup", "cutmix",
        ),
        "Evaluation": ("folds", "recall", "masks", "test_draws"),
        "Distillation": ("distill_from", "distill_temperature", "distill_weight"),
    }  # fmt: skip


@click.command(cls=_Train, context_settings={"show_default": True})
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
    "--fine-size",
    type=click.IntRange(min=16),
    help="Pixels of the fine-tune and of the model; --input-size is then the head's alone.",
)
@click.option(
    "--resize", default="stretch", type=click.Choice(RESIZE_RULES), help="How images get that size."
)
@click.option("--val-fraction", default=0.15, type=click.FloatRange(0.01, 0.5))
@click.option("--test-fraction", default=0.2, type=click.FloatRange(0.01, 0.5))
@click.option("--batch-size", default=16, type=_POSITIVE)
@click.option(
    "--precision",
    default="float32",
    type=click.Choice(get_args(Precision)),
    help="Of the whole network's steps; bfloat16 is faster where the processor has it.",
)
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
    help="Of the whole network. [default: 1e-4; 2e-3 with --weights none]",
)
@click.option(
    "--schedule",
    default="cosine",
    type=click.Choice(get_args(Schedule)),
    help="How the learning rate falls: over all epochs, or where progress ends.",
)
@click.option(
    "--layer-decay",
    default=1.0,
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the fine-tune's learning rate that the first layer gets.",
)
@click.option(
    "--patience",
    default=6,
    type=_POSITIVE,
    help="Epochs without progress, with --schedule plateau.",
)
@click.option("--label-smoothing", default=0.1, type=_SHARE)
@click.option(
    "--class-weights",
    default="sqrt",
    type=click.Choice(get_args(ClassWeights)),
    help="How much more rare classes weigh.",
)
@click.option(
    "--sampling",
    default="shuffled",
    type=click.Choice(get_args(Sampling)),
    help="`balanced` shows each class equally often, instead of --class-weights.",
)
@click.option("--dropout", default=0.2, type=_SHARE, help="Before the head.")
@click.option("--rotation", default=15.0, type=click.FloatRange(0, 180), help="Degrees.")
@click.option("--zoom", default=0.1, type=click.FloatRange(0, 0.9))
@click.option("--flip", default="horizontal", type=click.Choice(get_args(Flip)))
@click.option("--brightness", default=0.1, type=click.FloatRange(0, 1))
@click.option(
    "--randaugment", default=0, type=_COUNT, help="Operations of RandAugment on each image."
)
@click.option("--randaugment-magnitude", default=0.3, type=click.FloatRange(0, 1))
@click.option("--mixup", default=0.0, type=click.FloatRange(0), help="Its alpha; 0.2 is usual.")
@click.option("--cutmix", default=0.0, type=click.FloatRange(0), help="Its alpha; 1 is usual.")
@click.option(
    "--distill-from",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="A run on the same DATA that teaches; its split is taken over.",
)
@click.option(
    "--distill-temperature",
    default=4.0,
    type=click.FloatRange(0, min_open=True),
    help="T.",
)
@click.option(
    "--distill-weight", default=0.9, type=click.FloatRange(0, 1), help="The labels have the rest."
)
@click.option(
    "--test-draws",
    default=1,
    type=_POSITIVE,
    help="Looks at each test image, augmented, for figures beside the plain ones.",
)
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
@click.option(
    "--resume", is_flag=True, help="Go on with the same training if it was interrupted in --out."
)
@click.option("--tensorboard", is_flag=True, help="Write curves for TensorBoard to OUT/logs.")
def train(
    data: Path,
    out: Path,
    folds: int | None,
    overwrite: bool,
    resume: bool,
    tensorboard: bool,
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
    run_options = RunOptions(overwrite, resume, tensorboard, recall, masks)
    if folds is not None:
        from .folds import train_folds

        click.echo(train_folds(config, folds, run_options).text())
        return
    from .training import train_classifier

    scores = train_classifier(config, run_options)
    click.echo(
        f"{out}: accuracy {scores.accuracy:.3f}, macro-F1 {scores.macro_f1:.3f} "
        f"on {scores.images} test images"
    )


def _config(data: Path, out: Path, **options: Any) -> TrainConfig:
    _check_together(out, options)
    chosen = architecture(options["arch"])
    size = options["input_size"] or chosen.input_size
    final = options["fine_size"] or size
    balanced = options["sampling"] == "balanced"
    teacher = options["distill_from"]
    same = (
        "weights", "groups", "resize", "val_fraction", "test_fraction", "batch_size", "precision",
        "head_draws", "patience", "label_smoothing", "dropout", "sampling", "test_draws", "seed",
    )  # fmt: skip
    return TrainConfig(
        data=data,
        out=out,
        architecture=chosen.name,
        input_hw=(final, final),
        head_input_hw=(size, size),
        phases=_phases(options),
        class_weights="none" if balanced else options["class_weights"],
        augment=AugmentConfig(
            options["rotation"],
            options["zoom"],
            options["flip"],
            options["brightness"],
            operations=options["randaugment"],
            magnitude=options["randaugment_magnitude"],
        ),
        mix=MixConfig(mixup=options["mixup"], cutmix=options["cutmix"]),
        distill=None
        if teacher is None
        else DistillConfig(teacher, options["distill_temperature"], options["distill_weight"]),
        **{name: options[name] for name in same},
    )


def _phases(options: dict[str, Any]) -> tuple[PhaseConfig, ...]:
    rate, epochs, decay = options["learning_rate"], options["epochs"], options["layer_decay"]
    schedule: Schedule = options["schedule"]
    if options["weights"] == "none":
        return (PhaseConfig("scratch", epochs, rate or 2e-3, schedule, decay),)
    head = PhaseConfig("head", options["head_epochs"], options["head_learning_rate"], schedule)
    return head, PhaseConfig("fine-tune", epochs, rate or 1e-4, schedule, decay)


def _check_together(out: Path, options: dict[str, Any]) -> None:
    """Refuse options that contradict one another."""
    source = click.get_current_context().get_parameter_source
    given = [name for name in options if source(name) == ParameterSource.COMMANDLINE]
    pretrained = options["weights"] != "none"
    if not options["epochs"] and not (pretrained and options["head_epochs"]):
        raise click.UsageError("nothing to train: give --epochs or --head-epochs of 1 or more")
    if options["fine_size"] and not (pretrained and options["head_epochs"] and options["epochs"]):
        raise click.UsageError(
            "--fine-size needs a head and a fine-tune: weights to start from, and epochs of both"
        )
    if options["sampling"] == "balanced" and "class_weights" in given:
        raise click.UsageError("give --sampling balanced or --class-weights, not both")
    if options["distill_from"] and out.resolve() == options["distill_from"].resolve():
        raise click.UsageError("--out is the teacher's own folder; choose another")
    splits = [name for name in ("groups", "val_fraction", "test_fraction") if name in given]
    if options["distill_from"] and splits:
        raise click.UsageError(
            f"--distill-from takes the teacher's split over; leave --{splits[0].replace('_', '-')}"
        )
