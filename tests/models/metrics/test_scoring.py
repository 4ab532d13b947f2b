"""Accuracy and what stands behind it, against counts by hand and by plain loops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.models.metrics.scoring import (
    accuracy_drop,
    agreement,
    confusion_matrix,
    drop_points,
    recall_drops,
    score_predictions,
)


def indices(*values: int) -> NDArray[np.intp]:
    return np.asarray(values, np.intp)


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def test_scores_by_hand() -> None:
    truth = indices(0, 0, 0, 0, 1, 1, 2, 2)
    guess = indices(0, 0, 0, 1, 1, 2, 2, 0)
    scores = score_predictions(truth, guess, labels=("a", "b", "c"))
    assert scores.accuracy == 5 / 8
    assert scores.images == 8
    assert scores.confusion == ((3, 1, 0), (0, 1, 1), (1, 0, 1))
    assert scores.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)
    assert scores.macro_f1 == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)
    first, second, third = scores.classes
    assert (first.label, first.precision, first.recall, first.support) == ("a", 3 / 4, 3 / 4, 4)
    assert (second.label, second.precision, second.recall, second.support) == ("b", 0.5, 0.5, 2)
    assert third.f1 == pytest.approx(0.5)


def test_unequal_precision_and_recall() -> None:
    scores = score_predictions(indices(0, 0, 0, 1), indices(0, 1, 1, 1), labels=("a", "b"))
    a, b = scores.classes
    assert (a.precision, a.recall, a.f1) == (1, pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert (b.precision, b.recall, b.f1) == (pytest.approx(1 / 3), 1, pytest.approx(1 / 2))
    assert scores.accuracy == 0.5
    assert scores.balanced_accuracy == pytest.approx(2 / 3)


def test_a_class_without_images_counts_in_no_mean() -> None:
    scores = score_predictions(
        indices(0, 0, 2, 2), indices(0, 1, 2, 2), labels=("a", "b", "c", "d")
    )
    assert [row.label for row in scores.classes] == ["a", "b", "c"]
    assert scores.balanced_accuracy == pytest.approx((1 / 2 + 1) / 2)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    called_without_images = scores.classes[1]
    assert called_without_images.support == 0
    assert called_without_images.precision == called_without_images.f1 == 0
    assert len(scores.confusion) == 4


def test_a_class_that_is_never_called_has_precision_0() -> None:
    scores = score_predictions(indices(0, 1), indices(0, 0), labels=("a", "b"))
    assert scores.classes[1].precision == 0
    assert scores.classes[1].recall == 0
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0) / 2)


def test_no_images_score_0() -> None:
    scores = score_predictions(indices(), indices(), labels=("a", "b"))
    assert (scores.accuracy, scores.macro_f1, scores.balanced_accuracy, scores.images) == (0,) * 4
    assert scores.classes == ()


@pytest.mark.parametrize("seed", range(8))
def test_scores_against_plain_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = tuple("abcdefg")
    truth = rng.choice([0, 1, 2, 4, 6], 40)
    guess = np.where(rng.random(40) < 0.6, truth, rng.integers(0, 7, 40))
    pairs = list(zip(truth.tolist(), guess.tolist(), strict=True))
    scores = score_predictions(truth, guess, labels=labels)

    rows = {row.label: row for row in scores.classes}
    recalls, f1s = [], []
    for index, label in enumerate(labels):
        hits = sum(t == g == index for t, g in pairs)
        support = sum(t == index for t, _ in pairs)
        called = sum(g == index for _, g in pairs)
        assert (label in rows) == (support + called > 0)
        if label not in rows:
            continue
        precision, recall = share(hits, called), share(hits, support)
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        row = rows[label]
        assert row.precision == pytest.approx(precision)
        assert row.recall == pytest.approx(recall)
        assert row.f1 == pytest.approx(f1)
        assert row.support == support
        if support:
            recalls.append(recall)
            f1s.append(f1)
    assert scores.accuracy == pytest.approx(sum(t == g for t, g in pairs) / 40)
    assert scores.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls))
    assert scores.macro_f1 == pytest.approx(sum(f1s) / len(f1s))


def test_confusion_has_the_truth_in_rows() -> None:
    counts = confusion_matrix(indices(0, 0, 0, 2), indices(1, 1, 0, 1), classes=3)
    assert counts.tolist() == [[1, 2, 0], [0, 0, 0], [0, 1, 0]]
    assert counts.dtype == np.int64


def test_drop_is_positive_where_accuracy_is_lost() -> None:
    truth = indices(0, 1, 1, 0)
    right, half = truth, indices(0, 1, 0, 1)
    assert drop_points(truth, reference=right, guess=half) == 50
    assert drop_points(truth, reference=half, guess=right) == -50
    assert drop_points(truth, reference=half, guess=half) == 0


def test_a_drop_counts_both_ways_and_has_an_interval() -> None:
    truth = indices(0, 0, 0, 0, 0, 1, 1, 1, 1, 1)
    reference = indices(0, 0, 0, 0, 1, 1, 1, 1, 1, 1)
    guess = indices(0, 1, 1, 1, 0, 1, 1, 1, 1, 2)
    drop = accuracy_drop(truth, reference=reference, guess=guess)
    assert (drop.label, drop.images, drop.lost, drop.gained) == (None, 10, 4, 1)
    assert drop.points == 30
    assert drop.points in drop.interval
    assert drop.interval.low < 0
    assert 50 < drop.interval.high <= 100  # percentage points, as the drop
    assert drop.p_value == pytest.approx(2 * (1 + 5) / 32)
    shown = drop.to_json()
    assert shown["interval"] == [drop.interval.low, drop.interval.high]
    assert shown["lost"] == 4


def test_the_recall_of_each_class_that_has_images() -> None:
    truth = indices(0, 0, 2, 2, 2, 2)
    reference = indices(0, 1, 2, 2, 2, 0)
    guess = indices(0, 0, 2, 2, 1, 1)
    drops = recall_drops(truth, reference=reference, guess=guess, labels=("a", "b", "c"))
    assert [(d.label, d.images, d.lost, d.gained, d.points) for d in drops] == [
        ("a", 2, 0, 1, -50),
        ("c", 4, 1, 0, 25),
    ]


def test_without_images_nothing_is_lost_and_nothing_known() -> None:
    drop = accuracy_drop(indices(), reference=indices(), guess=indices())
    assert (drop.points, drop.interval.low, drop.interval.high) == (0, -100, 100)
    assert recall_drops(indices(), reference=indices(), guess=indices(), labels=("a",)) == ()


def test_agreement_does_not_ask_for_the_truth() -> None:
    assert agreement(indices(0, 1, 2, 0), indices(0, 1, 1, 1)) == 0.5
    assert agreement(indices(3, 3), indices(3, 3)) == 1
    assert agreement(indices(3, 3), indices(0, 1)) == 0
