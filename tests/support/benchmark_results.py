"""A full benchmark result without a measurement: drawn scores and times, real figures from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.results.against import measure_against
from edgeclf.benchmarks.results.conditions import DataSet, Machine, Settings
from edgeclf.benchmarks.results.estimates import median, percentile_estimate, ratio_estimate
from edgeclf.benchmarks.results.schema import (
    SCHEMA,
    Benchmark,
    Delegate,
    Model,
    Moment,
    Stages,
    Sustained,
    Timing,
)
from edgeclf.benchmarks.results.verdict import decide
from edgeclf.edge_runtime.machine import MachineState
from edgeclf.models.metrics.accuracy import measure_metrics

LABELS = ("good", "oil", "scratch", "stain")
# Name, bytes, how far its logits are from the reference's, milliseconds on one thread.
MODELS = (
    ("keras", 29_000_000, 0.0, 62.0),
    ("float32", 27_900_000, 0.0005, 34.0),
    ("float16", 14_000_000, 0.01, 34.2),
    ("dynamic", 7_600_000, 0.2, 18.0),
    ("int8", 7_900_000, 0.35, 12.6),
    ("int8-qat", 7_900_000, 0.3, 12.1),
)


def make_benchmark(
    *,
    images: int = 300,
    labels: tuple[str, ...] = LABELS,
    threads: tuple[int, ...] = (1, 2),
    queries: int = 700,
    rounds: int = 5,
    seed: int = 0,
    folder: Path = Path("data"),
) -> Benchmark:
    """Return a plausible result of six models; image i of a class is <class>/<class>_000i.png."""
    rng = np.random.default_rng(seed)
    truth = np.sort(rng.integers(len(labels), size=images))
    paths = [folder / labels[c] / f"{labels[c]}_{i:04d}.png" for i, c in enumerate(truth)]
    logits = rng.normal(size=(images, len(labels))) + 3 * np.eye(len(labels))[truth]
    reference = softmax(logits)
    # A slow round is slow for all, as on a machine that someone else uses too.
    slow = rng.lognormal(0, 0.02, size=(len(threads), rounds))
    models: list[Model] = []
    for name, size, noise, ms in MODELS:
        scores = softmax(logits + noise * rng.normal(size=logits.shape))
        is_reference = not models
        times = [
            make_rounds(rng, ms / count**0.8 * slow[i], queries=queries)
            for i, count in enumerate(threads)
        ]
        references = models[0].timings if models else ()
        models.append(
            Model(
                name=name,
                recipe=name,
                path="run" if is_reference else f"models/{name}.tflite",
                sha256=f"{len(models):064x}",
                bytes=size,
                reference=is_reference,
                error=None,
                delegate=None if is_reference else Delegate(parts=1, xnnpack=True),
                metrics=measure_metrics(truth, scores, labels=labels),
                against=None
                if is_reference
                else measure_against(
                    truth, scores, reference=reference, labels=labels, paths=paths, folder=folder
                ),
                timings=tuple(
                    make_timing(
                        times[i],
                        threads=count,
                        reference=None if is_reference else references[i].rounds_ms,
                        is_keras=is_reference,
                        size=size,
                    )
                    for i, count in enumerate(threads)
                ),
            )
        )
    return Benchmark(
        schema=SCHEMA,
        created="2026-11-25T04:00:00+00:00",
        void=None,
        verdict=decide(models),
        settings=Settings(
            queries=queries,
            rounds=rounds,
            min_seconds=0.0,
            threads=threads,
            seed=seed,
            sustained_minutes=10.0,
        ),
        data=DataSet(
            folder=str(folder),
            digest="d" * 64,
            images=images,
            labels=labels,
            truth=tuple(int(c) for c in truth),
        ),
        machine=make_machine(),
        models=tuple(models),
        sustained=(make_sustained(rng, name="int8", threads=threads[0], ms=12.2),),
    )


def with_error(benchmark: Benchmark, name: str, error: str) -> Benchmark:
    """Return the benchmark as it were had that model died."""
    models = tuple(
        replace(model, error=error, delegate=None, metrics=None, against=None, timings=())
        if model.name == name
        else model
        for model in benchmark.models
    )
    return replace(benchmark, models=models, verdict=decide(models))


def make_rounds(
    rng: np.random.Generator, ms: NDArray[np.float64], *, queries: int
) -> tuple[tuple[float, ...], ...]:
    """Return times about `ms`, one of each round, with a tail."""
    each = queries // len(ms)
    return tuple(
        tuple(float(round(time, 4)) for time in level * (0.97 + rng.gamma(1.2, 0.03, size=each)))
        for level in ms
    )


def make_timing(
    rounds_ms: tuple[tuple[float, ...], ...],
    *,
    threads: int,
    reference: tuple[tuple[float, ...], ...] | None,
    is_keras: bool,
    size: int,
) -> Timing:
    times = np.concatenate(rounds_ms)
    return Timing(
        threads=threads,
        queries=len(times),
        p50_ms=median(times),
        p90_ms=percentile_estimate(times, percentile=0.9),
        p99_ms=percentile_estimate(times, percentile=0.99),
        mean_ms=float(times.mean()),
        throughput=float(1000 / times.mean()),
        ratio=None if reference is None else ratio_estimate(rounds_ms, reference=reference),
        stages=Stages(
            decode_ms=4.1, preprocess_ms=0.9, invoke_ms=median(times) - 0.02, postprocess_ms=0.02
        ),
        load_ms=2400.0 if is_keras else 25.0,
        first_ms=900.0 if is_keras else 1.3 * median(times),
        peak_memory_bytes=(620_000_000 if is_keras else 70_000_000) + size,
        steady_memory_bytes=(600_000_000 if is_keras else 60_000_000) + size,
        rounds_ms=rounds_ms,
    )


def make_machine() -> Machine:
    def state(temperature_c: float) -> MachineState:
        return MachineState(
            temperature_c=temperature_c,
            frequency_mhz=2400.0,
            governor="ondemand",
            load=0.4,
            available_memory_bytes=7_200_000_000,
            throttled=(),
        )

    return Machine(
        board="Raspberry Pi 5 Model B Rev 1.0",
        cpu="Cortex-A76",
        architecture="aarch64",
        cores=4,
        memory_bytes=8_450_000_000,
        system="Debian GNU/Linux 12 (bookworm)",
        versions={
            "python": "3.11.2",
            "edgeclf": "0.1.0",
            "ai-edge-litert": "2.3.0",
            "numpy": "2.4.6",
            "opencv-python-headless": "5.0.0.93",
        },
        background_load=0.03,
        before=state(48.3),
        after=state(61.2),
    )


def make_sustained(rng: np.random.Generator, *, name: str, threads: int, ms: float) -> Sustained:
    """Return ten minutes in which the processor warms up and then slows down."""
    seconds = np.arange(0.0, 600.0, 2.0)
    warm = 85 - 37 * np.exp(-seconds / 150)
    slow = np.where(warm > 80, 1 + (warm - 80) / 20, 1.0)
    return Sustained(
        name=name,
        threads=threads,
        moments=tuple(
            Moment(
                seconds=float(s),
                latency_ms=float(ms * f * rng.lognormal(0, 0.01)),
                temperature_c=float(round(t, 1)),
                frequency_mhz=float(round(2400 / f)),
            )
            for s, t, f in zip(seconds, warm, slow, strict=True)
        ),
    )


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return (shares / shares.sum(1, keepdims=True)).astype(np.float32)
