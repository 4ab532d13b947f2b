"""What became better or worse from one benchmark to the next, beyond chance."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import exp
from typing import Any, Literal

import numpy as np

from ...edge_runtime.errors import EdgeclfError
from ...models.metrics.registry import ACCURACY, ESCAPE_RATE
from ...models.metrics.scoring import Hits
from ...models.metrics.statistics import (
    Interval,
    paired_counts,
    paired_interval,
    unpaired_interval,
    welch_interval,
)
from .estimates import log_ratios
from .schema import Benchmark, Model, Timing

# `cannot_tell`: too little was measured, or on machines that cannot be compared. `not_measured`:
# the model is not among those of the newer benchmark.
Judgement = Literal["better", "worse", "same", "cannot_tell", "not_measured"]


@dataclass(frozen=True)
class Change:
    """A figure in two benchmarks.

    Attributes:
        model: whose it is.
        figure: what it is.
        old: as the older has it; None where it has none.
        new: as the newer has it; None where it has none.
        change: from old to new, in `unit`; None without both.
        unit: of the change: `points` (percentage points) or `%` of the old.
        interval: of 95 % for the change; None for what is known exactly, or not repeated.
        judgement: better or worse where it is significant and more than what is tolerated; the same
            where the answers are, or where even the interval is within what is tolerated.
    """

    model: str
    figure: str
    old: float | None
    new: float | None
    change: float | None
    unit: str
    interval: Interval | None
    judgement: Judgement

    def to_json(self) -> dict[str, Any]:
        """Return the change as a JSON object; the interval is a list of its ends."""
        interval = [self.interval.low, self.interval.high] if self.interval else None
        return asdict(self) | {"interval": interval}


def find_changes(
    old: Benchmark, new: Benchmark, *, tolerance: float, points: float
) -> list[Change]:
    """Compare the models that both have by name, and name those that the newer lacks.

    Accuracy is paired where both saw the same images. Latency is that relative to each one's own
    reference, so that a faster machine changes nothing.

    Args:
        old: the older benchmark.
        new: the newer.
        tolerance: by how many per cent latency, size and memory may change.
        points: by how many percentage points an accuracy may.

    Raises:
        EdgeclfError: they have other classes.
    """
    if old.data.labels != new.data.labels:
        raise EdgeclfError(
            f"the benchmarks differ in classes: {', '.join(old.data.labels[:8])} and "
            f"{', '.join(new.data.labels[:8])}; compare those of one task"
        )
    after = {model.name: model for model in new.models}
    ratios = sum(timing.ratio is not None for model in old.models for timing in model.timings)
    changes: list[Change] = []
    for model in old.models:
        other = after.get(model.name)
        if model.error is not None:
            continue
        if other is None or other.error:
            runs: int | None = None if other is None else 0
            judgement: Judgement = "not_measured" if other is None else "worse"
            changes.append(Change(model.name, "runs", 1, runs, None, "", None, judgement))
        else:
            changes += _accuracies(old, new, model, other, points=points)
            changes += _latencies(old, new, model, other, tolerance=tolerance, tests=ratios)
            changes += _sizes(model, other, tolerance=tolerance)
    return changes


def is_same_data(old: Benchmark, new: Benchmark) -> bool:
    """Tell whether both saw the same images, of the same classes and in the same order."""
    return old.data.digest == new.data.digest and old.data.truth == new.data.truth


def _accuracies(
    old: Benchmark, new: Benchmark, before: Model, after: Model, *, points: float
) -> Iterator[Change]:
    hits = [_hits(old, before), _hits(new, after)]
    paired = is_same_data(old, new)
    yield _accuracy(before.name, ACCURACY.title, hits, paired=paired, points=points, tests=1)
    good = new.data.good
    if good is not None and good == old.data.good:
        escapes = [_escapes(old, before, good), _escapes(new, after, good)]
        if all(len(found) for found in escapes):
            yield _accuracy(
                before.name, ESCAPE_RATE.title, escapes, paired=paired, points=points, tests=1,
                more_is_worse=True,
            )  # fmt: skip
    for index, label in enumerate(old.data.labels):
        of_class = [
            found[np.asarray(benchmark.data.truth) == index]
            for found, benchmark in zip(hits, (old, new), strict=True)
        ]
        if all(len(found) for found in of_class):
            # With many classes one would change by chance: Bonferroni.
            yield _accuracy(
                before.name, f"recall of {label}", of_class, paired=paired, points=points,
                tests=len(old.data.labels),
            )  # fmt: skip


def _accuracy(
    model: str,
    figure: str,
    hits: list[Hits],
    *,
    paired: bool,
    points: float,
    tests: int,
    more_is_worse: bool = False,
) -> Change:
    before, after = hits
    confidence = 1 - 0.05 / tests
    if paired:
        shares = paired_interval(paired_counts(after, before), confidence=confidence)
    else:
        shares = unpaired_interval(
            int(after.sum()),
            images_1=len(after),
            hits_2=int(before.sum()),
            images_2=len(before),
            confidence=confidence,
        )
    interval = Interval(100 * shares.low, 100 * shares.high)
    change = 100 * float(after.mean() - before.mean())
    judgement = _judge(change, interval, allowed=points, more_is_worse=more_is_worse)
    if paired and np.array_equal(before, after):
        judgement = "same"
    return Change(
        model, figure, float(before.mean()), float(after.mean()), change, "points", interval,
        judgement,
    )  # fmt: skip


def _latencies(
    old: Benchmark, new: Benchmark, before: Model, after: Model, *, tolerance: float, tests: int
) -> Iterator[Change]:
    counts = [timing.threads for timing in before.timings]
    for threads in counts:
        one, other = _timing(before, threads), _timing(after, threads)
        if one is None or other is None:
            continue
        figure = "p50 ms" if len(counts) == 1 else f"p50 ms, {threads} threads"
        ratios = _ratios(old, one), _ratios(new, other)
        if ratios[0] is None or ratios[1] is None or _recipes(old) != _recipes(new):
            change = 100 * (other.p50_ms / one.p50_ms - 1)
            yield Change(
                before.name, figure, one.p50_ms, other.p50_ms, change, "%", None, "cannot_tell"
            )
            continue
        # All of them move with their one reference: Bonferroni, as among classes.
        logs = welch_interval(ratios[1], ratios[0], confidence=1 - 0.05 / tests)
        interval = Interval(100 * (exp(logs.low) - 1), 100 * (exp(logs.high) - 1))
        first, second = (exp(sum(each) / len(each)) for each in (ratios[0], ratios[1]))
        change = 100 * (second / first - 1)
        judgement = _judge(change, interval, allowed=tolerance, more_is_worse=True)
        if old.void or new.void:
            judgement = "cannot_tell"
        figure = figure.replace("ms", "/ reference")
        yield Change(before.name, figure, first, second, change, "%", interval, judgement)


def _sizes(before: Model, after: Model, *, tolerance: float) -> Iterator[Change]:
    sizes = {
        "file MB": (before.bytes, after.bytes),
        "peak MB": (before.timings[0].peak_memory_bytes, after.timings[0].peak_memory_bytes),
    }
    for figure, (one, other) in sizes.items():
        if one and other:
            change = 100 * (other / one - 1)
            judgement = _judge(change, None, allowed=tolerance, more_is_worse=True)
            yield Change(before.name, figure, one / 1e6, other / 1e6, change, "%", None, judgement)


def _judge(
    change: float, interval: Interval | None, *, allowed: float, more_is_worse: bool
) -> Judgement:
    ends = (change, change) if interval is None else (interval.low, interval.high)
    if max(map(abs, ends)) <= allowed:
        return "same"
    if ends[0] <= 0 <= ends[1] or abs(change) <= allowed:
        return "cannot_tell"
    return "worse" if (change > 0) == more_is_worse else "better"


def _escapes(benchmark: Benchmark, model: Model, good: str) -> Hits:
    """Return which of the defects are called good, bool of shape (defects,)."""
    assert model.metrics
    index = benchmark.data.labels.index(good)
    guesses, truth = np.asarray(model.metrics.guesses), np.asarray(benchmark.data.truth)
    return np.asarray(guesses[truth != index] == index)


def _hits(benchmark: Benchmark, model: Model) -> Hits:
    assert model.metrics
    pairs = zip(model.metrics.guesses, benchmark.data.truth, strict=True)
    return np.asarray([guess == truth for guess, truth in pairs], np.bool_)


def _timing(model: Model, threads: int) -> Timing | None:
    return next((timing for timing in model.timings if timing.threads == threads), None)


def _ratios(benchmark: Benchmark, timing: Timing) -> list[float] | None:
    """Return the logarithms of each round's ratio to the reference; None for that itself."""
    if benchmark.reference is None or timing.ratio is None:
        return None
    reference = _timing(benchmark.reference, timing.threads)
    if reference is None:
        return None
    return log_ratios(timing.rounds_ms, reference=reference.rounds_ms)


def _recipes(benchmark: Benchmark) -> str | None:
    return benchmark.reference.recipe if benchmark.reference else None
