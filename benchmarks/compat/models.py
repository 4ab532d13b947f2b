"""The models whose cases the table shows, and the files that are made for them."""

import sys
from pathlib import Path

from edgeclf.benchmarks.pi_emulation.cache import keep_folder
from edgeclf.benchmarks.pi_emulation.processes import run_quietly
from edgeclf.benchmarks.pi_emulation.subjects import draw_model, pins
from edgeclf.edge_runtime.errors import EdgeclfError

from .cases import Case, write_case

# Of each model, the recipes that are run; int8 is run with features and with heatmap, too.
MODELS = {
    "densenet-tiny": ("int8", "float32", "float16", "dynamic", "int16x8"),
    "densenet121": ("int8",),
}


def make_models(name: str, work: Path) -> Path:
    """Convert the architecture `name` below `work` if need be; return the folder of its files.

    They are `RECIPE.tflite` with one output, `features/int8.tflite` with the mean of the last
    feature map as its second one, and `heatmap/int8.tflite` with that map. The weights are drawn
    from a seed.
    """
    folder = work / "models" / name
    keep_folder(
        folder,
        f"Converting {name}",
        pins=[*pins(), Path(__file__), *MODELS[name]],
        make=lambda empty: _convert(name, empty),
    )
    return folder / "files"


def _convert(name: str, folder: Path) -> None:
    source = draw_model(name, folder)
    files = folder / "files"
    for recipes, options in (
        (",".join(MODELS[name]), ("--no-novelty", "--out", files)),
        ("int8", ("--out", files / "features")),
        ("int8", ("--heatmap", "--out", files / "heatmap")),
    ):
        command = (sys.executable, "-m", "edgeclf", "convert", *source, "--recipes", recipes)
        run_quietly(f"edgeclf convert --arch {name}", (*command, *options))


def write_cases(folder: Path, work: Path, *, name: str) -> list[Case]:
    """Write a case for each .tflite file in `folder` and the folders in it, int8 first.

    Args:
        folder: of the files.
        work: below it the cases are written.
        name: the cases' names begin with it.

    Raises:
        EdgeclfError: there is no file.
    """
    files = sorted(
        folder.rglob("*.tflite"),
        key=lambda path: (path.stem != "int8", len(path.parts), path),
    )
    if not files:
        raise EdgeclfError(f"{folder}: holds no .tflite file; edgeclf convert RUN --out {folder}")
    cases = []
    for path in files:
        parts = (name, *path.relative_to(folder).with_suffix("").parts)
        place = work / "cases" / "-".join(parts)
        cases.append(write_case(place, name=" ".join(parts), model=path))
    return cases
