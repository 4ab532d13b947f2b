"""`edgeclf benchmark compare`: what changed from one benchmark to the next."""

from pathlib import Path

import click

from ..edge_runtime.table import format_table
from .results.changes import Change, find_changes, is_same_data
from .results.schema import read_benchmark


@click.command(context_settings={"show_default": True})
@click.argument("old", metavar="OLD.json", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW.json", type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    default=5.0,
    metavar="PERCENT",
    type=click.FloatRange(min=0),
    help="Percentage by which latency, size and memory may worsen.",
)
@click.option(
    "--points",
    default=0.0,
    type=click.FloatRange(min=0),
    help="Percentage points by which accuracy and recalls may drop.",
)
@click.pass_context
def compare(ctx: click.Context, old: Path, new: Path, tolerance: float, points: float) -> None:
    """Tell what changed from OLD.json to NEW.json, and whether it is more than chance.

    Both are what `edgeclf benchmark --json` wrote. The exit code is 1 if something
    is significantly worse, by more than is tolerated. Brackets hold intervals of 95 %.
    """
    before, after = read_benchmark(old), read_benchmark(new)
    changes = find_changes(before, after, tolerance=tolerance, points=points)
    for path, benchmark in ((old, before), (new, after)):
        if benchmark.void:
            click.echo(f"Warning: {path}: its latencies do not count: {benchmark.void}", err=True)
    if not is_same_data(before, after):
        click.echo("Note: other images, so accuracies are compared as unpaired ones", err=True)
    header = ["model", "figure", "old", "new", "change", "result"]
    click.echo(format_table(header, [_row(change) for change in changes]))
    worse, better = (
        sum(change.judgement == judgement for change in changes)
        for judgement in ("worse", "better")
    )
    click.echo(f"{worse} worse, {better} better of {len(changes)} figures")
    ctx.exit(1 if worse else 0)


def _row(change: Change) -> list[str]:
    if change.figure == "runs":
        return [change.model, change.figure, "yes", "no", "—", change.judgement]
    text = "—" if change.change is None else f"{change.change:+.2f} {change.unit}"
    if change.interval:
        text += f" [{change.interval.low:+.2f}, {change.interval.high:+.2f}]"
    result = "—" if change.judgement == "unjudged" else change.judgement
    return [
        change.model,
        change.figure,
        _value_text(change.old),
        _value_text(change.new),
        text,
        result,
    ]


def _value_text(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
