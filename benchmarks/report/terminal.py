"""The results of a benchmark for the terminal."""

from collections.abc import Sequence

from ...edge_runtime.command_line.table import format_table
from ...models.metrics.registry import (
    ACCURACY,
    AGREEMENT,
    BRIEF_METRICS,
    OPTIONAL_METRICS,
    Metric,
)
from ...models.metrics.statistics import Estimate
from ...models.report.figures import NONE, figure, value
from ..results.schema import Benchmark, Model, Timing
from . import words


def benchmark_table(benchmark: Benchmark) -> str:
    """Return the models in a table, with a second one where several numbers of threads were timed.

    Brackets hold intervals of 95 %. Columns in which no model has a figure are left out.
    """
    alive = [model for model in benchmark.models if model.error is None]
    reference = benchmark.reference
    optional = (
        metric
        for metric in OPTIONAL_METRICS
        if any(model.metrics and model.metrics.estimate(metric) for model in alive)
    )
    shown = (*BRIEF_METRICS, *optional)
    header = [
        "model", *(metric.heading for metric in shown), "drop (points)", AGREEMENT.heading,
        "p50 ms", "p90 ms", f"speed / {reference.name if reference else NONE}",
        "file MB", "peak MB",
    ]  # fmt: skip
    tables = [_table(header, [_row(model, shown) for model in alive])]
    if len(benchmark.settings.threads) > 1:
        columns = ["model", "threads", "p50 ms", "p90 ms", "p99 ms", header[-3]]
        rows = [_thread_row(model, timing) for model in alive for timing in model.timings]
        tables.append(_table(columns, rows))
    return "\n\n".join(tables)


def measured_line(benchmark: Benchmark) -> str:
    """Return on what the figures stand: images, queries and threads."""
    settings, timings = benchmark.settings, [model.timings for model in benchmark.models]
    queries = min((timing.queries for each in timings for timing in each), default=0)
    threads = ", ".join(map(str, settings.threads))
    return (
        f"{benchmark.data.images} images, {queries} queries each in {settings.rounds} rounds, "
        f"{threads} threads"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    filled = [
        place for place in range(len(header)) if any(row[place] != NONE for row in rows) or not rows
    ]
    chosen = [[line[place] for place in filled] for line in (header, *rows)]
    return format_table(chosen[0], chosen[1:])


def _row(model: Model, shown: Sequence[Metric]) -> Sequence[str]:
    metrics, against, timing = model.metrics, model.against, model.timings[0]
    assert metrics
    assert model.bytes
    return [
        model.name,
        *(_metric(metric, metrics.estimate(metric)) for metric in shown),
        words.points(against.drop) if against else NONE,
        _metric(AGREEMENT, against.agreement) if against else NONE,
        f"{timing.p50_ms:.2f}",
        _ms(timing.p90_ms),
        words.speed(timing.ratio),
        f"{model.bytes / 1e6:.2f}",
        f"{timing.peak_memory_bytes / 1e6:.0f}",
    ]


def _metric(metric: Metric, estimate: Estimate | None) -> str:
    """Return a figure; there is room for the intervals of a few."""
    if metric in (ACCURACY, *OPTIONAL_METRICS):
        return figure(estimate)
    return value(estimate)


def _thread_row(model: Model, timing: Timing) -> Sequence[str]:
    return [
        model.name,
        str(timing.threads),
        f"{timing.p50_ms:.2f}",
        _ms(timing.p90_ms),
        _ms(timing.p99_ms),
        words.speed(timing.ratio),
    ]


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
