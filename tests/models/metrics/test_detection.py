"""AUROC, curves and shares by group against their definitions."""

import numpy as np
import pytest

from edgeclf.models.metrics.detection import auroc, catch_curve, group_numbers, grouped_share


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    known, foreign = rng.integers(0, 6, 40).astype(float), rng.integers(2, 9, 30).astype(float)
    pairs = (foreign[:, np.newaxis] > known) + 0.5 * (foreign[:, np.newaxis] == known)
    assert auroc(known, foreign) == pytest.approx(pairs.mean())
    assert auroc(known, known + 100) == 1
    assert auroc(known, known) == pytest.approx(0.5)


def test_the_area_below_the_curve_is_the_auroc() -> None:
    rng = np.random.default_rng(1)
    known, foreign = rng.integers(0, 6, 40).astype(float), rng.integers(2, 9, 30).astype(float)
    curve = catch_curve(known, foreign)
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    area = float((np.diff(curve[:, 0]) * (curve[1:, 1] + curve[:-1, 1]) / 2).sum())
    assert area == pytest.approx(auroc(known, foreign))


def test_each_group_weighs_the_same() -> None:
    groups = group_numbers(["a", "a", "a", "a", "b", "", ""])
    assert len(np.unique(groups)) == 4
    share = grouped_share(np.array([1, 1, 0, 0, 0, 1, 0], np.bool_), groups)
    assert share.value == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert share.interval.low < share.value < share.interval.high
