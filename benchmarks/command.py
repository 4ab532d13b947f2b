"""`edgeclf benchmark`: models side by side."""

from importlib.util import find_spec
from pathlib import Path

import click

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import check_folder, write_json
from ..edge_runtime.interpreter import default_threads
from ..models.photographs import Photographs, labelled_photographs, run_photographs
from ..models.run import Run, read_run
from .comparison import compare, comparison_json, comparison_table
from .contenders import open_contender


@click.command(context_settings={"show_default": True})
@click.argument(
    "models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Images, a folder per class; of the RUN's own, its test images. [default: those]",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write it all to FILE.")
@click.option("--queries", default=100, type=click.IntRange(min=10), help="Timed, per model.")
@click.option(
    "--threads", type=click.IntRange(min=1), help="Of an inference. [default: cores, 4 at most]"
)
def benchmark(
    models: tuple[Path, ...],
    data: Path | None,
    json_file: Path | None,
    queries: int,
    threads: int | None,
) -> None:
    """Compare MODELs on the same images: accuracy, latency, size, memory.

    A MODEL is a .tflite file, or the folder of a run for its float Keras model.

    \b
    edgeclf benchmark RUN models/*.tflite
    edgeclf benchmark models/*.tflite --data photographs/
    """
    if json_file:
        check_folder(json_file.parent)
    threads = threads or default_threads()
    runs = {path: read_run(path) for path in models if path.is_dir()}
    if runs and find_spec("tensorflow") is None:
        click.echo("Warning: TensorFlow is not installed, so no float Keras model", err=True)
        models = tuple(path for path in models if path not in runs)
    if not models:
        raise EdgeclfError("no model is left to compare; give .tflite files")
    stems = [path.stem for path in models]
    contenders = [
        open_contender(
            path, name=None if stems.count(path.stem) == 1 else str(path), threads=threads
        )
        for path in models
    ]
    run = next(iter(runs.values()), None)
    photographs = _photographs(run, data, contenders[0].labels)
    rows = compare(contenders, photographs, queries=queries, threads=threads)
    click.echo(comparison_table(rows))
    click.echo(f"{rows[0].scores.images} images, {queries} queries each, {threads} threads")
    if json_file:
        folder = data or (run.data if run else "")
        write_json(json_file, comparison_json(rows, data=str(folder), threads=threads))


def _photographs(run: Run | None, data: Path | None, labels: tuple[str, ...]) -> Photographs:
    if run is not None:
        test = run.split("test")
        # The run's own data folder, moved or not: what it was trained on would flatter it.
        if data is None or all((data / image.path).exists() for image in test):
            return run_photographs(run, "test", data=data)
    if data is None:
        raise EdgeclfError("no images to compare on; add --data FOLDER, or a RUN to the models")
    return labelled_photographs(data, labels)
