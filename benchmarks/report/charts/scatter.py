"""Accuracy against latency."""

from math import exp, log

from ....models.metrics.statistics import Interval, student_interval
from ....models.report.markup import Markup
from ...results.estimates import median
from ...results.schema import Benchmark, Timing
from .. import words
from .colours import colour_classes
from .points import Point, draw_points


def draw_scatter(benchmark: Benchmark, *, threads: int, width: int) -> Markup | None:
    """Return top-1 against p50 on so many threads; None if nothing was timed with them."""
    points = _points(benchmark, threads)
    if not points:
        return None
    counted = words.count(threads, "thread")
    return draw_points(
        points,
        width=width,
        colours=colour_classes(benchmark),
        strong=benchmark.verdict.model if benchmark.verdict else None,
        x_name=f"median latency on {counted}, ms",
        y_name="top-1 accuracy",
        title=f"Top-1 accuracy against median latency on {counted}",
    )


def p50_interval(timing: Timing) -> Interval:
    """Return the interval of the median latency: Student's t over the logarithms of the rounds'."""
    medians = [log(median(times)) for times in timing.rounds_ms if times]
    if len(medians) < 2:
        return Interval(timing.p50_ms, timing.p50_ms)
    interval = student_interval(medians)
    # The median of all queries need not lie within that of the rounds.
    return Interval(min(exp(interval.low), timing.p50_ms), max(exp(interval.high), timing.p50_ms))


def _points(benchmark: Benchmark, threads: int) -> list[Point]:
    return [
        Point(
            model.name,
            timing.p50_ms,
            p50_interval(timing),
            model.metrics.accuracy.value,
            model.metrics.accuracy.interval,
        )
        for model in benchmark.models
        if model.metrics
        for timing in model.timings
        if timing.threads == threads
    ]
