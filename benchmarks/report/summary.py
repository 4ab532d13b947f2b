"""The top of the page."""

from typing import Any

from ...models.report.templates import Tile
from ..results.schema import Benchmark
from . import words
from .circumstances import warnings
from .sentence import headline, verdict_sentence, worst_class


def summary(benchmark: Benchmark) -> dict[str, Any]:
    """Return the verdict, its figures, and what went wrong, as the template names them."""
    machine = benchmark.machine
    return {
        "measured": [
            "edgeclf benchmark",
            benchmark.created.replace("T", " ").replace("+00:00", " UTC"),
            machine.board or machine.cpu or machine.architecture,
            words.count(benchmark.data.images, "image"),
        ],
        "headline": headline(benchmark),
        "is_void": bool(benchmark.void),
        "void": benchmark.void,
        "verdict": verdict_sentence(benchmark),
        "worst_class": worst_class(benchmark.verdict) if benchmark.verdict else None,
        "warnings": warnings(benchmark),
        "tiles": _tiles(benchmark),
    }


def _tiles(benchmark: Benchmark) -> list[Tile]:
    verdict = benchmark.verdict
    model = next((one for one in benchmark.models if verdict and one.name == verdict.model), None)
    if verdict is None or model is None or not model.timings:
        return []
    faster = words.times_as_fast(verdict.ratio)
    timing = model.timings[0]
    drop, _, interval = words.points(verdict.drop).partition(" ")
    threads = words.count(timing.threads, "thread")
    return [
        (
            drop, "points", f"top-1 lost {interval}",
        ),
        (
            words.value(faster, at_most=2), "×",
            f"as fast as {verdict.reference} {words.ends(faster.interval, at_most=2)}",
        ),
        (words.milliseconds(timing.p50_ms), "ms", f"median, {threads}"),
        (words.megabytes(model.bytes), "MB", f"{100 * verdict.bytes_ratio:.0f} % of its size"),
    ]  # fmt: skip
