"""The options of `edgeclf train`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from ..edge_runtime.command_line.option_types import SEED, FiniteRange
from ..edge_runtime.preprocess import RESIZE_RULES
from ..models.data.augment import Flip
from ..models.data.examples import ClassWeights, Sampling
from ..models.networks.architectures import ARCHITECTURES
from .config import Precision, Schedule

_Command = TypeVar("_Command", bound=Callable[..., Any])

_POSITIVE = click.IntRange(min=1)
_COUNT = click.IntRange(min=0)
_SHARE = FiniteRange(0, 1, max_open=True)
_OPTIONS = (
    click.option(
        "--out", required=True, type=click.Path(path_type=Path), help="Folder to write the run to."
    ),
    click.option(
        "--arch",
        default="densenet121",
        help=f"Architecture of the network: {', '.join(ARCHITECTURES)}.",
    ),
    click.option(
        "--weights",
        default="imagenet",
        help="Weights to start from: `imagenet` (downloaded once, or in an installed package), "
        "`none`, or a FILE.",
    ),
    click.option(
        "--groups",
        type=click.Path(path_type=Path),
        help="CSV file with columns path, group; images of a group stay on one side of the split.",
    ),
    click.option(
        "--input-size",
        type=click.IntRange(min=16),
        help="Input height and width in pixels. [default: the architecture's]",
    ),
    click.option(
        "--fine-size",
        type=click.IntRange(min=16),
        help="Input size of fine-tuning and of the model; the head is trained at --input-size.",
    ),
    click.option(
        "--resize",
        default="stretch",
        type=click.Choice(RESIZE_RULES),
        help="Rule to bring an image to the input size.",
    ),
    click.option(
        "--val-fraction",
        default=0.15,
        type=FiniteRange(0.01, 0.5),
        help="Share of the images for validation.",
    ),
    click.option(
        "--test-fraction",
        default=0.2,
        type=FiniteRange(0.01, 0.5),
        help="Share of the images for the test.",
    ),
    click.option("--batch-size", default=16, type=_POSITIVE, help="Images of a training step."),
    click.option(
        "--precision",
        default="float32",
        type=click.Choice(get_args(Precision)),
        help="Number format of fine-tuning; bfloat16 is faster on processors with bfloat16.",
    ),
    click.option(
        "--head-epochs",
        default=15,
        type=_COUNT,
        help="Limit of epochs that train the head alone, the backbone frozen.",
    ),
    click.option(
        "--head-draws",
        default=4,
        type=_POSITIVE,
        help="Times that an epoch of the head shows each image, all but one augmented.",
    ),
    click.option(
        "--head-learning-rate",
        default=3e-3,
        type=FiniteRange(0, min_open=True),
        help="Learning rate of the head alone.",
    ),
    click.option(
        "--epochs", default=15, type=_COUNT, help="Limit of epochs that train the whole network."
    ),
    click.option(
        "--learning-rate",
        type=FiniteRange(0, min_open=True),
        help="Learning rate of the whole network. [default: 1e-4; 2e-3 with --weights none]",
    ),
    click.option(
        "--schedule",
        default="cosine",
        type=click.Choice(get_args(Schedule)),
        help="Decay of the learning rate: along all epochs, or when the validation loss stalls.",
    ),
    click.option(
        "--layer-decay",
        default=1.0,
        type=FiniteRange(0, 1, min_open=True),
        help="Share of --learning-rate that the first layer gets; the last one gets all.",
    ),
    click.option(
        "--patience",
        default=6,
        type=_POSITIVE,
        help="Epochs without progress after which a phase ends, with --schedule plateau.",
    ),
    click.option(
        "--label-smoothing",
        default=0.1,
        type=_SHARE,
        help="Share of the target that is spread over all classes.",
    ),
    click.option(
        "--class-weights",
        default="sqrt",
        type=click.Choice(get_args(ClassWeights)),
        help="Weighting of rare classes in the loss: none, by the root of rarity, or in full.",
    ),
    click.option(
        "--sampling",
        default="shuffled",
        type=click.Choice(get_args(Sampling)),
        help="Images of an epoch: each once, or each class equally often without --class-weights.",
    ),
    click.option(
        "--dropout",
        default=0.2,
        type=_SHARE,
        help="Share of the features that are dropped before the head.",
    ),
    click.option(
        "--rotation",
        default=15.0,
        type=FiniteRange(0, 180),
        help="Degrees by which training images are rotated at most.",
    ),
    click.option(
        "--zoom",
        default=0.1,
        type=FiniteRange(0, 0.9),
        help="Share by which training images grow or shrink at most.",
    ),
    click.option(
        "--flip",
        default="horizontal",
        type=click.Choice(get_args(Flip)),
        help="Directions in which training images are flipped.",
    ),
    click.option(
        "--brightness",
        default=0.1,
        type=FiniteRange(0, 1),
        help="Share of the full range by which training images get lighter or darker at most.",
    ),
    click.option(
        "--randaugment",
        default=0,
        type=_COUNT,
        help="Number of RandAugment operations on each training image.",
    ),
    click.option(
        "--randaugment-magnitude",
        default=0.3,
        type=FiniteRange(0, 1),
        help="Strength of the operations of --randaugment.",
    ),
    click.option(
        "--mixup",
        default=0.0,
        type=FiniteRange(0),
        help="Alpha of Mixup; 0 is off, 0.2 is usual.",
    ),
    click.option(
        "--cutmix",
        default=0.0,
        type=FiniteRange(0),
        help="Alpha of CutMix; 0 is off, 1 is usual.",
    ),
    click.option(
        "--distill-from",
        type=click.Path(path_type=Path),
        metavar="RUN",
        help="Teacher to distill from: a run on the same DATA, whose split is taken over.",
    ),
    click.option(
        "--distill-temperature",
        default=4.0,
        type=FiniteRange(0.1, 100),  # beyond, float32 rounds the loss away
        help="Temperature by which teacher's and student's logits are divided.",
    ),
    click.option(
        "--distill-weight",
        default=0.5,
        type=FiniteRange(0, 1),
        help="Share of the teacher's scores in the loss; the rest is the labels'.",
    ),
    click.option(
        "--unlabelled",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="More photographs, without labels, which the teacher scores.",
    ),
    click.option(
        "--test-draws",
        default=1,
        type=_POSITIVE,
        help="Versions of each test image, all but one augmented, that are averaged; 1 is off.",
    ),
    click.option("--seed", default=0, type=SEED, help="Seed of split, order and augmentation."),
    click.option(
        "--folds",
        type=click.IntRange(min=2),
        help="Number of folds to cross-validate with, each a run in OUT/fold-1, OUT/fold-2, …",
    ),
    click.option(
        "--recall",
        type=FiniteRange(0, 1, min_open=True),
        help="Recall that a threshold per class must reach on the validation images.",
    ),
    click.option(
        "--masks",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of masks of defects, for the report. [default: DATA-masks, if that exists]",
    ),
    click.option(
        "--good",
        metavar="CLASS",
        help="Class without a defect, for escape rate (defects called CLASS) and overkill.",
    ),
    click.option(
        "--good-only",
        is_flag=True,
        help="Learn from good images alone: DATA is a folder of good images, or has one called by "
        "--good (otherwise good, ok or normal); further folders are test images.",
    ),
    click.option(
        "--patches",
        default=2048,
        type=click.IntRange(min=64, max=16384),
        help="Patches of good images to remember with --good-only, rounded down to 64s.",
    ),
    click.option(
        "--false-defect",
        default=0.01,
        type=FiniteRange(0, 0.5, min_open=True, max_open=True),
        metavar="SHARE",
        help="Share of good images that may be called a defect with --good-only.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace the run in --out."),
    click.option(
        "--resume",
        is_flag=True,
        help="Continue the training in --out if interrupted; needs the same options.",
    ),
    click.option(
        "--tensorboard", is_flag=True, help="Write training curves for TensorBoard to OUT/logs."
    ),
)


def train_options(command: _Command) -> _Command:
    """Give a command the options of a training, by their names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
