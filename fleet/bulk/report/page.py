"""The page of `edgeclf bulk report`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....edge_runtime.errors import EdgeclfError
from ....models.report.drawing import HALF, line, path, svg, x_axis, y_axis
from ....models.report.figures import NONE, count, number
from ....models.report.markup import Markup, tag
from ....models.report.scales import Scale
from ....models.report.table import Table
from ....models.report.templates import render_page
from ..manifest import SCHEMA
from ..output import MANIFEST, OutputFolder
from .pictures import thumbnail
from .summary import BINS, Summary, summarize

PAGE = "report.html"

_TEMPLATE = Path(__file__).with_name("bulk.html")
_HIGH = 240  # of a chart without its axis
_MOST_LABELS, _MOST_MONTHS, _MOST_ERRORS = 8, 36, 20


def write_report(out: OutputFolder) -> str:
    """Write the page of a finished run into its folder, and return its public name.

    Raises:
        EdgeclfError: the folder holds no finished run of this version.
    """
    if not out.holds(MANIFEST):
        raise EdgeclfError(
            f"{out.name}: holds no {MANIFEST}; give the folder of a finished `edgeclf bulk`"
        )
    manifest = json.loads(out.read(MANIFEST))
    if manifest.get("schema") != SCHEMA:
        raise EdgeclfError(
            f"{out.name}/{MANIFEST}: of another version of edgeclf; make the report with that"
        )
    summary = summarize(out, [part["path"] for part in manifest["parts"]])
    out.write(PAGE, bulk_page(manifest, summary).encode())
    return out.place.name(out.path(PAGE))


def bulk_page(manifest: dict[str, Any], summary: Summary) -> str:
    """Return the page, HTML that holds all it shows."""
    images, errors = manifest["images"], manifest["errors"]
    named = images - errors
    unknown = manifest["labels"].get("unknown", 0)
    seconds = sum(node["process_seconds"] for node in manifest["nodes"])
    column = manifest["settings"]["column"]
    return render_page(
        _TEMPLATE,
        title="Bulk run",
        measured=[
            ", ".join(manifest["inputs"]["names"]),
            f"model {manifest['model']['sha256'][:12]}",
            manifest["finished"],
        ],
        headline=_headline(summary.labels, named),
        changed=_changed(manifest["inputs"]),
        tiles=[
            (f"{images:,}", "", "images, a row each"),
            (f"{errors:,}", "", "have an error instead of a label"),
            (_percent(unknown, named), "%", "of the others are unknown"),
            (number(1000 * seconds / images if images else None, ".1f"), "ms", "of a process each"),
        ],
        labels=_labels_table(summary.labels, named),
        months=_months_table(summary),
        drift=_drift_table(summary, manifest["model"]["training"]),
        charts=_charts(summary),
        errors=_errors_table(summary.errors),
        skipped=_skipped_table(manifest["inputs"]["skipped"]),
        nodes=_nodes_table(manifest["nodes"]),
        uncertain=[_card(row, "score", column) for row in summary.uncertain],
        foreign=[_card(row, "novelty", column) for row in summary.foreign],
    )


def _headline(labels: Counter[str], named: int) -> str:
    if not named:
        return "No image could be classified"
    label, most = labels.most_common(1)[0]
    return f"Of {count(named, 'image')} {_percent(most, named)} % are {label}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else NONE


def _changed(inputs: dict[str, Any]) -> str:
    if not inputs["changed"]:
        return ""
    return (
        f"The inputs changed while this ran: {count(inputs['files'], 'file')} were listed, "
        f"{inputs['files_after']:,} were there at the end."
    )


def _labels_table(labels: Counter[str], named: int) -> Table:
    rows = [
        (label, f"{images:,}", _percent(images, named)) for label, images in labels.most_common()
    ]
    return Table("", ("label", "images", "%"), rows)


def _months_table(summary: Summary) -> Table:
    shown = [label for label, _ in summary.labels.most_common(_MOST_LABELS)]
    others = len(summary.labels) > len(shown)
    months = sorted({month for month, _ in summary.months})
    rows = []
    for month in months[-_MOST_MONTHS:]:
        total = sum(each for (one, _), each in summary.months.items() if one == month)
        counts = [summary.months[month, label] for label in shown]
        rest = [total - sum(counts)] if others else []
        rows.append((month, *(f"{each:,}" for each in (total, *counts, *rest))))
    note = f"The last {_MOST_MONTHS} of {len(months)} months." if len(months) > len(rows) else ""
    header = ("month", "images", *shown, *(["others"] if others else []))
    return Table("", header, rows, note)


def _drift_table(summary: Summary, training: dict[str, float | None]) -> Table:
    """Return each month's scores and novelty, below what images like the training's would give."""
    false_unknown = training["false_unknown"]
    judged = false_unknown is not None
    expected = [number(training["accuracy"], ".3f")]
    if judged:
        expected += ["0.50", f"{false_unknown:.1%}"]
    rows = [("like the training", NONE, *expected)]
    for name in sorted(summary.drift)[-_MOST_MONTHS:]:
        month = summary.drift[name]
        figures = [number(month.score / month.images, ".3f")]
        if judged:
            figures += [
                number(month.median_novelty, ".2f"),
                f"{month.unknown / month.images:.1%}",
            ]
        rows.append((name, f"{month.images:,}", *figures))
    header = (
        "month",
        "images",
        "mean score",
        *(["median novelty", "unlike training"] if judged else []),
    )
    note = (
        "The first row is of images like the training’s: the accuracy on the run’s test images, "
        "which calibrated scores average, and what novelty is made for."
    )
    return Table("", header, rows, note)


def _charts(summary: Summary) -> list[Markup]:
    charts = [_draw(summary.scores, "score of the label")]
    if summary.novelty.any():
        like_training = float(summary.novelty.sum()) / BINS
        charts.append(_draw(summary.novelty, "novelty", like_training=like_training))
    return charts


def _draw(counts: NDArray[np.int64], name: str, *, like_training: float | None = None) -> Markup:
    x = Scale(0.0, 1.0, 64, HALF - 12)
    y = Scale(0.0, float(max(counts.max(), 1)), _HIGH, 36)
    points = [(x(0), y(0))]
    for place, images in enumerate(counts.tolist()):
        points += [(x(place / BINS), y(images)), (x((place + 1) / BINS), y(images))]
    points.append((x(1), y(0)))
    half = BINS // 2
    expected = []
    if like_training is not None:
        expected = [line(x.start, y(like_training), x.end, y(like_training), class_="zero")]
    return svg(
        HALF,
        _HIGH + 52,
        x_axis(x, top=y.end, bottom=y.start, name=name),
        y_axis(y, left=x.start, right=x.end, name="images"),
        tag("g", tag("path", d=path(points, closed=True), class_="ridge"), class_="c0"),
        *expected,
        label=f"Images by {name}: {int(counts[:half].sum())} below 0.5, "
        f"{int(counts[half:].sum())} above",
    )


def _errors_table(errors: Counter[str]) -> Table:
    rows = [(f"{images:,}", reason) for reason, images in errors.most_common(_MOST_ERRORS)]
    note = f"The {_MOST_ERRORS} most frequent of {len(errors)}." if len(errors) > len(rows) else ""
    return Table("", ("images", "error"), rows, note)


def _skipped_table(skipped: dict[str, int]) -> Table:
    ordered = sorted(skipped.items(), key=lambda item: -item[1])
    return Table("Skipped files", ("what", "files"), [(name, f"{n:,}") for name, n in ordered])


def _nodes_table(nodes: Sequence[dict[str, Any]]) -> Table:
    rows = [
        (
            node["name"],
            f"{node['images']:,}",
            f"{node['process_seconds']:.1f}",
            number(node["images_per_process_second"], ".1f"),
        )
        for node in nodes
    ]
    return Table("Machines", ("name", "images", "s of all processes", "images/s a process"), rows)


def _card(row: dict[str, Any], figure: str, column: str | None) -> dict[str, Any]:
    return {
        "picture": thumbnail(row, column=column),
        "label": row["label"],
        "figure": figure,
        "value": number(row[figure], ".3f"),
        "reason": row["novelty_reason"] or "",
        "path": row["path"],
        "name": row["path"].rpartition("/")[2],
    }
