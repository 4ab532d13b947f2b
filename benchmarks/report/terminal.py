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

    Brackets hold intervals of 95 %.
    """
    alive = [model for model in benchmark.models if model.error is None]
    reference = benchmark.reference
    is_compared = reference is not None
    optional = (
        metric
        for metric in OPTIONAL_METRICS
        if any(model.metrics and model.metrics.estimate(metric) for model in alive)
    )
    shown = (*BRIEF_METRICS, *optional)
    against = ["drop (points)", AGREEMENT.heading] if reference else []
    speed = [f"speed / {reference.name}"] if reference else []
    header = [
        "model", *(metric.heading for metric in shown), *against,
        "p50 ms", "p90 ms", *speed, "file MB", "peak MB",
    ]  # fmt: skip
    main = [_row(model, shown, is_compared=is_compared) for model in alive]
    tables = [format_table(header, main)]
    if len(benchmark.settings.threads) > 1:
        columns = ["model", "threads", "p50 ms", "p90 ms", "p99 ms", *speed]
        rows = [
            _thread_row(model, timing, is_compared=is_compared)
            for model in alive
            for timing in model.timings
        ]
        tables.append(format_table(columns, rows))
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


def _row(model: Model, shown: Sequence[Metric], *, is_compared: bool) -> Sequence[str]:
    metrics, against, timing = model.metrics, model.against, model.timings[0]
    assert metrics
    assert model.bytes
    compared = [
        words.points(against.drop) if against else NONE,
        _metric(AGREEMENT, against.agreement) if against else NONE,
    ]
    return [
        model.name,
        *(_metric(metric, metrics.estimate(metric)) for metric in shown),
        *(compared if is_compared else []),
        f"{timing.p50_ms:.2f}",
        _ms(timing.p90_ms),
        *([words.speed(timing.ratio)] if is_compared else []),
        f"{model.bytes / 1e6:.2f}",
        f"{timing.peak_memory_bytes / 1e6:.0f}",
    ]


def _metric(metric: Metric, estimate: Estimate | None) -> str:
    """Return a figure; there is room for the intervals of a few."""
    if metric in (ACCURACY, *OPTIONAL_METRICS):
        return figure(estimate)
    return value(estimate)


def _thread_row(model: Model, timing: Timing, *, is_compared: bool) -> Sequence[str]:
    return [
        model.name,
        str(timing.threads),
        f"{timing.p50_ms:.2f}",
        _ms(timing.p90_ms),
        _ms(timing.p99_ms),
        *([words.speed(timing.ratio)] if is_compared else []),
    ]


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
