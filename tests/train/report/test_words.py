"""A report says what its figures cannot tell."""

from typing import Any

import numpy as np
import pytest

from edgeclf.models.metrics.accuracy import measure_metrics
from edgeclf.train.evaluation.temperature import Temperature
from edgeclf.train.report.words import cautions


def evaluation_of(truth: list[int], guess: list[int]) -> Any:
    """An evaluation, as far as its cautions need it."""
    scores = np.eye(3, dtype=np.float32)[guess]
    metrics = measure_metrics(np.asarray(truth), scores, labels=("good", "oil", "stain"))

    class Found:
        temperature = Temperature(value=1.0, images=100, at_bound=False)
        recall = None

    found: Any = Found()
    found.truth, found.metrics = np.asarray(truth), metrics
    return found


@pytest.mark.parametrize(
    ("truth", "guess", "is_chance"),
    [
        ([0] * 40 + [1] * 40, [0] * 45 + [1] * 35, False),
        ([0] * 40 + [1] * 40, [0] * 80, True),  # one class for all
        ([0] * 70 + [1] * 10, [0] * 73 + [1] * 7, False),
        ([0] * 70 + [1] * 10, [0] * 75 + [1] * 5, True),  # 0.94, and 0.88 by the frequent class
        ([0] * 3 + [1] * 3, [0] * 3 + [1] * 2 + [0], True),  # 5 of 6
        ([0] * 40, [0] * 30 + [1] * 10, False),  # of one class nothing can be by chance
    ],
)
def test_an_accuracy_within_chance_is_called_so(
    truth: list[int], guess: list[int], is_chance: bool
) -> None:
    found = cautions(evaluation_of(truth, guess), [])
    assert len(found) == is_chance
    if is_chance:
        most = truth.count(0)
        assert f"every image good is right on {most} of {len(truth)}, " in found[0]


def history(*losses: float, phase: str = "fine-tune") -> list[dict[str, str]]:
    return [{"phase": phase, "val_loss": str(loss)} for loss in losses]


@pytest.mark.parametrize(
    ("rows", "is_unfinished"),
    [
        (history(1.0, 0.9, 0.8, 0.7), True),
        (history(1.0, 0.7, 0.7, 0.69), False),  # 1 %
        (history(1.0, 0.7, 0.7, 0.9), False),
        (history(1.0, 0.9, 0.8, 0.7, 0.6, 0.7, 0.5, 0.7), True),  # two epochs are a quarter
        (history(1.0, 0.5, 0.8, 0.7, 0.6, 0.7, 0.6, 0.7), False),
        (history(1.0, 0.9, 0.8), False),  # too few to tell
        (history(0.1, phase="head") + history(1.0, 0.9, 0.8, 0.7), True),
        (history(1.0, 0.9, 0.8, 0.7, phase="head") + history(0.7), False),
        ([], False),
        ([{"phase": "head", "val_loss": ""}], False),
    ],
)
def test_a_loss_that_still_fell_is_called_so(
    rows: list[dict[str, str]], is_unfinished: bool
) -> None:
    found = cautions(evaluation_of([0] * 40 + [1] * 40, [0] * 40 + [1] * 40), rows)
    assert len(found) == is_unfinished
    if is_unfinished:
        assert "still falling when the training ended" in found[0]
