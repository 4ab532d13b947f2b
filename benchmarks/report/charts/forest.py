"""A figure per model with its interval, one under the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....models.metrics.statistics import Estimate
from ....models.report.drawing import HALF, label, line, svg, x_axis
from ....models.report.markup import Markup, join, tag
from ....models.report.scales import Scale, scale_over
from ...results.schema import Benchmark
from .. import words
from .colours import colour_classes

_ROW = 34
_LEFT = 104


@dataclass(frozen=True)
class _Row:
    name: str
    estimate: Estimate
    text: str


def draw_drops(benchmark: Benchmark) -> Markup | None:
    """Return the accuracy that each model loses against the reference; None without any."""
    rows = [
        _Row(
            model.name,
            Estimate(model.against.drop.points, model.against.drop.interval),
            words.points(model.against.drop),
        )
        for model in benchmark.models
        if model.against
    ]
    return _draw(
        benchmark, rows, none=0.0, log=False, name="top-1 accuracy lost, percentage points",
        what="Accuracy lost against the reference",
    )  # fmt: skip


def draw_speeds(benchmark: Benchmark) -> Markup | None:
    """Return how many times as fast as the reference each model is; None without any."""
    rows = [
        _Row(model.name, words.times_as_fast(ratio), words.speed(ratio))
        for model in benchmark.models
        if model.timings and (ratio := model.timings[0].ratio)
    ]
    return _draw(
        benchmark, rows, none=1.0, log=True, name="times as fast as the reference",
        what="Speed against the reference",
    )  # fmt: skip


def _draw(
    benchmark: Benchmark, rows: Sequence[_Row], *, none: float, log: bool, name: str, what: str
) -> Markup | None:
    if not rows:
        return None
    bottom = 8 + _ROW * len(rows)
    found = [end for row in rows for end in (row.estimate.interval.low, row.estimate.interval.high)]
    x = scale_over([*found, none], start=_LEFT, end=HALF - 76, log=log)
    colours = colour_classes(benchmark)
    return svg(
        HALF,
        bottom + 48,
        x_axis(x, top=8, bottom=bottom, name=name, signed=not log, ticks=5),
        line(x(none), 4, x(none), bottom, class_="zero"),
        join(
            _draw_row(row, x, y=8 + _ROW * (i + 0.5), colour=colours[row.name])
            for i, row in enumerate(rows)
        ),
        label=f"{what}: " + "; ".join(f"{row.name} {row.text}" for row in rows),
    )


def _draw_row(row: _Row, x: Scale, *, y: float, colour: str) -> Markup:
    interval = row.estimate.interval
    return join(
        [
            label(0, y + 4.5, words.shortened(row.name, length=14)),
            tag(
                "g",
                tag("title", f"{row.name}: {row.text}"),
                line(x(interval.low), y, x(interval.high), y, class_="bar thick"),
                tag("circle", cx=x(row.estimate.value), cy=y, r=6, class_="dot"),
                class_=colour,
            ),
            label(HALF, y + 4.5, row.text.partition(" ")[0], anchor="end", class_="tick"),
        ]
    )
