"""The measurement: rounds of fresh processes, in them short blocks of queries in shuffled order."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.command_line.warning import echo_warning
from ...models.photographs import Photographs
from ..results.conditions import Settings
from ..results.schema import Delegate
from .model_files import ModelFile
from .processes import Worker, WorkerError

_WARM_UP = 5
_BLOCK = 10
_BATCH = 32

Answer = TypeVar("Answer")
Workers = list[tuple["Measured", Worker]]


@dataclass(frozen=True)
class Trial:
    """A model in one process.

    Attributes:
        load_ms: from the file to a model that is ready.
        first_ms: its first inference.
        stages: decode, preprocess, invoke and postprocess of each query in milliseconds, float64
            of shape (queries, 4).
        peak_memory_bytes: the most that the process held.
        steady_memory_bytes: what it held after its last query.
    """

    load_ms: float
    first_ms: float
    stages: NDArray[np.float64]
    peak_memory_bytes: int
    steady_memory_bytes: int

    @property
    def query_ms(self) -> NDArray[np.float64]:
        """How long each query took, from the model's input to the best class: (queries,), to the
        tenth of a microsecond."""
        return np.asarray(np.round(self.stages[:, 2:].sum(1), 4))


@dataclass
class Measured:
    """What is known of a model so far.

    Attributes:
        model_file: the model.
        error: why it was given up; None if it was not.
        delegate: who computes it; None for Keras.
        scores: of all images, float32 of shape (images, classes).
        unknown: which images it calls unknown, of shape (images,); None if it judges no novelty.
        trials: by number of threads, one of each round.
    """

    model_file: ModelFile
    error: str | None = None
    delegate: Delegate | None = None
    scores: NDArray[np.float32] | None = None
    unknown: NDArray[np.bool_] | None = None
    trials: dict[int, list[Trial]] = field(default_factory=dict)

    def attempt(self, ask: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer | None:
        """Return the worker's answer; None, and the model is given up, if it has none."""
        if self.error is None:
            try:
                return ask(*arguments, **options)
            except WorkerError as error:
                self.error = str(error)
                echo_warning(f"given up: {error}")
        return None


def measure_models(
    model_files: Sequence[ModelFile],
    photographs: Photographs,
    inputs: NDArray[np.uint8],
    *,
    settings: Settings,
    watch: Callable[[], object],
) -> list[Measured]:
    """Time the models on `photographs` and score them on `inputs`.

    All models of a round are loaded, but only one computes at any time. A model whose process ends
    is given up; the others go on.

    Args:
        model_files: the models.
        photographs: files that can be read.
        inputs: the same as RGB uint8 (images, height, width, 3).
        settings: how.
        watch: called after each round.
    """
    rng = np.random.default_rng(settings.seed)
    models = [Measured(model_file) for model_file in model_files]
    for threads in settings.threads:
        for number in range(settings.rounds):
            with ExitStack() as stack:
                workers = _start(models, stack, threads=threads)
                _measure_round(
                    workers, photographs.paths, settings=settings, number=number, threads=threads,
                    rng=rng,
                )  # fmt: skip
                for model, worker in workers:
                    if model.scores is None:
                        _score(model, worker, inputs)
            watch()
    return models


def _start(models: Sequence[Measured], stack: ExitStack, *, threads: int) -> Workers:
    """Start a worker per model; all import their libraries at once, which is not measured."""
    workers = [
        (model, stack.enter_context(_worker(model.model_file, threads=threads)))
        for model in models
        if model.error is None
    ]
    for model, worker in workers:
        model.attempt(worker.wait_until_ready)
    return workers


def _worker(one: ModelFile, *, threads: int) -> Worker:
    return Worker(one.path, threads=threads, runtime=one.runtime, accelerator=one.accelerator)


def _measure_round(
    workers: Workers,
    paths: Sequence[Path],
    *,
    settings: Settings,
    number: int,
    threads: int,
    rng: np.random.Generator,
) -> None:
    images = cycle([paths[i] for i in rng.permutation(len(paths))])
    opened: dict[int, dict[str, Any]] = {}
    for index in rng.permutation(len(workers)):
        model, worker = workers[index]
        if answer := model.attempt(worker.open, paths[0]):
            opened[index] = answer
            model.delegate = Delegate(**answer["delegate"]) if answer["delegate"] else None
            model.attempt(worker.query, list(islice(cycle(paths), _WARM_UP)))
    stages: dict[int, list[NDArray[np.float64]]] = {index: [] for index in opened}
    queries = _share(settings.queries, number, settings.rounds)
    label = f"Round {number + 1} of {settings.rounds}, {threads} threads"
    with click.progressbar(length=queries, label=label) as bar:
        done = 0
        while done < queries or _shortest(workers, stages) < settings.min_seconds / settings.rounds:
            block = list(islice(images, min(_BLOCK, queries - done) if done < queries else _BLOCK))
            for index in rng.permutation(list(stages)):
                model, worker = workers[index]
                # The first after another model's turn finds cold caches: it warms up.
                measured = model.attempt(worker.query, [block[0], *block])
                if measured is not None:
                    stages[index].append(measured[1:])
            done += len(block)
            bar.update(len(block))
    for index, blocks in stages.items():
        model, worker = workers[index]
        memory = model.attempt(worker.memory)
        if memory is not None:
            model.trials.setdefault(threads, []).append(
                Trial(
                    load_ms=opened[index]["load_ms"],
                    first_ms=opened[index]["first_ms"],
                    stages=np.concatenate(blocks),
                    peak_memory_bytes=memory["peak_memory_bytes"],
                    steady_memory_bytes=memory["steady_memory_bytes"],
                )
            )


def _score(model: Measured, worker: Worker, inputs: NDArray[np.uint8]) -> None:
    classes = len(model.model_file.labels)
    parts: list[NDArray[np.float32]] = []
    unknown: list[NDArray[np.bool_]] = []
    label = f"Scoring {model.model_file.path}"
    with click.progressbar(length=len(inputs), label=label) as bar:
        for start in range(0, len(inputs), _BATCH):
            batch = inputs[start : start + _BATCH]
            answer = model.attempt(worker.score, batch, classes=classes)
            if answer is None:
                return
            parts.append(answer[0])
            if answer[1] is not None:
                unknown.append(answer[1])
            bar.update(len(batch))
    model.scores = np.concatenate(parts)
    model.unknown = np.concatenate(unknown) if unknown else None


def _share(queries: int, number: int, rounds: int) -> int:
    """Return how many of the queries fall to a round."""
    return queries // rounds + (number < queries % rounds)


def _shortest(workers: Workers, stages: dict[int, list[NDArray[np.float64]]]) -> float:
    """Return for how many seconds the model that has worked least has worked."""
    alive = [blocks for index, blocks in stages.items() if workers[index][0].error is None]
    seconds = [sum(float(block[:, 2:].sum()) for block in blocks) / 1000 for blocks in alive]
    return min(seconds, default=float("inf"))
