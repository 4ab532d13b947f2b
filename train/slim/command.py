"""`edgeclf slim`: a run in, a run with fewer channels out."""

from pathlib import Path
from typing import Any

import click

from ...edge_runtime.command_line.option_types import SEED, FiniteRange


@click.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write the new run to."
)
@click.option(
    "--keep",
    required=True,
    type=FiniteRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Share of RUN's multiply-accumulates to keep at most; a smaller share is faster.",
)
@click.option(
    "--images",
    default=200,
    type=click.IntRange(min=1),
    help="Number of training images on which channels are chosen.",
)
@click.option(
    "--epochs",
    default=10,
    type=click.IntRange(min=0),
    help="Limit of epochs of fine-tuning towards RUN's scores; 0 for none.",
)
@click.option(
    "--learning-rate",
    default=1e-5,
    type=FiniteRange(0, min_open=True),
    help="Learning rate of fine-tuning.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of RUN's data, if moved.",
)
@click.option("--seed", default=0, type=SEED, help="Seed of images, order and augmentation.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the fine-tuning in --out if interrupted; needs the same options.",
)
def slim(**options: Any) -> None:
    """Make RUN, the folder that `edgeclf train` left, a run that computes less.

    Whole channels leave, those that the scores miss least on training images; the weights that read
    them are solved again, and the network is fine-tuned towards RUN's scores. The new run is one
    like any other: convert, evaluate and benchmark take it.
    """
    from ...edge_runtime.quiet import quiet_tensorflow
    from ...models.report.figures import brief_figures

    quiet_tensorflow()
    from .slimming import SlimConfig, slim_run

    config = SlimConfig(**options)
    scores = slim_run(config).plain
    click.echo(f"{config.out}: {brief_figures(scores)} on {scores.images} test images")
