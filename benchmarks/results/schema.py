"""What a benchmark measured, as frozen dataclasses and as JSON (docs/convert/benchmark.md).

All shares are 0 to 1, all intervals are of 95 %, all times are milliseconds unless named otherwise.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import write_json
from ...models.metrics import records
from ...models.metrics.accuracy import MetricsWithIntervals
from ...models.metrics.scoring import Drop
from ...models.metrics.statistics import Estimate
from .conditions import DataSet, Machine, Settings
from .older_schemas import brought_up_to_date

SCHEMA = 3


@dataclass(frozen=True)
class Disagreement:
    """An image on which a model and the reference name different classes.

    Attributes:
        path: the file, relative to the folder of the data set unless it is elsewhere.
        truth: its class.
        reference_guess: what the reference calls it.
        reference_score: the reference's score for that.
        guess: what the model calls it.
        score: the model's score for that.
    """

    path: str
    truth: str
    reference_guess: str
    reference_score: float
    guess: str
    score: float


@dataclass(frozen=True)
class Against:
    """A model against the float reference on the same images.

    Attributes:
        drop: accuracy lost, in percentage points (below 0 it is gained), with Newcombe's paired
            interval and the p-value of McNemar's exact test.
        agreement: share of images on which both name the same class; Wilson's interval.
        recall_drops: the same as `drop` on the images of each class that has any.
        disagreements: number of images on which they differ.
        shown: at most 50 of these: lost ones first, then gained, then both wrong; in each the
            surest guesses first.
    """

    drop: Drop
    agreement: Estimate
    recall_drops: tuple[Drop, ...]
    disagreements: int
    shown: tuple[Disagreement, ...]


@dataclass(frozen=True)
class Stages:
    """Medians of the four parts of a query from file to answer, in milliseconds.

    Attributes:
        decode_ms: from the file's bytes to RGB pixels.
        preprocess_ms: from these to the model's input.
        invoke_ms: from the input to the raw output.
        postprocess_ms: from the raw output to scores and the best class.
    """

    decode_ms: float
    preprocess_ms: float
    invoke_ms: float
    postprocess_ms: float


@dataclass(frozen=True)
class Timing:
    """How fast a model is on a number of threads, and what memory it takes.

    A query is one preprocessed image to its scores: invoke and postprocess of `Stages`.

    Attributes:
        threads: of an inference.
        queries: how many were timed, over all rounds.
        p50_ms: half of them took at most this.
        p90_ms: early-stopping estimate of the 90th percentile; None below 64 queries.
        p99_ms: that of the 99th; None below 662 queries.
        mean_ms: of all queries.
        throughput: queries per second, one after another: 1000 / mean_ms.
        ratio: p50 over that of the reference, below 1 is faster; Student's t over the rounds. None
            for the reference and without one.
        stages: the parts of a query.
        load_ms: from the file to a model that is ready, without Python's imports; median of rounds.
        first_ms: the first inference after that; median of rounds.
        peak_memory_bytes: the most that a process of its own held; the largest of rounds.
        steady_memory_bytes: what it held after its last query; the largest of rounds.
        rounds_ms: every query's time, in order, a list per round (a fresh process).
    """

    threads: int
    queries: int
    p50_ms: float
    p90_ms: float | None
    p99_ms: float | None
    mean_ms: float
    throughput: float
    ratio: Estimate | None
    stages: Stages
    load_ms: float
    first_ms: float
    peak_memory_bytes: int
    steady_memory_bytes: int
    rounds_ms: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Delegate:
    """Who really computes a TFLite model.

    Attributes:
        parts: delegated parts of the graph; 0 means plain kernels, None a runtime that does not
            tell them.
        xnnpack: whether the runtime said that it made its XNNPACK delegate.
    """

    parts: int | None
    xnnpack: bool


@dataclass(frozen=True)
class Model:
    """What was measured of a model.

    Attributes:
        name: how tables call it.
        recipe: how it was quantized, `keras` for the float Keras model; None if it cannot be read.
        path: the .tflite file, or the folder of the run.
        sha256: of the file that holds the weights; None if it cannot be read.
        bytes: size of that file; None if it cannot be read.
        reference: whether the others are held against it.
        error: one line on what went wrong; then no figure below is there.
        delegate: who computes it; None for Keras.
        metrics: how it fared on the images.
        against: how it compares with the reference; None for that itself and without one.
        timings: an entry per number of threads, in the order that was asked for.
        runtime: `interpreter` or `compiled`; None for Keras, and in files older than the choice.
        unknown: share of the images that it calls unknown, each group weighing the same, with
            Wilson's interval of one draw a group; None if it judges no novelty.
        accelerator: name of what computes it instead of the CPU; None for the CPU.
    """

    name: str
    recipe: str | None
    path: str
    sha256: str | None
    bytes: int | None
    reference: bool
    error: str | None
    delegate: Delegate | None
    metrics: MetricsWithIntervals | None
    against: Against | None
    timings: tuple[Timing, ...]
    runtime: str | None = None
    unknown: Estimate | None = None
    accelerator: str | None = None


@dataclass(frozen=True)
class Moment:
    """A few queries of continuous work.

    Attributes:
        seconds: since its start.
        latency_ms: their median.
        temperature_c: of the processor, in degrees Celsius; None where nobody says.
        frequency_mhz: mean of the cores; None where nobody says.
    """

    seconds: float
    latency_ms: float
    temperature_c: float | None
    frequency_mhz: float | None


@dataclass(frozen=True)
class Sustained:
    """A model that worked without a pause.

    Attributes:
        name: of the model.
        threads: of an inference.
        moments: in order.
    """

    name: str
    threads: int
    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class Verdict:
    """What the benchmark says in a sentence: which model to ship, and at what price.

    It is the fastest of the models whose drop is not significant (McNemar p of 0.05 or more, or
    nothing lost), on the first number of threads; of those that are at most 2 % slower,
    the one that loses least. If all lose, it is the one that loses least of all.

    Attributes:
        model: its name.
        reference: name of the float reference.
        loses: whether its drop is significant.
        drop: its accuracy lost against the reference.
        worst_class: the class that loses most; None if no class loses.
        ratio: its p50 over that of the reference.
        bytes_ratio: its size over that of the reference.
    """

    model: str
    reference: str
    loses: bool
    drop: Drop
    worst_class: Drop | None
    ratio: Estimate
    bytes_ratio: float


@dataclass(frozen=True)
class Benchmark:
    """Everything that a benchmark measured.

    Attributes:
        schema: version of this structure.
        created: date and time in UTC, ISO 8601.
        void: why the figures do not count, as a machine that throttled; None if they do.
        verdict: what to ship; None without a reference or without another model that ran.
        settings: how it was measured.
        data: the images.
        machine: where it was measured.
        models: in the order given.
        sustained: latency over time, of each model that was asked for; empty without --sustained.
    """

    schema: int
    created: str
    void: str | None
    verdict: Verdict | None
    settings: Settings
    data: DataSet
    machine: Machine
    models: tuple[Model, ...]
    sustained: tuple[Sustained, ...]

    @property
    def reference(self) -> Model | None:
        """The float model that the others are held against, if there is one."""
        return next((model for model in self.models if model.reference), None)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        value: dict[str, Any] = records.to_json(self)
        return value

    @staticmethod
    def from_json(value: Any, *, name: str) -> "Benchmark":
        """Return the benchmark that `to_json` made `value` from, of this schema or the one before;
        `name` stands in the errors."""
        value = brought_up_to_date(value)
        schema = value.get("schema") if isinstance(value, dict) else None
        if schema != SCHEMA:
            raise EdgeclfError(
                f"{name}: expected a benchmark of schema 2 or {SCHEMA}, got {schema!r}; measure "
                "again with `edgeclf benchmark … --json FILE`"
            )
        return records.from_json(Benchmark, value, where=name)


def write_benchmark(path: Path, benchmark: Benchmark) -> None:
    """Write the benchmark to `path`, whole or not at all."""
    write_json(path, benchmark.to_json())
