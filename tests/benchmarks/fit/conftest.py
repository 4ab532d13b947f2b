"""Fits that were not measured, for what is made of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from fit_simulation import Simulation

from edgeclf.benchmarks.fit.results import Fit, Trial


@pytest.fixture
def simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    return Simulation(tmp_path, monkeypatch)


@pytest.fixture
def finished_fit(simulation: Simulation) -> Fit:
    """A fit of a candidate of every outcome, a hostile name among them."""
    for name, ms, loss in (
        ("large-224", 4.5, 0.1), ("middle-192", 3.0, 0.2), ("small-128", 1.0, 0.4),
        ("<b>&worse-128", 2.0, 0.9), ("huge-224", 9.0, 0.0),
    ):  # fmt: skip
        simulation.add(name, ms=ms, loss=loss)
    simulation.broken["huge-224"] = "cannot be had <script>"
    return simulation.run()


@pytest.fixture
def failed_gate(finished_fit: Fit) -> Fit:
    """The same, where the recommended file failed the gate, on a busy machine."""

    def spoil(trial: Trial) -> Trial:
        if trial.finished is None:
            return trial
        busy = replace(trial.finished.latency, background_load=1.5)
        return replace(
            trial, finished=replace(trial.finished, gate="failed", drop_points=3.0, latency=busy)
        )

    return replace(finished_fit, trials=tuple(map(spoil, finished_fit.trials)))
