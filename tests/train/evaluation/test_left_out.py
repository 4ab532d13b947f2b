"""Each class left out in turn: what novelty finds of it, and what the best score finds."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeclf.models.data.examples import Split
from edgeclf.models.novelty.fit import Observed
from edgeclf.train.evaluation.left_out import leave_classes_out, observed

LABELS = ("crack", "good", "oil")
CENTRES = np.array([[5, 1, 1, 1], [1, 5, 1, 1], [1, 1, 5, 1]], np.float32)


def drawn(count: int, seed: int, labels: tuple[str, ...] = LABELS) -> Observed:
    """Features around a centre of each class; the scores of `oil` are as sure of another class."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(count) % len(labels))
    features = CENTRES[classes] + rng.normal(scale=0.2, size=(count, 4))
    scores = np.full((count, len(labels)), 0.02, np.float32)
    scores[np.arange(count), classes] = 1 - 0.02 * (len(labels) - 1)
    if len(labels) == 3:
        scores[classes == 2] = (0.0, 0.3, 0.7)  # without oil: sure of good
    return observed([features.astype(np.float32)], [scores], [classes])


@pytest.fixture
def leave() -> Any:
    """Leave classes out of a network that computes what `drawn` draws, at a temperature of 1."""

    def run(labels: tuple[str, ...] = LABELS, *, train: int = 200) -> Any:
        fitted = drawn(train, 0, labels)

        def observe(pixels: Any) -> Any:
            return fitted.scores[pixels[:, 0, 0, 0]], fitted.features[pixels[:, 0, 0, 0]]

        numbers = np.arange(train)[:, np.newaxis, np.newaxis, np.newaxis]
        model: Any = SimpleNamespace(info=SimpleNamespace(labels=labels), observe=observe)
        split = Split(numbers, fitted.classes)
        return leave_classes_out(model, split, drawn(60, 1, labels), temperature=1.0)

    return run


def test_a_class_that_lies_elsewhere_is_noticed_though_the_scores_are_sure(leave: Any) -> None:
    found = {one.label: one for one in leave()}
    assert tuple(found) == LABELS
    oil = found["oil"]
    assert (oil.images, oil.known) == (20, 40)
    assert oil.novelty.value > 0.99
    # Without oil, its scores say `good` for sure, and those of the others are less sure.
    assert oil.softmax.value == 0
    assert oil.softmax.interval.low <= 0 <= oil.softmax.interval.high < 0.5
    assert oil.novelty.interval.low > 0.8  # twenty images say no more


def test_two_classes_leave_nothing_to_be_told_apart(leave: Any) -> None:
    assert leave(LABELS[:2]) == ()


def test_a_class_without_training_or_other_images_is_not_judged(leave: Any) -> None:
    assert leave(train=1) == ()
