"""`edgeclf benchmark compare`: what changed from one benchmark to the next."""

import json
from pathlib import Path

import click

from ..edge_runtime.command_line.option_types import FiniteRange
from ..edge_runtime.command_line.table import format_table
from ..edge_runtime.command_line.warning import echo_warning
from ..models.metrics.statistics import Estimate
from ..models.report.figures import NONE, decimals, figure, number
from .results.changes import Change, Judgement, find_changes, is_same_data
from .results.reading import read_benchmark

_SCHEMA = 1
_JUDGEMENTS: tuple[Judgement, ...] = ("worse", "better", "cannot_tell", "same", "not_measured")


@click.command(context_settings={"show_default": True})
@click.argument("old", metavar="OLD.json", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW.json", type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    default=5.0,
    metavar="PERCENT",
    type=FiniteRange(min=0),
    help="Percentage by which latency, size and memory may worsen.",
)
@click.option(
    "--points",
    default=0.0,
    type=FiniteRange(min=0),
    help="Percentage points by which accuracy and recalls may drop, and escape rates rise.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, with every recall.")
@click.pass_context
def compare(
    ctx: click.Context, old: Path, new: Path, tolerance: float, points: float, as_json: bool
) -> None:
    """Tell what changed from OLD.json to NEW.json, and whether it is more than chance.

    Both are what `edgeclf benchmark --json` wrote. The exit code is 1 if something
    is significantly worse, by more than is tolerated. A model that NEW.json lacks is listed as
    `not measured`, and counts as neither. Where a change may be chance, and may be more
    than is tolerated, the result is `cannot tell`. Brackets hold intervals of 95 %.
    """
    before, after = read_benchmark(old), read_benchmark(new)
    changes = find_changes(before, after, tolerance=tolerance, points=points)
    for path, benchmark in ((old, before), (new, after)):
        if benchmark.void:
            echo_warning(f"{path}: its latencies do not count: {benchmark.void}")
    same_images = is_same_data(before, after)
    if not same_images:
        click.echo("Note: other images, so accuracies are compared as unpaired ones", err=True)
    counts = {each: sum(change.judgement == each for change in changes) for each in _JUDGEMENTS}
    if as_json:
        report = {
            "schema": _SCHEMA,
            "tolerance": tolerance,
            "points": points,
            "same_images": same_images,
            "void": {"old": before.void, "new": after.void},
            "counts": counts,
            "changes": [change.to_json() for change in changes],
        }
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        header = ["model", "figure", "old", "new", "change", "result"]
        shown = [_row(change) for change in changes if _is_shown(change)]
        click.echo(format_table(header, shown))
        hidden, missing = len(changes) - len(shown), counts["not_measured"]
        click.echo(
            f"{counts['worse']} worse, {counts['better']} better, {counts['same']} the same, "
            f"{counts['cannot_tell']} cannot tell, of {len(changes)} figures"
            + (f"; {missing} not measured in {new}" if missing else "")
            + (f"; {hidden} recalls that are neither better nor worse: --json" if hidden else "")
        )
    ctx.exit(1 if counts["worse"] else 0)


def _is_shown(change: Change) -> bool:
    """Tell whether the table has it: of a thousand recalls, those that became better or worse."""
    return not change.figure.startswith("recall of ") or change.judgement in ("better", "worse")


def _row(change: Change) -> list[str]:
    if change.figure == "runs":
        runs = NONE if change.new is None else "no"
        return [change.model, change.figure, "yes", runs, NONE, change.judgement.replace("_", " ")]
    return [
        change.model,
        change.figure,
        _value_text(change, change.old),
        _value_text(change, change.new),
        _change_text(change),
        change.judgement.replace("_", " "),
    ]


def _change_text(change: Change) -> str:
    if change.change is None or change.interval is None:
        unit = "" if change.change is None else f" {change.unit}"
        return f"{number(change.change, '+.2f')}{unit}"
    value, interval = figure(Estimate(change.change, change.interval), sign="+", at_most=2).split(
        " ", 1
    )
    return f"{value} {change.unit} {interval}"


def _value_text(change: Change, value: float | None) -> str:
    """Return a figure; of a share with two decimals more than its change in percentage points."""
    if change.unit == "points" and change.interval:
        return number(value, f".{decimals(change.interval, at_most=2) + 2}f")
    return number(value, ".3f")
