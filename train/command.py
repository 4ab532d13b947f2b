"""`edgeclf train`: photographs in, a run out."""

from pathlib import Path
from typing import Any, ClassVar

import click
from click.core import ParameterSource

from ..edge_runtime.errors import EdgeclfError
from ..models.data.augment import AugmentConfig
from ..models.data.mix import MixConfig
from ..models.networks.architectures import architecture
from ..models.report.figures import brief_figures
from .config import (
    DistillConfig,
    GoodOnlyConfig,
    PhaseConfig,
    RunOptions,
    Schedule,
    TrainConfig,
)
from .options import train_options
from .sections import SectionedCommand


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
        "Evaluation": ("folds", "recall", "good", "masks", "test_draws"),
        "Good images only": ("good_only", "patches", "false_defect"),
        "Distillation": (
            "distill_from", "distill_temperature", "distill_weight", "unlabelled",
        ),
    }  # fmt: skip


@click.command(cls=_Train, context_settings={"show_default": True})
@click.argument("data", type=click.Path(path_type=Path))
@train_options
def train(
    data: Path,
    out: Path,
    folds: int | None,
    overwrite: bool,
    resume: bool,
    tensorboard: bool,
    recall: float | None,
    masks: Path | None,
    good: str | None,
    **options: Any,
) -> None:
    """Fine-tune a classifier on DATA, a folder of images per class.

    DATA/train|val|test/<class>/ works too; what is missing of them is split off DATA/train.
    With --good-only, DATA may be one folder of good images: the model tells good from defect.
    """
    good_only = take_good_only(options)
    config = train_config(data, out, **options)
    from ..edge_runtime.quiet import quiet_tensorflow

    quiet_tensorflow()
    run_options = RunOptions(overwrite, resume, tensorboard, recall, masks, good)
    if good_only is not None:
        from .good_only.training import train_good_only

        scores = train_good_only(config, good_only, run_options).plain
        click.echo(f"{out}: {brief_figures(scores)} on {scores.images} test images")
        return
    if folds is not None:
        from .folds import train_folds

        click.echo(train_folds(config, folds, run_options).text())
        return
    from .training import run_training

    scores = run_training(config, run_options)
    click.echo(f"{out}: {brief_figures(scores)} on {scores.images} test images")


# What a training on good images alone can be given.
_OF_GOOD_ONLY = {
    "data", "out", "arch", "weights", "groups", "input_size", "resize", "val_fraction",
    "test_fraction", "seed", "masks", "good", "overwrite", "good_only", "patches", "false_defect",
}  # fmt: skip


def take_good_only(options: dict[str, Any]) -> GoodOnlyConfig | None:
    """Take the options of --good-only out of `options`, and return what they ask for.

    Raises:
        UsageError: an option was given that makes no sense with it, or only makes sense with it.
    """
    source = click.get_current_context().get_parameter_source
    names = [parameter.name or "" for parameter in click.get_current_context().command.params]
    given = [name for name in names if source(name) == ParameterSource.COMMANDLINE]
    asked = options.pop("good_only")
    config = GoodOnlyConfig(options.pop("patches"), options.pop("false_defect"))
    foreign = [name for name in given if name not in _OF_GOOD_ONLY]
    if asked and foreign:
        raise click.UsageError(
            f"--{foreign[0].replace('_', '-')}: nothing is trained step by step with --good-only; "
            "leave it out"
        )
    lonely = [name for name in given if name in {"patches", "false_defect"}]
    if not asked and lonely:
        raise click.UsageError(f"--{lonely[0].replace('_', '-')} needs --good-only; add it")
    return config if asked else None


def train_config(data: Path, out: Path, **options: Any) -> TrainConfig:
    """Return the training that the options of `edgeclf train` ask for, within its context."""
    _check_together(options)
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
        else DistillConfig(
            teacher,
            options["distill_temperature"],
            options["distill_weight"],
            options["unlabelled"],
        ),
        **{name: options[name] for name in same},
    )


def _phases(options: dict[str, Any]) -> tuple[PhaseConfig, ...]:
    rate, epochs, decay = options["learning_rate"], options["epochs"], options["layer_decay"]
    schedule: Schedule = options["schedule"]
    if options["weights"] == "none":
        return (PhaseConfig("scratch", epochs, rate or 2e-3, schedule, decay),)
    head = PhaseConfig("head", options["head_epochs"], options["head_learning_rate"], schedule)
    return head, PhaseConfig("fine-tune", epochs, rate or 1e-4, schedule, decay)


def _check_together(options: dict[str, Any]) -> None:
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
    of_distillation = ("unlabelled", "distill_temperature", "distill_weight")
    lonely = [name for name in of_distillation if name in given]
    if lonely and not options["distill_from"]:
        name = lonely[0].replace("_", "-")
        raise click.UsageError(f"--{name} needs a teacher; add --distill-from RUN")
    if options["unlabelled"]:
        if not options["distill_weight"]:
            raise click.UsageError(
                "--unlabelled is learned from the teacher alone; give a --distill-weight above 0"
            )
        if options["sampling"] == "balanced":
            raise click.UsageError("--sampling balanced needs labels; leave out --unlabelled")
        if not options["unlabelled"].is_dir():
            raise EdgeclfError(
                f"{options['unlabelled']}: no such folder; give a folder of photographs"
            )
    splits = [name for name in ("groups", "val_fraction", "test_fraction") if name in given]
    if options["distill_from"] and splits:
        raise click.UsageError(
            f"--distill-from takes the teacher's split over; leave --{splits[0].replace('_', '-')}"
        )
