"""The same as Markdown: the verdict and every table."""

from collections.abc import Iterator
from pathlib import Path

from ...edge_runtime.files import write_text
from ...models.report.markdown import escaped, markdown_table
from ...models.report.table import Table
from ..results.schema import Benchmark, Model
from . import circumstances, tables, words
from .gallery import kind_of
from .sentence import headline, verdict_sentence, worst_class


def write_markdown(path: Path, benchmark: Benchmark) -> None:
    """Write the report as Markdown to `path`, whole or not at all."""
    write_text(path, markdown(benchmark))


def markdown(benchmark: Benchmark) -> str:
    """Return the report as Markdown with GitHub's tables."""
    return "\n\n".join(_blocks(benchmark)) + "\n"


def _blocks(benchmark: Benchmark) -> Iterator[str]:
    yield "# Benchmark"
    yield f"**{escaped(headline(benchmark))}**"
    if benchmark.void:
        yield escaped(f"If they counted: {verdict_sentence(benchmark)}")
    worst = worst_class(benchmark.verdict) if benchmark.verdict else None
    if worst:
        yield escaped(worst)
    for warning in circumstances.warnings(benchmark):
        yield escaped(warning)
    held = [model for model in benchmark.models if model.against]
    for table in (
        *tables.model_tables(benchmark),
        *(tables.mistakes_table(benchmark, model) for model in held),
        *(_disagreements(benchmark, model) for model in held),
        *_sustained(benchmark),
        circumstances.files_table(benchmark),
        circumstances.machine_table(benchmark),
        circumstances.states_table(benchmark),
        circumstances.method_table(benchmark),
    ):
        if table.rows:
            yield from markdown_table(table)
    yield "Intervals are of 95 % and take the images as independent draws."


def _disagreements(benchmark: Benchmark, model: Model) -> Table:
    assert model.against
    assert benchmark.reference
    rows = [
        [
            image.path,
            kind_of(image),
            image.truth,
            f"{image.reference_guess} {words.number(image.reference_score)}",
            f"{image.guess} {words.number(image.score)}",
        ]
        for image in model.against.shown
    ]
    header = ["image", "", "truth", benchmark.reference.name, model.name]
    note = ""
    if len(rows) < model.against.disagreements:
        note = f"{len(rows)} of {model.against.disagreements}."
    return Table(f"Where {model.name} differs", header, rows, note)


def _sustained(benchmark: Benchmark) -> Iterator[Table]:
    header = ["minutes", "latency, ms", "temperature, °C", "frequency, MHz"]
    for series in benchmark.sustained:
        every = max(1, len(series.moments) // 20)
        rows = [
            [
                f"{moment.seconds / 60:.1f}",
                words.milliseconds(moment.latency_ms),
                words.number(moment.temperature_c, ".1f"),
                words.number(moment.frequency_mhz, ".0f"),
            ]
            for moment in series.moments[::every]
        ]
        title = f"Continuous work of {series.name} on {words.count(series.threads, 'thread')}"
        yield Table(title, header, rows)
