"""A benchmark read from its file, whose parts fit together as tables and charts rely on."""

from collections.abc import Iterator
from pathlib import Path

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import read_json
from ...models.metrics.accuracy import MetricsWithIntervals
from ...models.metrics.statistics import Estimate
from .conditions import DataSet
from .schema import Against, Benchmark, Model, Timing


def read_benchmark(path: Path) -> Benchmark:
    """Read what `write_benchmark` wrote.

    Raises:
        EdgeclfError: the file is missing, damaged or of another schema, or its parts do not fit
            together.
    """
    benchmark = Benchmark.from_json(read_json(path), name=str(path))
    check_consistency(benchmark, name=str(path))
    return benchmark


def check_consistency(benchmark: Benchmark, *, name: str) -> None:
    """Refuse a benchmark whose parts contradict each other.

    Args:
        benchmark: of the types that its schema asks for.
        name: of its file, for the error.

    Raises:
        EdgeclfError: names the first place that does not fit, and what was expected there.
    """
    for fits, place, expected in _conditions(benchmark):
        if not fits:
            raise EdgeclfError(f"{name}.{place}: expected {expected}; measure again")


_Condition = tuple[bool, str, str]

_LEAST = 1e-9  # of times and ratios, which are drawn on a scale of powers of ten


def _conditions(benchmark: Benchmark) -> Iterator[_Condition]:
    data, names = benchmark.data, [model.name for model in benchmark.models]
    yield bool(data.labels), "data.labels", "a class or more"
    yield len(set(data.labels)) == len(data.labels), "data.labels", "each class once"
    yield len(data.truth) == data.images > 0, "data.truth", "a class for each image, one or more"
    yield _are_classes(data.truth, data), "data.truth", f"numbers below {len(data.labels)}"
    yield len(set(names)) == len(names), "models", "each name once"
    for place, model in enumerate(benchmark.models):
        yield from _of_model(model, benchmark, f"models[{place}]")
    if benchmark.verdict is not None:
        yield _is_ratio(benchmark.verdict.ratio), "verdict.ratio", "a ratio in its interval"
    for place, series in enumerate(benchmark.sustained):
        where = f"sustained[{place}]"
        yield series.name in names, f"{where}.name", "the name of a model"
        yield bool(series.moments), f"{where}.moments", "a moment or more"
        yield all(one.latency_ms > _LEAST for one in series.moments), where, "times above 0"


def _of_model(model: Model, benchmark: Benchmark, where: str) -> Iterator[_Condition]:
    if model.error is not None:
        has_figures = model.metrics or model.against or model.timings
        yield not has_figures, where, "no figures of a model with an error"
        return
    yield (model.bytes or 0) > 0, f"{where}.bytes", "a size above 0"
    yield model.metrics is not None, f"{where}.metrics", "figures of a model without an error"
    if model.metrics is not None:
        yield from _of_metrics(model.metrics, benchmark.data, f"{where}.metrics")
    if model.against is not None:
        yield from _of_against(model.against, benchmark, f"{where}.against")
    counts = [timing.threads for timing in model.timings]
    yield bool(counts), f"{where}.timings", "a number of threads or more"
    yield len(set(counts)) == len(counts), f"{where}.timings", "each number of threads once"
    for place, timing in enumerate(model.timings):
        yield from _of_timing(timing, benchmark, f"{where}.timings[{place}]")


def _of_metrics(metrics: MetricsWithIntervals, data: DataSet, where: str) -> Iterator[_Condition]:
    classes, of = len(data.labels), "of the classes that have images, in their order"
    yield len(metrics.guesses) == data.images, f"{where}.guesses", "one for each image"
    yield _are_classes(metrics.guesses, data), f"{where}.guesses", f"numbers below {classes}"
    yield [one.label for one in metrics.classes] == _seen(data), f"{where}.classes", f"those {of}"
    confusion = metrics.confusion
    if confusion is not None:
        sides = {len(confusion), *map(len, confusion)}
        yield sides == {classes}, f"{where}.confusion", f"{classes} rows of {classes} numbers"


def _of_against(against: Against, benchmark: Benchmark, where: str) -> Iterator[_Condition]:
    labels = [drop.label for drop in against.recall_drops]
    expected = "those of the classes that have images, in their order"
    yield benchmark.reference is not None, where, "null without a reference"
    yield labels == _seen(benchmark.data), f"{where}.recall_drops", expected
    yield against.disagreements >= len(against.shown), f"{where}.shown", "some of all"


def _of_timing(timing: Timing, benchmark: Benchmark, where: str) -> Iterator[_Condition]:
    yield timing.threads in benchmark.settings.threads, f"{where}.threads", "one of the settings'"
    yield min(timing.p50_ms, timing.mean_ms, timing.throughput) > _LEAST, where, "times above 0"
    rounds = timing.rounds_ms
    is_timed = len(rounds) > 1 and all(times and min(times) > _LEAST for times in rounds)
    yield is_timed, f"{where}.rounds_ms", "times above 0 of two rounds or more"
    if timing.ratio is not None:
        yield _is_ratio(timing.ratio), f"{where}.ratio", "a ratio in its interval"
        others = benchmark.reference.timings if benchmark.reference is not None else ()
        alike = [len(other.rounds_ms) for other in others if other.threads == timing.threads]
        yield alike == [len(rounds)], f"{where}.rounds_ms", "as many rounds as of the reference"


def _is_ratio(ratio: Estimate) -> bool:
    return _LEAST < ratio.interval.low <= ratio.value <= ratio.interval.high


def _are_classes(numbers: tuple[int, ...], data: DataSet) -> bool:
    return all(0 <= number < len(data.labels) for number in numbers)


def _seen(data: DataSet) -> list[str]:
    """Return the labels of the classes that have images, in their order."""
    seen = {*data.truth}
    return [label for index, label in enumerate(data.labels) if index in seen]
