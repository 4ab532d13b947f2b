"""The first epochs of a training, and those that follow."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from edgeclf.benchmarks.fit import rung
from edgeclf.models.networks.weights import read_weights


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def test_rungs_are_the_training_in_one_go(
    tiny_run: Path, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(out: Path, epochs: int) -> float:
        words = (
            *("rung", epochs, tmp_path / "rung.json", surfaces, "--out", out),
            *("--arch", "densenet-tiny", "--input-size", 16, "--batch-size", 32),
            *("--weights", tiny_run / "model.keras", "--head-epochs", 2, "--epochs", 2),
        )
        monkeypatch.setattr("sys.argv", [str(word) for word in words])
        rung.main()
        return float(json.loads((tmp_path / "rung.json").read_text())["val_loss"])

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    tf.config.run_functions_eagerly(True)
    try:
        train(whole, 4)
        # The head; the same once more, as after a crash; an epoch of the whole network; the rest.
        for epochs in (2, 2, 3, 4):
            loss = train(parts, epochs)
            rows = history(parts)
            assert rows == history(whole)[:epochs]
            assert loss == min(float(row["val_loss"]) for row in rows)
            assert not (parts / "metrics.json").exists()  # no test image was looked at
    finally:
        tf.config.run_functions_eagerly(False)
    weights = read_weights(whole / "model.keras")
    for name, arrays in read_weights(parts / "model.keras").items():
        for one, other in zip(arrays, weights[name], strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_cannot_be_trained_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rung", "1", tmp_path / "a.json", tmp_path / "none", "--out", tmp_path / "run"]
    monkeypatch.setattr("sys.argv", [str(word) for word in words])
    with pytest.raises(SystemExit, match="1"):
        rung.main()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert "no such folder" in line
