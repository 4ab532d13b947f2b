"""`edgeclf convert`: a float model in, verified .tflite files out."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..edge_runtime.command_line.option_types import SEED, FiniteRange
from ..edge_runtime.command_line.warning import echo_warning
from ..edge_runtime.errors import EdgeclfError, Interrupted
from ..edge_runtime.files import check_folder, read_labels
from ..edge_runtime.preprocess import RESIZE_RULES, ResizeRule
from ..models.float_model import FloatModelInfo
from ..models.good_only import is_good_only
from ..models.networks.architectures import ARCHITECTURES, architecture
from ..models.photographs import (
    Photographs,
    folder_photographs,
    labelled_photographs,
    run_photographs,
)
from ..models.run import read_run
from .recipes import DEFAULT_RECIPES, RECIPES, Recipe, parse_recipes
from .techniques.catalogue import NAMES
from .verify.gate import Limits
from .verify.summary import gate_summary, result_table

if TYPE_CHECKING:
    from .verify.verify import ConversionResult

_PATH = click.Path(path_type=Path)
_POINTS = FiniteRange(0, 100)
# 1 is a failure, 2 a wrong command line.
_TOO_FEW_IMAGES = 3


@click.command(context_settings={"show_default": True})
@click.argument("run", required=False, type=_PATH)
@click.option("--out", required=True, type=_PATH, help="Folder for the .tflite files.")
@click.option(
    "--recipes",
    default=",".join(DEFAULT_RECIPES),
    help=f"Recipes to convert by, of {', '.join(RECIPES)}.",
)
@click.option(
    "--data",
    type=_PATH,
    help="Folder of RUN's data, if moved; without RUN, images per class to score on.",
)
@click.option(
    "--calibration",
    type=_PATH,
    help="Folder of images to calibrate on. [default: RUN's training images]",
)
@click.option(
    "--calibration-images",
    default=200,
    type=click.IntRange(min=1),
    help="Number of images to calibrate on.",
)
@click.option(
    "--seed",
    default=0,
    type=SEED,
    help="Seed of the choice of calibration images and of int8-qat.",
)
@click.option(
    "--techniques",
    default="all",
    help=f"Techniques to apply before int8, of {', '.join(NAMES)}; or all, or none.",
)
@click.option(
    "--qat-epochs", default=3, type=click.IntRange(min=1), help="Epochs that int8-qat trains."
)
@click.option(
    "--max-drop",
    default=Limits.max_drop,
    type=_POINTS,
    metavar="POINTS",
    help="Accuracy that a file may lose, in percentage points; one image is allowed, unless 0.",
)
@click.option(
    "--max-class-drop",
    default=Limits.max_class_drop,
    type=_POINTS,
    metavar="POINTS",
    help="Recall that a file may lose in each class, in percentage points; one image is allowed, "
    "unless 0.",
)
@click.option(
    "--max-escape-rise",
    default=Limits.max_escape_rise,
    type=_POINTS,
    metavar="POINTS",
    help="Rise of the escape rate that is allowed where RUN names a good class, in percentage "
    "points; one image is allowed, unless 0.",
)
@click.option(
    "--heatmap/--no-heatmap",
    default=False,
    help="Add the last feature map as an output, which `edgeclf run --heatmap` draws.",
)
@click.option(
    "--novelty/--no-novelty",
    default=True,
    help="Add the mean of the last feature map as an output, and a model of novelty, by which "
    "images unlike RUN's are unknown.",
)
@click.option(
    "--false-unknown",
    default=0.01,
    type=FiniteRange(0, 0.5, min_open=True, max_open=True),
    metavar="SHARE",
    help="Share of known images that may be said to be unknown for their novelty.",
)
@click.option(
    "--arch", help=f"Architecture of --weights, in place of RUN: {', '.join(ARCHITECTURES)}."
)
@click.option("--weights", type=_PATH, help="Weights file to convert, in place of RUN.")
@click.option(
    "--labels",
    type=_PATH,
    help="Text file of the classes of --weights, one a line, in place of RUN.",
)
@click.option(
    "--input-size",
    type=click.IntRange(min=16),
    help="Input height and width in pixels for --weights. [default: the architecture's]",
)
@click.option(
    "--resize",
    default="stretch",
    type=click.Choice(RESIZE_RULES),
    help="Rule to bring an image to the input size, for --weights.",
)
@click.pass_context
def convert(ctx: click.Context, /, **options: Any) -> None:
    """Convert RUN, the folder that `edgeclf train` left, to TFLite.

    Each file is loaded in the device runtime and scored against the float model on RUN's test
    images. A file that loses more than is allowed, or never predicts some class any more, is marked
    as failed in conversion.json, and the exit code is 1. Where that loss may be chance, there are
    too few images to tell, and the exit code is 3. Without RUN, a weights file can be converted:

    \b
    edgeclf convert --arch densenet121 --weights FILE --labels FILE
        --calibration FOLDER --data FOLDER --out DIR
    """
    results, limits, classes = convert_with(**options)
    click.echo(result_table(results))
    click.echo(gate_summary(results, limits, classes=classes))
    gates = [(result.recipe, result.gate) for result in results if result.gate]
    if failed := [recipe for recipe, gate in gates if gate.verdict == "failed"]:
        raise EdgeclfError(
            f"{len(failed)} of {len(results)} models failed the gate: {', '.join(failed)}; ship "
            "another, or say with --max-drop, --max-class-drop or --max-escape-rise what may be "
            "lost"
        )
    if undecided := [recipe for recipe, gate in gates if gate.verdict == "too_few_images"]:
        click.echo(
            f"Too few images to tell for {len(undecided)} of {len(results)} models: "
            f"{', '.join(undecided)}; add labelled images, or ship another",
            err=True,
        )
        ctx.exit(_TOO_FEW_IMAGES)


def _check_good_only(recipes: Sequence[Recipe], heatmap: bool) -> tuple[bool, bool]:
    """Return whether files that know good images only have heatmaps, and a model of novelty.

    Raises:
        UsageError: an option makes no sense for them.
    """
    source = click.get_current_context().get_parameter_source
    if source("novelty") == ParameterSource.COMMANDLINE:
        raise click.UsageError(
            "--novelty: RUN has seen good images only, and calls all else a defect; leave it out"
        )
    if trained := [recipe.name for recipe in recipes if recipe.trains]:
        raise click.UsageError(
            f"--recipes {trained[0]}: RUN has seen good images only, there is nothing to train; "
            "give int8"
        )
    return heatmap or source("heatmap") != ParameterSource.COMMANDLINE, False


def _without_int8_loss(recipes: Sequence[Recipe], name: str) -> tuple[Recipe, ...]:
    """Return the recipes, less those that cost the architecture too much and that nobody chose."""
    source = click.get_current_context().get_parameter_source("recipes")
    loss = ARCHITECTURES[name].int8_loss if name in ARCHITECTURES else None
    if loss is None or source != ParameterSource.DEFAULT:
        return tuple(recipes)
    echo_warning(f"{name}: int8 is left out: {loss}; `--recipes int8` makes the file all the same")
    return tuple(recipe for recipe in recipes if recipe.activations != "int8")


def convert_with(
    run: Path | None,
    out: Path,
    recipes: str,
    data: Path | None,
    calibration: Path | None,
    calibration_images: int,
    seed: int,
    techniques: str,
    qat_epochs: int,
    max_drop: float,
    max_class_drop: float,
    max_escape_rise: float,
    heatmap: bool,
    novelty: bool,
    false_unknown: float,
    arch: str | None,
    weights: Path | None,
    labels: Path | None,
    input_size: int | None,
    resize: ResizeRule,
) -> "tuple[list[ConversionResult], Limits, int]":
    """Convert as the options say; return the results, what may be lost, and the classes' number."""
    chosen = parse_recipes(recipes)
    check_folder(out)
    limits = Limits(max_drop, max_class_drop, max_escape_rise)
    bare = (arch, weights, labels)
    if run is not None and any(option is not None for option in bare):
        raise click.UsageError("give RUN, or --arch, --weights and --labels, not both")
    if run is None and any(option is None for option in bare):
        raise click.UsageError("give RUN, or all of --arch, --weights and --labels")
    if run is not None:
        source = read_run(run)
        info = source.info
        if is_good_only(info.labels):
            heatmap, novelty = _check_good_only(chosen, heatmap)
    else:
        assert arch is not None
        assert weights is not None
        assert labels is not None
        network = architecture(arch)
        size = input_size or network.input_size
        info = FloatModelInfo(network.name, read_labels(labels), (size, size), resize, weights)
        source = None
    chosen = _without_int8_loss(chosen, info.architecture)

    from ..edge_runtime.quiet import quiet_tensorflow

    quiet_tensorflow()
    from .conversion import interruption_message, run_conversion
    from .novelty import NoveltyImages, load_novelty_images
    from .preparation import CalibrationPlan
    from .quantize.qat import QatConfig, QatPlan
    from .techniques.registry import parse_techniques

    steps = parse_techniques(techniques)
    scoring: Photographs | None = None
    calibrating: Photographs | None = None
    qat: QatPlan | None = None
    read_novelty_images: Callable[[], NoveltyImages | None] | None = None
    if source is not None:
        scoring = run_photographs(source, "test", data=data)
        calibrating = run_photographs(source, "train", data=data)
        qat = QatPlan(
            train=calibrating,
            val=run_photographs(source, "val", data=data),
            config=QatConfig(
                epochs=qat_epochs, batch_size=source.batch_size, augment=source.augment, seed=seed
            ),
        )
        if novelty:
            read_novelty_images = partial(
                load_novelty_images, source, data=data, seed=seed, false_unknown=false_unknown
            )
    elif data is not None:
        scoring = labelled_photographs(data, info.labels)
    if calibration is not None:
        calibrating = folder_photographs(calibration)
    try:
        results = run_conversion(
            info,
            chosen,
            out=out,
            calibration=CalibrationPlan(calibrating, calibration_images, seed, steps),
            scoring=scoring,
            qat=qat,
            limits=limits,
            heatmap=heatmap,
            features=novelty,
            read_novelty_images=read_novelty_images,
            provenance={} if source is None else source.provenance(),
        )
    except KeyboardInterrupt:
        raise Interrupted(interruption_message(out)) from None
    return results, limits, len(info.labels)
