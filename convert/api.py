"""Conversion from Python; importing this loads no TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.command_line import command_values
from .command import convert, convert_with

if TYPE_CHECKING:
    from .verify.verify import ConversionResult

_Path = str | PathLike[str]


@dataclass(frozen=True)
class Conversion:
    """What a conversion left.

    Attributes:
        results: what was measured of each file, in the order of the recipes.
        recommended: the file to ship; None if no file passed the gate.
    """

    results: "tuple[ConversionResult, ...]"
    recommended: Path | None


def convert_model(
    run: _Path,
    *,
    out: _Path,
    recipes: Sequence[str] | None = None,
    data: _Path | None = None,
    calibration: _Path | None = None,
    calibration_images: int | None = None,
    heatmap: bool = False,
    max_drop: float | None = None,
    max_class_drop: float | None = None,
    seed: int | None = None,
    **options: object,
) -> Conversion:
    """Convert a run to .tflite files as `edgeclf convert` does, and return what was measured.

    A file that fails the gate is no error: its `gate.verdict` is `failed`, or `too_few_images`
    where the loss may be chance, and its `gate.passed` is False. None stands for the command's
    default; the keywords are its options, with underscores. Progress goes to standard output and
    warnings go to standard error.

    Args:
        run: folder that a training left.
        out: folder for `RECIPE.tflite` and conversion.json.
        recipes: of `float32`, `float16`, `dynamic`, `int8`, `int16x8` and `int8-qat`.
        data: folder of the run's images, if that has moved.
        calibration: folder of images to calibrate on; None for the run's training images.
        calibration_images: number of images to calibrate on.
        heatmap: whether the files give the last feature map too, for heatmaps.
        max_drop: accuracy that a file may lose, in percentage points.
        max_class_drop: recall that a file may lose in each class, in percentage points.
        seed: of the choice of calibration images and of int8-qat.
        **options: further options of `edgeclf convert`, such as `techniques`.

    Raises:
        EdgeclfError: an option, the run or its images cannot serve, or the extra `train` is not
            installed.
    """
    named = {
        "out": out, "recipes": recipes, "data": data, "calibration": calibration,
        "calibration_images": calibration_images, "heatmap": heatmap, "max_drop": max_drop,
        "max_class_drop": max_class_drop, "seed": seed,
    }  # fmt: skip
    with command_values(convert, run, options=named | options) as values:
        results, _, _ = convert_with(**values)
        from .verify.verify import recommend

        best = recommend(results)
    file = None if best is None else Path(out) / best.file
    return Conversion(tuple(results), file)
