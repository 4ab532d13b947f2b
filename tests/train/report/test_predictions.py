"""The file of predictions has each image once, as the run scores it."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from edgeclf.edge_runtime.text import csv_text
from edgeclf.models.photographs import Photographs
from edgeclf.models.run import read_run
from edgeclf.train.report.predictions import PREDICTIONS_NAME, write_predictions

Cli = Callable[..., Result]


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / PREDICTIONS_NAME).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_its_rows_are_the_figures_of_the_run(tiny_run: Path) -> None:
    run, rows = read_run(tiny_run), rows_of(tiny_run)
    assert [(row["path"], row["split"], row["label"]) for row in rows] == [
        (image.path, image.split, image.label)
        for split in ("val", "test")
        for image in run.split(split)
    ]
    for row in rows:
        scores = {label: float(row[f"score of {label}"]) for label in run.info.labels}
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
        assert row["predicted"] == max(scores, key=scores.__getitem__)
        assert float(row["score"]) == max(scores.values())
        assert row["correct"] == ("yes" if row["predicted"] == row["label"] else "no")
    test = [row["correct"] == "yes" for row in rows if row["split"] == "test"]
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert np.mean(test) == metrics["test"]["accuracy"]


def test_evaluate_writes_what_train_wrote(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / PREDICTIONS_NAME).unlink()
    before = (run / "config.json").read_text()
    wrong = cli("evaluate", run, "--good", "oli", code=1)
    assert "Error: the good class 'oli' is none of the classes: good, oil, scratch" in wrong.output
    assert (run / "config.json").read_text() == before
    assert not (run / PREDICTIONS_NAME).exists()
    output = cli("evaluate", run, "--good", "good").output
    assert (run / PREDICTIONS_NAME).read_bytes() == (tiny_run / PREDICTIONS_NAME).read_bytes()
    rows = [row for row in rows_of(run) if row["split"] == "test"]
    escaped = sum(row["label"] != "good" and row["predicted"] == "good" for row in rows)
    wasted = sum(row["label"] == "good" and row["predicted"] != "good" for row in rows)
    assert f": {escaped} of 15 defects called good; overkill " in output
    assert f": {wasted} of 5 good called a defect" in output
    page = (run / "report.html").read_text()
    assert f": {escaped} of 15 defects called good" in page
    assert f": {escaped} of 15 defects called good" in (run / "MODEL_CARD.md").read_text()


def test_names_that_a_spreadsheet_would_compute_come_back(tmp_path: Path) -> None:
    labels = ("=1+1", "@sum")
    scores = np.asarray([[0.25, 0.75]], np.float32)
    run: Any = SimpleNamespace(folder=tmp_path, info=SimpleNamespace(labels=labels))
    evaluation: Any = SimpleNamespace(
        truth=np.array([0]), scores=scores, val_truth=np.array([1]), val_scores=scores
    )
    image = Photographs((tmp_path / "=cmd.png",), ("",))
    write_predictions(run, evaluation, val=image, test=image, data=tmp_path)
    for row in csv.reader((tmp_path / PREDICTIONS_NAME).open(newline="")):
        assert not any(cell.startswith(("=", "@")) for cell in row)
    val, test = rows_of(tmp_path)
    assert csv_text(test["path"]) == "=cmd.png"
    assert [csv_text(test[name]) for name in ("label", "predicted")] == ["=1+1", "@sum"]
    assert (val["correct"], test["correct"]) == ("yes", "no")
    assert test["score of =1+1"] == "0.250000"
