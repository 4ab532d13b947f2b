"""`edgeclf bulk`: an archive classified, and its report."""

from pathlib import Path
from typing import Any

import click

from ...edge_runtime.classifier import MOST_THREADS
from ...edge_runtime.command_line.thresholds import threshold_options
from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.text import printable


class _ClassifyByDefault(click.Group):
    """A group whose command `classify` needs no name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = ["classify", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ClassifyByDefault)
def bulk() -> None:
    """Classify an archive of images into Parquet files, and report on them.

    `edgeclf bulk MODEL INPUT... --out OUTPUT` classifies, `edgeclf bulk report`
    sums the rows up on a page.
    """


@bulk.command(context_settings={"show_default": True})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--out", required=True, metavar="OUTPUT", help="Folder or URL to write rows to.")
@click.option("--resume", is_flag=True, help="Go on with the run in OUTPUT, if one was stopped.")
@click.option(
    "--top", default=3, type=click.IntRange(min=1), help="Number of best classes in a row."
)
@threshold_options
@click.option(
    "--column",
    metavar="NAME",
    help="Column of Parquet files with bytes or paths of images. [default: the only such one]",
)
@click.option(
    "--rows-per-part",
    default=5000,
    type=click.IntRange(1, 1_000_000),
    help="Rows of a Parquet file; a crash loses the work on one part at most.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    help="Threads of an inference, and as many that decode. [default: cores, 4 at most]",
)
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="local",
    help="Address of a Ray cluster to use, such as HOST:6379; without ADDRESS a new, local one.",
)
def classify(
    model: Path,
    inputs: tuple[str, ...],
    out: str,
    resume: bool,
    top: int,
    threshold: float,
    novelty_threshold: float | None,
    column: str | None,
    rows_per_part: int,
    threads: int | None,
    ray: str | None,
) -> None:
    """Classify the images of INPUTs with a .tflite MODEL, a row each.

    INPUTs are folders, globs, images, tar shards, Parquet files, and URLs of such.

    \b
    edgeclf bulk int8.tflite photos/ --out rows
    edgeclf bulk int8.tflite photos/ --out rows --resume
    edgeclf bulk int8.tflite 's3://bucket/shards/*.tar' --out s3://bucket/rows
    edgeclf bulk int8.tflite photos.parquet --column image.bytes --out rows
    """
    from .run import make_job, run_bulk

    job = make_job(
        model, inputs, out,
        top=top, threshold=threshold, novelty_threshold=novelty_threshold,
        rows_per_part=rows_per_part, column=column, threads=threads,
    )  # fmt: skip
    manifest = run_bulk(job, resume=resume, ray=ray, warn=echo_warning)
    for line in _warnings(manifest):
        echo_warning(line)
    click.echo(_summary(manifest))


@bulk.command()
@click.argument("output", metavar="OUTPUT")
def report(output: str) -> None:
    """Write a page on a finished run into its OUTPUT: report.html.

    Counts by label and month, errors, scores and novelty, and the images that are
    least sure and least like the training.
    """
    from .output import OutputFolder
    from .report.page import write_report

    click.echo(write_report(OutputFolder(output)))


def _warnings(manifest: dict[str, Any]) -> list[str]:
    inputs, errors = manifest["inputs"], manifest["errors"]
    lines = []
    if inputs["skipped"]:
        lines.append(f"skipped {_counts(inputs['skipped'])}")
    if inputs["changed"]:
        lines.append(
            f"the inputs changed while this ran: {inputs['files']} files were listed, "
            f"{inputs['files_after']} are there now; a changed or lost image has a row with an "
            "error, a new one has none"
        )
    if errors:
        lines.append(f"{errors} of {manifest['images']} images have an error instead of a label")
    return lines


def _summary(manifest: dict[str, Any]) -> str:
    named = manifest["images"] - manifest["errors"]
    return f"{named} classified: {_counts(manifest['labels']) or 'none'}"


def _counts(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{number} {printable(name)}" for name, number in ordered)
