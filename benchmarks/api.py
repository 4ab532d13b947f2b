"""The benchmark from Python."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from os import PathLike
from typing import TYPE_CHECKING

from ..edge_runtime.errors import EdgeclfError
from ..models.command_line import command_values

if TYPE_CHECKING:
    from .results.schema import Benchmark

_Path = str | PathLike[str]


def benchmark_models(
    models: Sequence[_Path],
    *,
    data: _Path | None = None,
    queries: int | None = None,
    rounds: int | None = None,
    threads: Sequence[int] | None = None,
    seed: int | None = None,
) -> "Benchmark":
    """Measure models on the same images as `edgeclf benchmark` does: accuracy, latency, memory.

    Each model runs in processes of its own. A model that fails is an entry with an `error`.

    Args:
        models: .tflite files, and folders of runs for their float Keras models.
        data: folder of images, a subfolder per class; None for the test images of the first run.
        queries: least number of inferences to time per model, 10 or more.
        rounds: number of fresh processes per model, 2 to 10.
        threads: threads of an inference, each count timed in turn.
        seed: of the order of measurement.

    Raises:
        EdgeclfError: an option cannot serve, no model or no image can be read, or the models
            differ in classes or input.
    """
    if isinstance(models, str | bytes | PathLike) or not isinstance(models, Iterable):
        raise EdgeclfError(f"models {models!r:.80}: give a list of paths, also for one model")
    from .command import measure
    from .measure.benchmark import measure_benchmark
    from .results.conditions import Settings

    named = {
        "data": data, "queries": queries, "rounds": rounds, "threads": threads, "seed": seed
    }  # fmt: skip
    with command_values(measure, *models, options=named) as values:
        settings = Settings(**{field.name: values[field.name] for field in fields(Settings)})
        return measure_benchmark(values["models"], data=values["data"], settings=settings)
