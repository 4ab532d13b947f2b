"""The results of a benchmark for the terminal."""

from collections.abc import Sequence

from ...edge_runtime.table import format_table
from ...models.metrics.statistics import Interval
from ..results.schema import Benchmark, Model, Timing

_NONE = "—"


def benchmark_table(benchmark: Benchmark) -> str:
    """Return the models in a table, with a second one where several numbers of threads were timed.

    Brackets hold intervals of 95 %.
    """
    alive = [model for model in benchmark.models if model.error is None]
    reference = benchmark.reference
    header = [
        "model", "top-1", "macro-F1", "drop (points)", "agreement",
        "p50 ms", "p90 ms", f"speed / {reference.name if reference else _NONE}",
        "file MB", "peak MB",
    ]  # fmt: skip
    tables = [format_table(header, [_row(model) for model in alive])]
    if len(benchmark.settings.threads) > 1:
        columns = ["model", "threads", "p50 ms", "p90 ms", "p99 ms", header[7]]
        rows = [_thread_row(model, timing) for model in alive for timing in model.timings]
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


def _row(model: Model) -> Sequence[str]:
    accuracy, against, timing = model.accuracy, model.against, model.timings[0]
    assert accuracy
    assert model.bytes
    drop = f"{against.drop.points:+.2f}" if against else _NONE
    return [
        model.name,
        f"{accuracy.top1.value:.3f} {_ends(accuracy.top1.interval, '.2f')}",
        f"{accuracy.macro_f1.value:.3f}",
        f"{drop} {_ends(against.drop.interval, '+.1f')}" if against else _NONE,
        f"{against.agreement.value:.3f}" if against else _NONE,
        f"{timing.p50_ms:.2f}",
        _ms(timing.p90_ms),
        _speed(timing),
        f"{model.bytes / 1e6:.2f}",
        f"{timing.peak_memory_bytes / 1e6:.0f}",
    ]


def _thread_row(model: Model, timing: Timing) -> Sequence[str]:
    return [
        model.name,
        str(timing.threads),
        f"{timing.p50_ms:.2f}",
        _ms(timing.p90_ms),
        _ms(timing.p99_ms),
        _speed(timing),
    ]


def _speed(timing: Timing) -> str:
    """Return how many times as fast as the reference."""
    if timing.ratio is None:
        return _NONE
    ends = Interval(1 / timing.ratio.interval.high, 1 / timing.ratio.interval.low)
    return f"{1 / timing.ratio.value:.2f} {_ends(ends, '.2f')}"


def _ms(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _ends(interval: Interval, digits: str) -> str:
    return f"[{interval.low:{digits}}, {interval.high:{digits}}]"
