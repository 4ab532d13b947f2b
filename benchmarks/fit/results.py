"""What a fit has found so far, as frozen dataclasses and as JSON (docs/train/fit.md).

`fit.json` is both the answer and what an interrupted fit goes on from.
All shares are 0 to 1, all intervals are of 95 %.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import read_json, write_json
from ...models.metrics.records import from_json, to_json
from ...models.metrics.statistics import Estimate
from .candidates import Candidate

SCHEMA = 1
FIT_NAME = "fit.json"
_BUSY = 0.2  # cores, as in a benchmark

# What became of a candidate: it is finished, others were better in its last rung, it is too slow,
# a wider one is within the budget, the time did not suffice, it could not be trained, or its turn
# has not come.
Outcome = Literal["finished", "behind", "over budget", "not needed", "no time", "failed", "open"]


@dataclass(frozen=True)
class Latency:
    """How long an inference of a file takes where it was measured.

    Attributes:
        p50_ms: median, from the model's input to the best class, with the interval of the rounds.
        threads: of an inference.
        queries: how many were timed.
        background_load: cores that other processes kept busy; None where nobody says.
        seconds: what the measurement took.
    """

    p50_ms: Estimate
    threads: int
    queries: int
    background_load: float | None
    seconds: float


def busiest(latencies: Iterable[Latency]) -> float | None:
    """Return how many cores other processes kept busy at most; None if that hardly matters."""
    load = max((each.background_load or 0.0 for each in latencies), default=0.0)
    return load if load > _BUSY else None


@dataclass(frozen=True)
class Rung:
    """Where a training stood at the end of a rung.

    Attributes:
        epochs: of all phases, so far.
        val_loss: lowest validation loss so far.
        val_accuracy: of that epoch.
        seconds: what the rung took.
    """

    epochs: int
    val_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Finished:
    """A file of a training that went to its end.

    Attributes:
        file: the int8 file, relative to the folder of the fit.
        bytes: its size.
        latency: of this file.
        val_loss: mean negative log-likelihood of the validation images, in nats, of this file.
        accuracy: of this file on the test images, which no choice has used; Wilson's interval.
        images: number of test images.
        drop_points: accuracy lost against the float network on the test images, in points.
        gate: verdict of the conversion.
        seconds: what the last rung took: training, conversion and measurement.
        largest_class: accuracy on the test images of who always names the same class, the most
            frequent one; None in the file of an older version.
    """

    file: str
    bytes: int
    latency: Latency
    val_loss: float
    accuracy: Estimate
    images: int
    drop_points: float | None
    gate: str | None
    seconds: float
    largest_class: float | None = None


@dataclass(frozen=True)
class Trial:
    """A candidate, and what is known of it.

    Attributes:
        candidate: the network.
        outcome: what became of it.
        reason: why, in words; empty where the outcome says all.
        latency: of its untrained int8 file; None where that was not measured.
        rungs: one for each that it has been trained in, but the last.
        finished: its file; None if it was not trained to its end.
    """

    candidate: Candidate
    outcome: Outcome = "open"
    reason: str = ""
    latency: Latency | None = None
    rungs: tuple[Rung, ...] = ()
    finished: Finished | None = None

    @property
    def seconds(self) -> float:
        """What all of it took."""
        parts = [*self.rungs, *(one for one in (self.latency, self.finished) if one is not None)]
        return sum(part.seconds for part in parts)

    @property
    def known_latency(self) -> Latency | None:
        """That of its file, else of its untrained one; None if neither was measured."""
        return self.finished.latency if self.finished else self.latency

    @property
    def is_measured(self) -> bool:
        """Whether it was looked at itself, and not judged by another one."""
        return self.latency is not None or not self.reason.startswith("as ")


@dataclass(frozen=True)
class Search:
    """What decides the figures of a fit.

    Attributes:
        data: the data folder.
        groups: CSV file of groups; None without one.
        images: SHA-256 over the names and sizes of the images, and over the groups.
        on: where latency is measured: None for this machine, or the device's address.
        epochs: at most, of the whole network.
        seed: of every training.
    """

    data: str
    groups: str | None
    images: str
    on: str | None
    epochs: int
    seed: int


@dataclass(frozen=True)
class Fit:
    """A fit.

    Attributes:
        schema: version of this structure.
        search: what decides its figures.
        budget_ms: what an inference may take.
        is_over: whether the answer below is final.
        seconds: what was spent, over all calls.
        recommended: name of the candidate to ship; None if no finished file is within the budget.
        command: that trains it anew; None in the same case.
        trials: every candidate.
    """

    schema: int
    search: Search
    budget_ms: float
    is_over: bool
    seconds: float
    recommended: str | None
    command: str | None
    trials: tuple[Trial, ...]

    @property
    def finished(self) -> list[tuple[str, Finished]]:
        """The files, each with the name of its candidate."""
        found = [(trial.candidate.name, trial.finished) for trial in self.trials]
        return [(name, done) for name, done in found if done is not None]

    @property
    def place(self) -> str:
        """Where latency was measured, in words."""
        return "this machine" if self.search.on is None else self.search.on


def failures(trials: Iterable[Trial]) -> list[str]:
    """Return which candidates could not be measured or trained, and why, a line each."""
    return [
        f"{one.candidate.name} failed: {one.reason}"
        for one in trials
        if one.outcome == "failed" and one.is_measured
    ]


def recommended_trial(trials: tuple[Trial, ...], *, budget_ms: float) -> Trial | None:
    """Return the trial whose file has the lowest validation loss within the budget, if any has."""
    fitting = [
        (one.finished.val_loss, one.finished.latency.p50_ms.value, one.candidate.name, one)
        for one in trials
        if one.finished and one.finished.latency.p50_ms.value <= budget_ms
    ]
    return min(fitting)[-1] if fitting else None


def write_fit(out: Path, fit: Fit) -> None:
    """Write `fit.json` to the folder `out`, whole or not at all."""
    write_json(out / FIT_NAME, to_json(fit))


def read_known(out: Path, search: Search) -> dict[str, Trial]:
    """Return the trials that an earlier call of the same search has left in `out`, by name.

    Raises:
        EdgeclfError: `out` holds another search, or its file is damaged.
    """
    path = out / FIT_NAME
    if not path.exists():
        return {}
    value = read_json(path)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise EdgeclfError(
            f"{path}: expected a fit of schema {SCHEMA}, got {schema!r}; choose another --out"
        )
    fit = from_json(Fit, value, where=str(path), mend="remove it, or choose another --out")
    for name, ours in vars(search).items():
        theirs = getattr(fit.search, name)
        if theirs != ours:
            raise EdgeclfError(
                f"{path}: of a search with {name} {theirs}, now it is {ours}; repeat that command "
                "to go on, or choose another --out"
            )
    return {trial.candidate.name: trial for trial in fit.trials}
