"""The page of `edgeclf benchmark novelty`."""

from collections.abc import Sequence
from pathlib import Path

from ...models.report.drawing import HALF, label, line, path, svg, x_axis, y_axis
from ...models.report.figures import NONE, count, figure
from ...models.report.markup import Markup, tag
from ...models.report.scales import Scale
from ...models.report.table import Table
from ...models.report.templates import render_page
from .scores import ForeignImages, NoveltyBenchmark, cells_of, said_text

_TEMPLATE = Path(__file__).with_name("novelty.html")
_HIGH = 340  # of a chart without its axis
_HEADER = ("images", "number", "AUROC", "AUROC of the softmax", "unknown", "labels")


def novelty_page(benchmark: NoveltyBenchmark) -> str:
    """Return the page, HTML that holds all it shows."""
    known = benchmark.known
    return render_page(
        _TEMPLATE,
        title=f"Novelty of {benchmark.name}",
        measured=[
            benchmark.name,
            benchmark.recipe,
            f"{count(known.images, 'known image')} in {count(known.groups, 'group')}",
        ],
        headline=_headline(benchmark),
        tiles=[
            (f"{100 * known.unknown.value:.1f}", "%", "of the known images are unknown"),
            (f"{benchmark.judge_ms:.3f}", "ms", "to judge an image"),
            (f"{benchmark.model_bytes / 1e6:.2f}", "MB", "of the file"),
        ],
        threshold=f"{benchmark.threshold:g}",
        curves=[_draw_curve(one) for one in benchmark.foreign],
        foreign=_table("Foreign images", benchmark.foreign, benchmark),
        disturbed=_table("Spoilt images", benchmark.disturbed, benchmark),
    )


def _headline(benchmark: NoveltyBenchmark) -> str:
    wrong = figure(benchmark.known.unknown)
    if not benchmark.foreign:
        return f"Of the known images a share of {wrong} is unknown"
    worst = min(benchmark.foreign, key=lambda one: one.caught.value)
    return (
        f"A share of {figure(worst.caught)} of {worst.name} is unknown, where fewest are, and of "
        f"the known images {wrong}"
    )


def _table(title: str, parts: Sequence[ForeignImages], benchmark: NoveltyBenchmark) -> Table:
    known = benchmark.known
    first = ("known", str(known.images), NONE, NONE, figure(known.unknown), said_text(known.said))
    return Table(title, _HEADER, [first, *map(cells_of, parts)])


def _draw_curve(one: ForeignImages) -> Markup:
    x, y = Scale(0.0, 1.0, 44, HALF - 12), Scale(0.0, 1.0, _HIGH, 36)
    points = [(x(known), y(foreign)) for known, foreign in one.curve]
    return svg(
        HALF,
        _HIGH + 78,
        x_axis(x, top=y.end, bottom=y.start, name="share of the known images that are unknown"),
        y_axis(y, left=x.start, right=x.end, name="share of the foreign images"),
        line(x(0), y(0), x(1), y(1), class_="rule"),
        tag("g", tag("path", d=path(points), class_="curve"), class_="c0"),
        label(44, _HIGH + 64, f"{one.name}: AUROC {one.auroc:.4f}"),
        label=f"{one.name}: AUROC {one.auroc:.4f}",
    )
