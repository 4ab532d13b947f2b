"""The figures in tables, which the page and the Markdown both show."""

from collections.abc import Sequence

from ...models.metrics.registry import AGREEMENT, METRICS, OPTIONAL_METRICS
from ...models.report.table import Table
from ..results.schema import Benchmark, Model, Timing
from . import words
from .mistakes import changed_pairs

_MOST_CLASSES = 100
_MOST_PAIRS = 20


def model_tables(benchmark: Benchmark) -> tuple[Table, ...]:
    """Return the tables that compare all models, in the order in which they are shown."""
    return (
        accuracy_table(benchmark),
        against_table(benchmark),
        latency_table(benchmark),
        stages_table(benchmark),
        recall_table(benchmark),
        recall_drop_table(benchmark),
    )


def accuracy_table(benchmark: Benchmark) -> Table:
    """Return how each model fared on the images."""
    good = benchmark.data.good
    measured = [model.metrics for model in benchmark.models if model.metrics]
    shown = [
        each
        for each in METRICS
        if each not in OPTIONAL_METRICS or any(one.estimate(each) for one in measured)
    ]
    judging = any(model.unknown for model in benchmark.models)
    rows = [
        [
            model.name,
            *(words.figure(model.metrics.estimate(each)) for each in shown),
            *([words.figure(model.unknown)] if judging else []),
        ]
        for model in benchmark.models
        if model.metrics
    ]
    header = ["model", *(each.heading for each in shown), *(["unknown"] if judging else [])]
    note = "Shares from 0 to 1, intervals of 95 %. The top-5 accuracy is left out up to 10 classes."
    if judging:
        note += " Unknown: images that a file calls so, each group weighing the same."
    if good:
        note += (
            f" Escape rate: defects that are called {good}; overkill: images of {good} that are "
            "called a defect."
        )
    return Table("Accuracy", header, rows, note)


def against_table(benchmark: Benchmark) -> Table:
    """Return how each model compares with the reference."""
    rows = [
        [
            model.name,
            words.points(model.against.drop),
            str(model.against.drop.lost),
            str(model.against.drop.gained),
            words.p_value(model.against.drop.p_value),
            words.figure(model.against.agreement),
            str(model.against.disagreements),
        ]
        for model in benchmark.models
        if model.against
    ]
    header = [
        "model",
        "lost, points",
        "lost",
        "gained",
        "p",
        AGREEMENT.heading,
        "differing",
    ]
    note = (
        "On the same images: points of top-1 accuracy with Newcombe’s paired interval, images that "
        "are lost, gained and called otherwise, p of "
        "McNemar’s exact test. Below 0 accuracy is gained."
    )
    return Table("Against the reference", header, rows, note)


def latency_table(benchmark: Benchmark) -> Table:
    """Return how fast each model is on each number of threads."""
    rows = [
        [
            model.name,
            str(timing.threads),
            str(timing.queries),
            words.milliseconds(timing.p50_ms),
            words.milliseconds(timing.p90_ms),
            words.milliseconds(timing.p99_ms),
            words.milliseconds(timing.mean_ms),
            words.number(timing.throughput, ".1f"),
            words.speed(timing.ratio),
        ]
        for model, timing in timings(benchmark)
    ]
    header = [
        "model", "threads", "queries", "p50, ms", "p90, ms", "p99, ms", "mean, ms", "per second",
        "times as fast",
    ]  # fmt: skip
    note = (
        "One query after another on real images, from preprocessed pixels to scores. p90 and p99 "
        "are early-stopping estimates and need 64 and 662 queries."
    )
    return Table("Latency", header, rows, note)


def stages_table(benchmark: Benchmark) -> Table:
    """Return the parts of a query, and what a process takes to load and hold a model."""
    rows = [
        [
            model.name,
            str(timing.threads),
            words.number(timing.stages.decode_ms, ".3f"),
            words.number(timing.stages.preprocess_ms, ".3f"),
            words.number(timing.stages.invoke_ms, ".3f"),
            words.number(timing.stages.postprocess_ms, ".3f"),
            words.number(timing.load_ms, ".1f"),
            words.milliseconds(timing.first_ms),
            _memory(timing.peak_memory_bytes),
            _memory(timing.steady_memory_bytes),
        ]
        for model, timing in timings(benchmark)
    ]
    header = [
        "model", "threads", "decode, ms", "preprocess, ms", "invoke, ms", "postprocess, ms",
        "load, ms", "first, ms", "peak, MB", "steady, MB",
    ]  # fmt: skip
    note = "Medians; memory is that of a process of its own, the largest of the rounds."
    return Table("Stages, load and memory", header, rows, note)


def recall_table(benchmark: Benchmark) -> Table:
    """Return the recall of each class with each model; with many classes of the most changed."""
    alive = [model for model in benchmark.models if model.metrics]
    chosen, note = _chosen_classes(alive)
    rows = [
        [first.label, str(first.images)]
        + [words.figure(model.metrics.classes[index].recall) for model in alive if model.metrics]
        for index in chosen
        if alive[0].metrics and (first := alive[0].metrics.classes[index])
    ]
    header = ["class", "images", *(model.name for model in alive)]
    return Table("Recall of each class", header, rows, note)


def recall_drop_table(benchmark: Benchmark) -> Table:
    """Return what each class loses with each model, of the same classes as `recall_table`."""
    held = [model for model in benchmark.models if model.against]
    chosen, note = _chosen_classes(held)
    rows: list[list[str]] = []
    for index in chosen:
        drops = [model.against.recall_drops[index] for model in held if model.against]
        drop_cells = [f"{words.points(drop)} p {words.p_value(drop.p_value)}" for drop in drops]
        rows.append([drops[0].label or "", *drop_cells])
    header = ["class", *(f"{model.name}, points" for model in held)]
    return Table("Recall lost", header, rows, note or "Below 0 recall is gained.")


def mistakes_table(benchmark: Benchmark, model: Model) -> Table:
    """Return the mistakes that a model makes more or less often than the reference."""
    pairs = changed_pairs(benchmark, model, at_most=_MOST_PAIRS)
    reference = benchmark.reference.name if benchmark.reference else words.NONE
    rows = [
        [pair.truth, pair.guess, str(pair.before), str(pair.after), words.number(pair.change, "+d")]
        for pair in pairs
    ]
    note = f"The {_MOST_PAIRS} most changed." if len(pairs) == _MOST_PAIRS else ""
    header = ["truth", "called", reference, model.name, "change"]
    return Table(f"Mistakes of {model.name}", header, rows, note)


def timings(benchmark: Benchmark) -> list[tuple[Model, Timing]]:
    """Return all timings, those on as many threads side by side."""
    return [
        (model, timing)
        for threads in benchmark.settings.threads
        for model in benchmark.models
        for timing in model.timings
        if timing.threads == threads
    ]


def _chosen_classes(models: Sequence[Model]) -> tuple[list[int], str]:
    """Return the places of the classes that a table shows, and a note on those left out."""
    classes = len(models[0].metrics.classes) if models and models[0].metrics else 0
    if classes <= _MOST_CLASSES:
        return list(range(classes)), ""
    changed = [0.0] * classes
    for model in models:
        for index, drop in enumerate(model.against.recall_drops if model.against else ()):
            changed[index] = max(changed[index], abs(drop.points))
    most = sorted(range(classes), key=lambda index: -changed[index])[:_MOST_CLASSES]
    return most, f"The {_MOST_CLASSES} most changed of {classes} classes."


def _memory(size: int) -> str:
    return f"{size / 1e6:.1f}"
