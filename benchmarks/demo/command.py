"""`edgeclf demo`: the whole road on photographs that are drawn, with nothing to download."""

import shlex
import subprocess
import sys
from pathlib import Path

import click

from ...convert.recipes import DEFAULT_RECIPES
from ...edge_runtime.command_line.option_types import SEED
from ...edge_runtime.errors import EdgeclfError
from ...models.run import read_run
from .surfaces import SURFACE_CLASSES, write_surfaces

_PER_CLASS = 400
_SIZE = 64


@click.command(context_settings={"show_default": True})
@click.option(
    "--out",
    default="demo-run",
    type=click.Path(path_type=Path),
    help="Folder to write images, run and models to.",
)
@click.option(
    "--per-class",
    default=_PER_CLASS,
    type=click.IntRange(min=10),
    help="Number of images to draw per class.",
)
@click.option("--epochs", default=50, type=click.IntRange(min=1), help="Limit of training epochs.")
@click.option(
    "--seed",
    default=0,
    type=SEED,
    help="Seed of the drawn images and of the training.",
)
def demo(out: Path, per_class: int, epochs: int, seed: int) -> None:
    """Draw photographs of surfaces, then train, convert, benchmark and classify.

    Every step is the command that is printed before it, on files that stay in --out.
    """
    data, model_run, models = out / "data", out / "run", out / "models"
    if out.exists() and any(out.iterdir()) and not data.is_dir():
        raise EdgeclfError(f"{out}: holds other files; give an empty or new folder with --out")
    click.echo(f"Drawing {per_class} surfaces each of {', '.join(SURFACE_CLASSES)} in {data}")
    write_surfaces(data, per_class=per_class, size=_SIZE, seed=seed)
    _do(
        *("train", data, "--out", model_run, "--arch", "densenet-small", "--weights", "none"),
        *("--epochs", epochs, "--batch-size", 32, "--learning-rate", 0.0015),
        *("--flip", "both", "--rotation", 45, "--seed", seed, "--overwrite"),
    )
    _do("convert", model_run, "--out", models)
    files = [models / f"{recipe}.tflite" for recipe in DEFAULT_RECIPES]
    _do("benchmark", model_run, *files, "--json", out / "benchmark.json")
    unseen = {image.label: data / image.path for image in read_run(model_run).split("test")}
    _do("run", models / "int8.tflite", *unseen.values())


def _do(*arguments: object) -> None:
    """Run `edgeclf` with `arguments` in a process of its own, after printing what one would type.

    Raises:
        EdgeclfError: the command failed; it has said why.
    """
    words = [str(argument) for argument in arguments]
    click.secho(f"\n$ edgeclf {shlex.join(words)}", bold=True)
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "-m", "edgeclf", *words], check=False)
    if done.returncode:
        raise EdgeclfError(f"edgeclf {words[0]} ended with {done.returncode}; the demo stops here")
