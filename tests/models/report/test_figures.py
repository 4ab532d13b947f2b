"""Figures in words have as many digits as their intervals allow."""

import pytest

from edgeclf.models.metrics.scoring import Metrics
from edgeclf.models.metrics.statistics import Estimate, Interval, share_estimate
from edgeclf.models.report.figures import brief_figures, decimals, figure, share, value


@pytest.mark.parametrize(
    ("hits", "images", "shown"),
    [
        (17, 20, "0.85 [0.64, 0.95]"),
        (2, 2, "1.00 [0.34, 1.00]"),
        (85, 100, "0.85 [0.77, 0.91]"),
        (340, 400, "0.850 [0.812, 0.882]"),
        (8_500, 10_000, "0.850 [0.843, 0.857]"),
        (850_000, 1_000_000, "0.8500 [0.8493, 0.8507]"),
    ],
)
def test_more_images_give_more_digits(hits: int, images: int, shown: str) -> None:
    assert figure(share_estimate(hits, images=images)) == shown
    assert share(hits / images, images=images) == shown.partition(" ")[0]


@pytest.mark.parametrize(
    ("width", "digits"), [(100, 0), (10, 0), (9.9, 1), (1, 1), (0.99, 2), (0.05, 3), (1e-9, 4)]
)
def test_the_last_digit_is_the_second_of_the_width(width: float, digits: int) -> None:
    assert decimals(Interval(0, width)) == digits
    assert decimals(Interval(-width / 2, width / 2)) == digits


def test_points_and_ratios_have_a_limit_and_a_sign() -> None:
    drop = Estimate(-0.5, Interval(-0.502, -0.498))
    assert value(drop, at_most=2) == "−0.50"
    assert figure(Estimate(1.7, Interval(-9, 12)), sign="+") == "+2 [−9, +12]"
    assert figure(Estimate(0.0, Interval(-1, 1)), sign="+", at_most=2) == "+0.0 [−1.0, +1.0]"
    assert value(Estimate(2.0, Interval(2, 2)), at_most=2) == "2.00"
    assert (value(None), figure(None), share(None, images=0)) == ("—", "—", "—")


def test_figures_without_intervals_have_those_of_their_images() -> None:
    def shown(images: int) -> str:
        return brief_figures(Metrics(0.85, 0.85, 0.85, images, (), ()))

    assert shown(20) == "accuracy 0.85, macro-F1 0.85"
    assert shown(2_000) == "accuracy 0.850, macro-F1 0.850"
