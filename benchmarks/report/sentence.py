"""The verdict in words."""

from ...models.metrics.statistics import Estimate, Interval
from ..results.schema import Benchmark, Verdict
from . import words


def headline(benchmark: Benchmark) -> str:
    """Return the verdict in one sentence; of a void benchmark, why it is void."""
    if benchmark.void:
        return f"Void, the latencies do not count: {benchmark.void}."
    return verdict_sentence(benchmark)


def verdict_sentence(benchmark: Benchmark) -> str:
    """Return what to ship and why, or why nothing can be said."""
    verdict = benchmark.verdict
    if verdict is None:
        return f"No verdict: {_lacking(benchmark)}."
    if verdict.loses:
        return (
            f"Nothing passes: every model loses significantly against {verdict.reference}, "
            f"the least {verdict.model}, which {_change(verdict)} and is {_gain(verdict)}."
        )
    return (
        f"Ship {verdict.model}: {_reason(benchmark)}, it {_change(verdict)} "
        f"and is {_gain(verdict)}."
    )


def worst_class(verdict: Verdict) -> str | None:
    """Return a sentence on the class that loses most; None if none loses."""
    worst = verdict.worst_class
    if worst is None:
        return None
    known = "significant" if worst.is_significant else "within chance"
    return (
        f"Of all classes {worst.label} loses most: {words.points(worst)} points of recall on "
        f"{words.count(worst.images, 'image')}, {known} (p {words.p_value(worst.p_value)})."
    )


def _lacking(benchmark: Benchmark) -> str:
    if benchmark.reference is None:
        return "no float model ran that the others could be held against"
    return f"nothing but {benchmark.reference.name} ran"


def _reason(benchmark: Benchmark) -> str:
    held = [model for model in benchmark.models if model.against]
    if len(held) == 1:
        return "without a significant loss"
    return "as fast as any of those without a significant loss"


def _change(verdict: Verdict) -> str:
    points, interval = verdict.drop.points, verdict.drop.interval
    if points < 0:
        interval = Interval(-interval.high, -interval.low)
    change = Estimate(abs(points), interval)
    text = f"{words.value(change, at_most=2)} points of top-1 accuracy"
    return f"{'gains' if points < 0 else 'loses'} {text} {words.ends(interval, at_most=2)}"


def _gain(verdict: Verdict) -> str:
    faster = words.times_as_fast(verdict.ratio)
    return (
        f"{words.value(faster, at_most=2)} times as fast as {verdict.reference} "
        f"{words.ends(faster.interval, at_most=2)} at {100 * verdict.bytes_ratio:.0f} % of its size"
    )
