"""The scales and labels of charts."""

from itertools import pairwise

import numpy as np
import pytest

from edgeclf.models.report.scales import Scale, scale_over, spread, tick_label


def test_labels_are_spread_without_changing_their_order() -> None:
    places = [10.0, 11.0, 12.0, 50.0, 97.0, 99.0]
    moved = spread(places, gap=10, low=0, high=100)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(moved))
    assert moved[0] >= 0
    assert moved[-1] <= 100
    assert moved[3] == 50
    assert sum(moved[:3]) / 3 == pytest.approx(11)  # moved as little as it takes
    assert spread([4.0, 2.0], gap=3, low=0, high=10) == [4.5, 1.5]
    crowded = spread([1.0] * 11, gap=15, low=0, high=100)
    assert np.diff(crowded) == pytest.approx(10)
    assert spread([], gap=1, low=0, high=1) == []


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0.93, 0.99), (6.5, 70), (1e-3, 2e3), (58, 74), (5, 5)])
def test_ticks_are_round_and_within(low: float, high: float, log: bool) -> None:
    scale = scale_over([low, high], start=0, end=100, log=log)
    assert 0 <= scale(low) <= scale(high) <= 100
    ticks = scale.ticks(6)
    assert 1 <= len(ticks) <= 6
    assert all(scale.low <= tick <= scale.high for tick in ticks)
    answer = [tick_label(tick, ticks) for tick in ticks]
    assert len(set(answer)) == len(answer)
    assert [float(t) for t in answer] == pytest.approx(ticks)


def test_ticks_over_decades_have_their_own_decimals() -> None:
    ticks = [0.05, 0.5, 5.0, 50.0]
    assert [tick_label(tick, ticks) for tick in ticks] == ["0.05", "0.5", "5", "50"]
    assert [tick_label(tick, [-1, 0, 1], signed=True) for tick in (-1, 0, 1)] == ["−1", "0", "+1"]


def test_a_scale_runs_from_start_to_end() -> None:
    scale = Scale(1, 100, 200, 0, log=True)
    assert [scale(1), scale(10), scale(100)] == pytest.approx([200, 100, 0])
    assert Scale(0, 10, 0, 50)(4) == 20
