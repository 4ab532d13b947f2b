"""From what was measured to the figures."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.files import sha256_of
from ...models.metrics.accuracy import measure_metrics
from ...models.metrics.detection import group_numbers, grouped_share
from ...models.metrics.scoring import Labels
from ...models.photographs import Photographs
from ..results.against import measure_against
from ..results.conditions import DataSet
from ..results.estimates import median, percentile_estimate, ratio_estimate
from ..results.schema import Model, Stages, Timing
from .rounds import Measured, Trial

# Which is the float reference, in this order.
_REFERENCES = ("keras", "float32")


def describe_data(
    photographs: Photographs, *, folder: Path, labels: tuple[str, ...], good: str | None = None
) -> DataSet:
    """Return the data set of `photographs`, whose classes are all in `labels`, as `good` is."""
    digest = sha256()
    for path, label in zip(photographs.paths, photographs.labels, strict=True):
        digest.update(f"{label} {sha256_of(path)}\n".encode())
    return DataSet(
        folder=str(folder),
        digest=digest.hexdigest(),
        images=len(photographs.paths),
        labels=labels,
        truth=tuple(labels.index(label) for label in photographs.labels),
        good=good,
    )


def failed_model(path: Path, *, name: str, error: str) -> Model:
    """Return the entry of a model of which nothing is known but what went wrong."""
    return Model(
        name=name,
        recipe=None,
        path=str(path),
        sha256=None,
        bytes=None,
        reference=False,
        error=error,
        delegate=None,
        metrics=None,
        against=None,
        timings=(),
    )


def assemble_models(
    measured: Sequence[Measured],
    photographs: Photographs,
    *,
    names: Sequence[str],
    data: DataSet,
    groups: Sequence[str],
) -> list[Model]:
    """Return the figures of all models.

    The reference is the float Keras model, else the first float32 one, else, where both runtimes
    or an accelerator are measured, the first model, so that the second has something to be held
    against. `groups` names the group of each photograph; one without is empty.
    """
    truth = np.asarray(data.truth)
    reference = _reference(measured)
    return [
        _model(
            one,
            reference,
            truth,
            name=name,
            data=data,
            paths=photographs.paths,
            groups=group_numbers(groups),
        )
        for one, name in zip(measured, names, strict=True)
    ]


def _reference(measured: Sequence[Measured]) -> Measured | None:
    for recipe in _REFERENCES:
        for one in measured:
            if one.model_file.recipe == recipe and one.error is None:
                return one
    files = [one.model_file for one in measured if one.model_file.runtime is not None]
    runtimes = {(one.runtime, one.accelerator) for one in files}
    alive = [one for one in measured if one.error is None]
    return alive[0] if alive and len(runtimes) > 1 else None


def _model(
    one: Measured,
    reference: Measured | None,
    truth: Labels,
    *,
    name: str,
    data: DataSet,
    paths: Sequence[Path],
    groups: NDArray[np.intp],
) -> Model:
    model_file = one.model_file
    model = replace(
        failed_model(model_file.path, name=name, error=""),
        recipe=model_file.recipe,
        sha256=model_file.sha256,
        bytes=model_file.bytes,
        reference=one is reference,
        error=one.error,
        runtime=model_file.runtime,
        accelerator=None if model_file.accelerator is None else model_file.accelerator.name,
    )
    if one.error is not None or one.scores is None:
        return model
    other = None if one is reference else reference
    return replace(
        model,
        delegate=one.delegate,
        unknown=None if one.unknown is None else grouped_share(one.unknown, groups),
        metrics=measure_metrics(truth, one.scores, labels=data.labels, good=data.good),
        against=None
        if other is None or other.scores is None
        else measure_against(
            truth,
            one.scores,
            reference=other.scores,
            labels=data.labels,
            paths=paths,
            folder=Path(data.folder),
        ),
        timings=tuple(
            timing_of(trials, threads=threads, reference=other.trials[threads] if other else None)
            for threads, trials in one.trials.items()
        ),
    )


def timing_of(
    trials: Sequence[Trial], *, threads: int, reference: Sequence[Trial] | None
) -> Timing:
    """Return what the rounds of a model say together."""
    rounds = [trial.query_ms for trial in trials]
    times = np.concatenate(rounds)
    stages = [median(column) for column in np.concatenate([trial.stages for trial in trials]).T]
    return Timing(
        threads=threads,
        queries=len(times),
        p50_ms=median(times),
        p90_ms=percentile_estimate(times, percentile=0.9),
        p99_ms=percentile_estimate(times, percentile=0.99),
        mean_ms=float(times.mean()),
        throughput=float(1000 / times.mean()),
        ratio=None
        if reference is None
        else ratio_estimate(rounds, reference=[trial.query_ms for trial in reference]),
        stages=Stages(*stages),
        load_ms=median([trial.load_ms for trial in trials]),
        first_ms=median([trial.first_ms for trial in trials]),
        peak_memory_bytes=max(trial.peak_memory_bytes for trial in trials),
        steady_memory_bytes=max(trial.steady_memory_bytes for trial in trials),
        rounds_ms=tuple(tuple(float(time) for time in times) for times in rounds),
    )
