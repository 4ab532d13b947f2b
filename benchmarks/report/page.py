"""The page: one file that holds all it shows."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ...edge_runtime.files import write_text
from ...models.report.document import document, panels, section
from ...models.report.drawing import HALF, both_widths
from ...models.report.markup import Markup, join, tag
from ...models.report.matrix import MOST_CLASSES, matrix_width
from ...models.report.table import draw_table
from ...models.report.thumbnails import Thumbnails
from ..results.schema import Benchmark, Model
from . import circumstances, tables, words
from .charts.confusion_change import draw_heatmap
from .charts.distributions import draw_distributions
from .charts.forest import draw_drops, draw_speeds
from .charts.scatter import draw_scatter
from .charts.slopes import LABELLED, draw_slopes, slopes_width
from .charts.sustained import draw_sustained
from .gallery import SHOWN, draw_gallery
from .sentence import headline
from .summary import draw_summary


def write_page(path: Path, benchmark: Benchmark, *, images: Path | None = None) -> None:
    """Write the page to `path`, whole or not at all.

    Args:
        path: an .html file.
        benchmark: what it shows.
        images: where the images lie, if not where they were measured.
    """
    write_text(path, page(benchmark, images=images))


def page(benchmark: Benchmark, *, images: Path | None = None) -> str:
    """Return the page as HTML that is well-formed XML too; arguments as in `write_page`."""
    thumbnails = Thumbnails(images or Path(benchmark.data.folder))
    body = [
        draw_summary(benchmark),
        tag("main", *_sections(benchmark, thumbnails)),
        tag("footer", "Intervals are of 95 % and take the images as independent draws."),
    ]
    return document(f"Benchmark: {headline(benchmark)}", *body)


def _sections(benchmark: Benchmark, thumbnails: Thumbnails) -> Iterator[Markup]:
    yield from _tradeoff(benchmark)
    yield from _latency(benchmark)
    yield from _recalls(benchmark)
    yield from _confusions(benchmark)
    yield from _disagreements(benchmark, thumbnails)
    yield from _sustained(benchmark)
    yield _figures(benchmark)
    yield _machine(benchmark)


def _tradeoff(benchmark: Benchmark) -> Iterator[Markup]:
    counts = benchmark.settings.threads
    if len(counts) == 1:
        drawn = both_widths(partial(draw_scatter, benchmark, threads=counts[0]))
    else:
        drawn = panels([draw_scatter(benchmark, threads=count, width=HALF) for count in counts])
    if drawn:
        note = "Up and to the left is better. Bars are intervals of 95 %: Wilson’s of the images, "
        note += "Student’s t of the rounds."
        if benchmark.reference:
            note += " All models saw the same images, so that their differences, below, are surer "
            note += "than these bars suggest."
        yield section("Accuracy against latency", drawn, note=note)
    against = panels([draw_drops(benchmark), draw_speeds(benchmark)])
    if against and benchmark.reference:
        note = f"On the same images and in the same rounds as {benchmark.reference.name}."
        yield section("What is lost, what is gained", against, note=note)


def _latency(benchmark: Benchmark) -> Iterator[Markup]:
    drawn = both_widths(partial(draw_distributions, benchmark))
    if drawn:
        note = "Every query is in it. The strokes are p50, p90 and p99, as far as there are enough "
        note += "queries to claim them; dots are the slowest hundredth."
        yield section("Latency", drawn, note=note)


def _recalls(benchmark: Benchmark) -> Iterator[Markup]:
    held = [one for one in benchmark.models if one.against]
    charts = {one.name: draw_slopes(benchmark, one) for one in held}
    same = ", ".join(name for name, chart in charts.items() if chart is None)
    if not held:
        return
    note = f"Unchanged in every class: {same}. " if same else ""
    if any(charts.values()):
        note += "Recall, from the reference to each model; orange is lost, blue is gained. "
        if len(benchmark.data.labels) > LABELLED:
            note += f"The {LABELLED} most changed classes have names."
    drawn = panels(charts.values(), three=slopes_width(benchmark) < HALF)
    yield section("Class by class", drawn, note=note)


def _confusions(benchmark: Benchmark) -> Iterator[Markup]:
    changed = [one for one in benchmark.models if one.against and one.against.disagreements]
    if not any(one.against for one in benchmark.models):
        return
    if not changed:
        yield section("Confusion", note="No model calls any image otherwise than the reference.")
        return
    if len(benchmark.data.labels) > MOST_CLASSES:
        lists = [draw_table(tables.mistakes_table(benchmark, one)) for one in changed]
        note = "Mistakes that are made more or less often than by the reference."
        yield section("Confusion", tag("div", *lists, class_="pair"), note=note)
        return
    width = matrix_width(len(benchmark.data.labels))
    note = "Images of a class (row) that are called a class (column), less those of the reference. "
    note += "Orange is worse: more mistakes, fewer hits on the diagonal; blue is better."
    charts = [draw_heatmap(benchmark, one) for one in changed]
    if width > HALF:
        parts = [
            (one, "", tag("div", chart, class_="scroll"))
            for one, chart in zip(changed, charts, strict=True)
            if chart
        ]
        yield section("Confusion", _folded(benchmark, parts), note=note)
    else:
        yield section("Confusion", panels(charts, three=width < HALF), note=note)


def _disagreements(benchmark: Benchmark, thumbnails: Thumbnails) -> Iterator[Markup]:
    held = [one for one in benchmark.models if one.against and one.against.disagreements]
    if not held or not benchmark.reference:
        return
    reference = benchmark.reference.name
    galleries = [
        (one, _counted(one), draw_gallery(one, reference=reference, thumbnails=thumbnails))
        for one in held
    ]
    note = "Images that a model and the reference call otherwise, with both scores: lost ones "
    note += "first, then gained ones, then those that both have wrong."
    yield section("Where they differ", _folded(benchmark, galleries), note=note)


def _folded(benchmark: Benchmark, parts: list[tuple[Model, str, Markup]]) -> Markup:
    """Return what there is of each model with its summary, unfolded that of the one to ship."""
    shipped = benchmark.verdict.model if benchmark.verdict else None
    parts = sorted(parts, key=lambda part: part[0].name != shipped)
    return join(
        tag(
            "details",
            tag("summary", model.name, " ", tag("span", about)),
            content,
            open=None if index else "open",
        )
        for index, (model, about, content) in enumerate(parts)
    )


def _counted(model: Model) -> str:
    assert model.against
    differing = model.against.disagreements
    text = f"differs on {words.count(differing, 'image')}"
    return f"{text}, {SHOWN} of them here" if differing > SHOWN else text


def _sustained(benchmark: Benchmark) -> Iterator[Markup]:
    for series in benchmark.sustained:
        drawn = both_widths(partial(draw_sustained, series))
        if drawn:
            note = f"{series.name} on {words.count(series.threads, 'thread')}, one query after "
            note += "another without a pause; medians of a few queries."
            yield section("Continuous work", drawn, note=note)


def _figures(benchmark: Benchmark) -> Markup:
    shipped = benchmark.verdict.model if benchmark.verdict else None
    found = [
        tables.accuracy_table(benchmark),
        tables.against_table(benchmark),
        tables.latency_table(benchmark),
        tables.stages_table(benchmark),
        tables.recall_table(benchmark),
        tables.recall_drop_table(benchmark),
        circumstances.files_table(benchmark),
    ]
    return section(
        "All figures", *(draw_table(table, shipped=shipped) for table in found if table.rows)
    )


def _machine(benchmark: Benchmark) -> Markup:
    return section(
        "The machine",
        tag("p", f"Void: {benchmark.void}.", class_="alert") if benchmark.void else None,
        tag(
            "div",
            draw_table(circumstances.machine_table(benchmark)),
            draw_table(circumstances.states_table(benchmark)),
            class_="pair",
        ),
        draw_table(circumstances.method_table(benchmark)),
    )
