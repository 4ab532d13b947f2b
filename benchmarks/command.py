"""`edgeclf benchmark`: models side by side."""

from pathlib import Path
from typing import Literal

import click

from ..edge_runtime.classifier import MOST_THREADS
from ..edge_runtime.command_line.accelerator import accelerator_option
from ..edge_runtime.command_line.option_types import SEED, FiniteRange, whole_number
from ..edge_runtime.command_line.warning import echo_warning
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.tflite.interpreter import RUNTIMES, Runtime, default_threads
from .compare_command import compare
from .heatmaps.command import heatmaps
from .measure.benchmark import measure_benchmark
from .novelty.command import novelty
from .report.terminal import benchmark_table, measured_line
from .report_command import check_reports, report, report_options, write_reports
from .results.conditions import Settings
from .results.schema import write_benchmark


class _MeasureByDefault(click.Group):
    """A group whose command `measure` needs no name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = ["measure", *args]
        return super().parse_args(ctx, args)


def _thread_counts(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, ...]:
    parts = (str(default_threads()) if value is None else value).split(",")
    counts = [count for part in parts if (count := whole_number(part, most=MOST_THREADS))]
    if len(counts) < len(parts):
        raise click.BadParameter(
            f"{value!r} is no list of whole numbers from 1 to {MOST_THREADS}, as 1,2,4",
            ctx=ctx,
            param=param,
        )
    return tuple(dict.fromkeys(counts))


@click.group(cls=_MeasureByDefault)
def benchmark() -> None:
    """Compare models on the same images: accuracy, latency, size, memory.

    `edgeclf benchmark MODEL...` measures, `edgeclf benchmark compare` tells two
    measurements apart.
    """


benchmark.add_command(compare)
benchmark.add_command(heatmaps)
benchmark.add_command(novelty)
benchmark.add_command(report)


@benchmark.command(context_settings={"show_default": True})
@click.argument(
    "models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of images, a subfolder per class. [default: the test images of RUN]",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    help="JSON file to write all figures to.",
)
@report_options
@click.option(
    "--queries",
    default=200,
    type=click.IntRange(min=10),
    help="Least number of inferences to time per model; a p90 needs 64, a p99 662.",
)
@click.option(
    "--min-seconds",
    default=0.0,
    type=FiniteRange(min=0),
    help="Least number of seconds to time per model.",
)
@click.option(
    "--rounds",
    default=5,
    type=click.IntRange(2, 10),
    help="Number of fresh processes per model, which share the inferences.",
)
@click.option(
    "--threads",
    metavar="N[,N…]",
    callback=_thread_counts,
    help="Threads of an inference, each count timed in turn. [default: cores, 4 at most]",
)
@click.option(
    "--runtime",
    default="interpreter",
    type=click.Choice([*RUNTIMES, "both"]),
    help="Runtime of .tflite files: LiteRT's interpreter, LiteRT's CompiledModel, or both.",
)
@accelerator_option
@click.option(
    "--sustained",
    "sustained_minutes",
    default=0.0,
    metavar="MINUTES",
    type=FiniteRange(min=0),
    help="Minutes to run the last .tflite without a pause after the measurement.",
)
@click.option("--seed", default=0, type=SEED, help="Seed of the order of measurement.")
@click.pass_context
def measure(
    ctx: click.Context,
    models: tuple[Path, ...],
    data: Path | None,
    json_file: Path | None,
    report_file: Path | None,
    markdown_file: Path | None,
    queries: int,
    min_seconds: float,
    rounds: int,
    threads: tuple[int, ...],
    runtime: Runtime | Literal["both"],
    accelerator: str,
    sustained_minutes: float,
    seed: int,
) -> None:
    """Compare MODELs on the same images: accuracy, latency, size, memory.

    A MODEL is a .tflite file, or the folder of a run for its float Keras model.
    Each runs in processes of its own. Brackets hold intervals of 95 %.

    \b
    edgeclf benchmark RUN models/*.tflite
    edgeclf benchmark models/*.tflite --data photographs/
    edgeclf benchmark int8.tflite --data photographs/ --runtime both
    edgeclf benchmark int8.tflite --data photographs/ --accelerator gpu
    edgeclf benchmark compare old.json new.json
    """
    check_reports(report_file, json_file, markdown_file)
    settings = Settings(
        queries=queries,
        rounds=rounds,
        min_seconds=min_seconds,
        threads=threads,
        seed=seed,
        sustained_minutes=sustained_minutes,
    )
    runtimes = RUNTIMES if runtime == "both" else (runtime,)
    if accelerator != "cpu" and "interpreter" not in runtimes:
        raise EdgeclfError(
            "--accelerator is measured beside LiteRT's interpreter; leave out --runtime compiled"
        )
    result = measure_benchmark(
        models, data=data, settings=settings, runtimes=runtimes, accelerator=accelerator
    )
    errors = [model.error for model in result.models if model.error]
    if len(errors) < len(result.models):
        click.echo(benchmark_table(result))
        click.echo(measured_line(result))
    if json_file:
        write_benchmark(json_file, result)
    write_reports(result, report_file=report_file, markdown_file=markdown_file)
    if result.machine.busy:
        echo_warning(
            f"other processes kept {result.machine.background_load:.1f} of "
            f"{result.machine.cores} cores busy; latencies and their ratios hold for that load "
            "alone"
        )
    if result.void:
        echo_warning(f"the latencies do not count: {result.void}")
    for error in errors:
        click.echo(f"Error: {error}", err=True)
    ctx.exit(1 if errors else 0)
