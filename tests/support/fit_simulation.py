"""Fits whose figures are given, for what is made of them."""

from pathlib import Path

import pytest

from edgeclf.benchmarks.fit import search as search_module
from edgeclf.benchmarks.fit.candidates import Candidate
from edgeclf.benchmarks.fit.measuring import UnavailableError
from edgeclf.benchmarks.fit.results import Finished, Fit, Latency, Rung, Search, read_known
from edgeclf.benchmarks.fit.search import Limits, Searcher
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.metrics.statistics import Estimate, Interval, share_estimate

SEARCH = Search("photographs", None, "0" * 64, None, 16, 0)


def latency(ms: float, *, background_load: float = 0.0) -> Latency:
    return Latency(Estimate(ms, Interval(ms * 0.9, ms * 1.1)), 2, 60, background_load, 1.0)


def _candidate(name: str) -> Candidate:
    whole, _, keep = name.partition("-keep-")
    network, _, size = whole.rpartition("-")
    return Candidate(name, network, "imagenet", int(size), float(keep or 1))


class Simulation:
    """Candidates whose latency, losses and hits are known, and what was asked of them."""

    def __init__(self, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.out = out
        self.ms: dict[str, float] = {}
        self.file_ms: dict[str, float] = {}  # of the trained file, where that is another
        self.losses: dict[str, float] = {}
        self.broken: dict[str, str] = {}  # at any step, by reason
        self.unavailable: dict[str, str] = {}
        self.dies_after = 10_000
        self.seconds = 10.0
        self.background_load = 0.0
        self.asked: list[tuple[str, str, int]] = []
        monkeypatch.setattr(search_module, "measure_untrained", self._measure_untrained)
        monkeypatch.setattr(search_module, "train_rung", self._train_rung)
        monkeypatch.setattr(search_module, "finish", self._finish)
        monkeypatch.setattr(search_module, "warnings_of", lambda _: [])

    def add(self, name: str, *, ms: float, loss: float = 1.0) -> None:
        """Add a candidate of the architecture, size and share in its name."""
        self.ms[name], self.losses[name] = ms, loss

    def run(self, *, budget_ms: float = 5.0, seconds: float = 3600.0) -> Fit:
        """Search as a fresh process would."""
        self.asked = []
        searcher = Searcher(
            [_candidate(name) for name in self.ms],
            read_known(self.out, SEARCH),
            search=SEARCH,
            limits=Limits(budget_ms, seconds),
            out=self.out,
            labels=("good", "oil"),
            measure=lambda _: latency(1.0),
        )
        return searcher.run()

    def _ask(self, step: str, name: str, epochs: int = 0) -> None:
        if len(self.asked) == self.dies_after:
            raise KeyboardInterrupt
        self.asked.append((step, name, epochs))
        if name in self.broken:
            raise EdgeclfError(self.broken[name])

    def _measure_untrained(self, *_: object, **__: object) -> "Simulation":
        return self

    def __enter__(self) -> "Simulation":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, candidate: Candidate) -> Latency:
        if candidate.name in self.unavailable:
            raise UnavailableError(self.unavailable[candidate.name])
        self._ask("measure", candidate.name)
        return latency(self.ms[candidate.name], background_load=self.background_load)

    def _train_rung(
        self, candidate: Candidate, _search: Search, *, epochs: int, **_: object
    ) -> Rung:
        self._ask("train", candidate.name, epochs)
        return Rung(epochs, self.losses[candidate.name], 0.9, self.seconds)

    def _finish(self, candidate: Candidate, _search: Search, **_: object) -> Finished:
        self._ask("finish", candidate.name)
        name = candidate.name
        hits = round(90 - 10 * self.losses[name])
        return Finished(
            file=f"{name}/models/int8.tflite",
            bytes=1_000_000,
            latency=latency(self.file_ms.get(name, self.ms[name])),
            val_loss=self.losses[name],
            accuracy=share_estimate(hits, images=100),
            images=100,
            drop_points=0.0,
            gate="passed",
            seconds=self.seconds,
            largest_class=0.5,
        )
