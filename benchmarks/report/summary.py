"""The top of the page."""

from collections.abc import Iterator

from ...models.report.document import muted, tiles
from ...models.report.markup import Markup, tag
from ..results.schema import Benchmark
from . import words
from .circumstances import warnings
from .sentence import headline, verdict_sentence, worst_class


def draw_summary(benchmark: Benchmark) -> Markup:
    """Return the verdict, its figures, and what went wrong."""
    machine = benchmark.machine
    measured = [
        "edgeclf benchmark",
        benchmark.created.replace("T", " ").replace("+00:00", " UTC"),
        machine.board or machine.cpu or machine.architecture,
        words.count(benchmark.data.images, "image"),
    ]
    parts = [
        tag("p", " · ".join(measured), class_="meta"),
        tag("h1", muted(headline(benchmark)), class_="alert" if benchmark.void else None),
    ]
    if benchmark.void:
        parts.append(tag("p", f"If they counted: {verdict_sentence(benchmark)}"))
    worst = worst_class(benchmark.verdict) if benchmark.verdict else None
    if worst:
        parts.append(tag("p", worst))
    parts += [tag("p", warning, class_="alert") for warning in warnings(benchmark)]
    return tag("header", *parts, *_tiles(benchmark))


def _tiles(benchmark: Benchmark) -> Iterator[Markup]:
    verdict = benchmark.verdict
    model = next((one for one in benchmark.models if verdict and one.name == verdict.model), None)
    if verdict is None or model is None or not model.timings:
        return
    faster = words.times_as_fast(verdict.ratio)
    timing = model.timings[0]
    threads = words.count(timing.threads, "thread")
    items = [
        (
            words.number(verdict.drop.points, "+.2f"), "points",
            f"top-1 lost {words.ends(verdict.drop.interval, '+.2f')}",
        ),
        (
            words.number(faster.value), "×",
            f"as fast as {verdict.reference} {words.ends(faster.interval, '.2f')}",
        ),
        (words.milliseconds(timing.p50_ms), "ms", f"median, {threads}"),
        (words.megabytes(model.bytes), "MB", f"{100 * verdict.bytes_ratio:.0f} % of its size"),
    ]  # fmt: skip
    yield tiles(items)
