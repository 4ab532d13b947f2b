"""What benchmark.html shows: the page is one file that holds all of it."""

from functools import partial
from pathlib import Path
from typing import Any

from ...edge_runtime.files import write_text
from ...models.report.drawing import HALF, both_widths
from ...models.report.matrix import MOST_CLASSES, matrix_width
from ...models.report.templates import render_page
from ...models.report.thumbnails import Thumbnails
from ..results.schema import Benchmark, Model
from . import circumstances, tables, words
from .charts.confusion_change import draw_heatmap
from .charts.distributions import draw_distributions
from .charts.forest import draw_drops, draw_speeds
from .charts.scatter import draw_scatter
from .charts.slopes import LABELLED, draw_slopes, slopes_width
from .charts.sustained import draw_sustained
from .gallery import make_gallery
from .sentence import headline
from .summary import summary

_TEMPLATE = Path(__file__).with_name("benchmark.html")


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
    shipped = benchmark.verdict.model if benchmark.verdict else None
    # The model to ship stands first, unfolded.
    differing = sorted(
        (one for one in benchmark.models if one.against and one.against.disagreements),
        key=lambda one: one.name != shipped,
    )
    reference = benchmark.reference.name if benchmark.reference else None
    return render_page(
        _TEMPLATE,
        title=f"Benchmark: {headline(benchmark)}",
        reference=reference,
        shipped=shipped,
        galleries=[
            make_gallery(one, reference=reference, thumbnails=thumbnails)
            for one in differing
            if reference
        ],
        **summary(benchmark),
        **_latency(benchmark),
        **_recalls(benchmark),
        **_confusions(benchmark, differing),
        **_figures(benchmark),
    )


def _latency(benchmark: Benchmark) -> dict[str, Any]:
    counts = benchmark.settings.threads
    scatter, scatters = None, []
    if len(counts) == 1:
        scatter = both_widths(partial(draw_scatter, benchmark, threads=counts[0]))
    else:
        scatters = [draw_scatter(benchmark, threads=count, width=HALF) for count in counts]
    sustained = [
        (
            f"{series.name} on {words.count(series.threads, 'thread')}",
            both_widths(partial(draw_sustained, series)),
        )
        for series in benchmark.sustained
    ]
    return {
        "scatter": scatter,
        "scatters": [chart for chart in scatters if chart],
        "changes": [chart for chart in (draw_drops(benchmark), draw_speeds(benchmark)) if chart],
        "distributions": both_widths(partial(draw_distributions, benchmark)),
        "sustained": [(series, chart) for series, chart in sustained if chart],
    }


def _recalls(benchmark: Benchmark) -> dict[str, Any]:
    compared = [one for one in benchmark.models if one.against]
    charts = {one.name: draw_slopes(benchmark, one) for one in compared}
    return {
        "compared": bool(compared),
        "unchanged": [name for name, chart in charts.items() if chart is None],
        "slopes": [chart for chart in charts.values() if chart],
        "slopes_are_narrow": slopes_width(benchmark) < HALF,
        "named_classes": LABELLED if len(benchmark.data.labels) > LABELLED else None,
    }


def _confusions(benchmark: Benchmark, differing: list[Model]) -> dict[str, Any]:
    classes = len(benchmark.data.labels)
    width = matrix_width(classes)
    in_order = [one for one in benchmark.models if one in differing]
    found: dict[str, Any] = {"heatmaps": [], "wide_heatmaps": [], "mistakes": []}
    if classes > MOST_CLASSES:
        found["mistakes"] = [tables.mistakes_table(benchmark, one) for one in in_order]
    elif width > HALF:
        found["wide_heatmaps"] = [(one.name, draw_heatmap(benchmark, one)) for one in differing]
    else:
        found["heatmaps"] = [draw_heatmap(benchmark, one) for one in in_order]
    return found | {"heatmaps_are_narrow": width < HALF}


def _figures(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "figures": [
            *tables.model_tables(benchmark),
            circumstances.files_table(benchmark),
        ],
        "machine": circumstances.machine_table(benchmark),
        "states": circumstances.states_table(benchmark),
        "method": circumstances.method_table(benchmark),
    }
