"""`edgeclf evaluate`: a finished run in, its figures, report and model card anew."""

from pathlib import Path

import click

from ..edge_runtime.command_line.option_types import FiniteRange
from ..edge_runtime.command_line.table import format_table

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", type=_FOLDER, help="Folder of RUN's data, if moved.")
@click.option(
    "--recall",
    type=FiniteRange(0, 1, min_open=True),
    help="Recall that a threshold per class must reach. [default: RUN's]",
)
@click.option(
    "--masks",
    type=_FOLDER,
    help="Folder of masks of defects. [default: DATA-masks, if that exists]",
)
@click.option(
    "--good", metavar="CLASS", help="Class without a defect, for escape rate. [default: RUN's]"
)
def evaluate(
    run: Path, data: Path | None, recall: float | None, masks: Path | None, good: str | None
) -> None:
    """Evaluate RUN, the folder that `edgeclf train` left, on its test images again.

    Temperature and thresholds are chosen on its validation images and go into what `edgeclf
    convert` makes of it. Writes calibration.json, metrics.json, confusion.png, report.html and
    MODEL_CARD.md.
    """
    from ..edge_runtime.quiet import quiet_tensorflow

    quiet_tensorflow()
    from .evaluate_run import evaluate_run
    from .report.tables import thresholds_table
    from .report.words import temperature_sentence, verdict_sentence
    from .report.writing import REPORT_NAME

    evaluation = evaluate_run(run, data=data, recall=recall, masks=masks, good=good)
    click.echo(verdict_sentence(evaluation))
    click.echo(temperature_sentence(evaluation))
    if evaluation.thresholds:
        table = thresholds_table(evaluation)
        click.echo(f"{format_table(table.header, table.rows)}\n{table.note}")
    click.echo(str(run / REPORT_NAME))
