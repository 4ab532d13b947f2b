"""What a prediction and its record say of an image that is too novel."""

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from novelty_models import drawn_model

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.novelty.model import Novelty
from edgeclf.edge_runtime.prediction import (
    CSV_COLUMNS,
    UNLIKE,
    csv_line,
    frame_record,
    least_scores,
    name_best,
)

LABELS = ("good", "oil", "scratch")
SCORES = np.array([0.1, 0.7, 0.2], np.float32)


def named(deviations: float | None, *, threshold: float = 0.0, cause: str = "unlike"):
    value = None
    if deviations is not None:
        value = Novelty(NormalDist().cdf(deviations), deviations, 2.0, cause)
    least = least_scores(LABELS, {}, threshold)
    return name_best(SCORES, labels=LABELS, least=least, top=3, ms=1.0, novelty=value)


def test_thresholds_and_novelty_each_make_unknown() -> None:
    known, novel, refused, both = (
        named(0.0),
        named(3.0),
        named(0.0, threshold=0.8),
        named(3.0, threshold=0.8),
    )
    assert [each.label for each in (known, novel, refused, both)] == ["oil"] + 3 * ["unknown"]
    assert [each.novelty_reason for each in (known, novel, refused, both)] == [
        *(None, UNLIKE, None, UNLIKE)
    ]
    assert [each.refused is None for each in (known, novel, refused, both)] == [
        *(True, True, False, False)
    ]
    assert {each.score for each in (known, novel, refused, both)} == {float(SCORES[1])}


def test_between_names_the_two_best() -> None:
    assert named(3.0, cause="between").novelty_reason == "between oil and scratch"


def test_the_record_says_so() -> None:
    record = frame_record(named(3.0), source="a.png", frame=0, taken_at=0.0)
    assert record["label"] == "unknown"
    assert record["novelty"] == round(NormalDist().cdf(3.0), 6)
    assert record["novelty_reason"] == UNLIKE
    cells = csv_line(record).decode().strip().split(",")
    assert cells[CSV_COLUMNS.index("novelty_reason")] == UNLIKE
    plain = frame_record(named(None), source="a.png", frame=0, taken_at=0.0)
    assert (plain["label"], plain["novelty"], plain["novelty_reason"]) == ("oil", None, None)


def test_each_threshold_of_novelty_cuts_where_it_says() -> None:
    model = drawn_model()
    features, scores = np.full(4, 5.0, np.float32) * [1, 3, 1, 1], np.array([1, 0], np.float32)
    novelty = model.judge(features, scores)
    assert novelty.is_unknown
    assert novelty.cause == "unlike"
    assert not model.judge(features, scores, threshold=1.0).is_unknown
    known = model.judge(np.array([1, 2, 3, 4], np.float32), scores)
    assert not known.is_unknown
    below = model.judge(np.array([1, 2, 3, 4], np.float32), scores, threshold=known.value / 2)
    assert below.is_unknown


@pytest.mark.parametrize("threshold", [-1.0, 1.5, float("nan"), "1"])
def test_what_is_no_threshold_is_refused(threshold: Any) -> None:
    with pytest.raises(EdgeclfError, match=r"^novelty threshold .*: give a score from 0 to 1"):
        Classifier("model.tflite", novelty_threshold=threshold)
