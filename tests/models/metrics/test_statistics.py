"""Intervals and tests of shares, against published examples, brute force and simulation."""

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest

from edgeclf.models.metrics.statistics import (
    Interval,
    PairedCounts,
    bootstrap_interval,
    mcnemar_p,
    paired_counts,
    paired_interval,
    wilson_interval,
)


def tables(images: int) -> list[PairedCounts]:
    """Return every paired table of so many images."""
    return [
        PairedCounts(a, b, c, images - a - b - c)
        for a, b, c in product(range(images + 1), repeat=3)
        if a + b + c <= images
    ]


def test_an_interval_holds_its_ends() -> None:
    interval = Interval(-0.5, 0.25)
    assert -0.5 in interval
    assert 0.25 in interval
    assert 0.26 not in interval
    assert -0.51 not in interval


@pytest.mark.parametrize(
    ("hits", "images", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(hits: int, images: int, low: float, high: float) -> None:
    interval = wilson_interval(hits, images=images)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_ends_where_the_score_test_rejects(confidence: float) -> None:
    z = {0.8: 1.2815515655446004, 0.95: 1.959963984540054, 0.99: 2.5758293035489004}[confidence]
    for images in (1, 7, 40):
        for hits in range(images + 1):
            interval = wilson_interval(hits, images=images, confidence=confidence)
            share = hits / images
            for end in (interval.low, interval.high):
                if 0 < end < 1:
                    score = (share - end) / np.sqrt(end * (1 - end) / images)
                    assert abs(score) == pytest.approx(z)
            assert share in interval


@pytest.mark.parametrize("images", [1, 3, 40, 1000])
def test_none_and_all_are_in_their_own_intervals(images: int) -> None:
    assert wilson_interval(0, images=images).low == 0
    assert wilson_interval(images, images=images).high == 1


def test_nothing_is_known_without_images() -> None:
    nothing = PairedCounts(0, 0, 0, 0)
    assert wilson_interval(0, images=0) == Interval(0, 1)
    assert paired_interval(nothing) == Interval(-1, 1)
    assert mcnemar_p(nothing) == 1


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), ch. 8
        (PairedCounts(1, 1, 7, 12), -0.507, -0.026),
        (PairedCounts(59, 6, 16, 80), -0.1186, -0.0046),
        # Altman et al., Statistics with Confidence (2000), ch. 6
        (PairedCounts(14, 5, 0, 22), 0.011, 0.226),
        # Armitage and Berry's media for tuberculosis, in the manual of StatsDirect
        (PairedCounts(20, 12, 2, 16), 0.056156, 0.329207),
    ],
)
def test_paired_intervals_as_published(counts: PairedCounts, low: float, high: float) -> None:
    digits = len(str(high).split(".")[1])
    interval = paired_interval(counts)
    assert (round(interval.low, digits), round(interval.high, digits)) == (low, high)


def test_the_paired_interval_is_symmetric_and_holds_the_difference() -> None:
    for counts in tables(9):
        interval = paired_interval(counts)
        assert -1 <= interval.low < interval.high <= 1
        assert (counts.only_first - counts.only_second) / 9 in interval
        swapped = PairedCounts(counts.both, counts.only_second, counts.only_first, counts.neither)
        assert paired_interval(swapped).low == pytest.approx(-interval.high)
        wrong = PairedCounts(counts.neither, counts.only_first, counts.only_second, counts.both)
        assert paired_interval(wrong).low == pytest.approx(interval.low)


def test_more_confidence_is_wider_and_more_images_are_narrower() -> None:
    counts = PairedCounts(70, 6, 3, 21)
    usual = paired_interval(counts)
    sure = paired_interval(counts, confidence=0.99)
    assert sure.low < usual.low < usual.high < sure.high
    more = paired_interval(PairedCounts(700, 60, 30, 210))
    assert usual.low < more.low < more.high < usual.high


def test_models_that_never_differ_still_have_a_width() -> None:
    few, many = (
        paired_interval(PairedCounts(5, 0, 0, 0)),
        paired_interval(PairedCounts(500, 0, 0, 0)),
    )
    assert few.high > 0.4
    assert 0.001 < many.high < 0.01


@pytest.mark.parametrize(
    "shares",
    [
        (0.80, 0.05, 0.05, 0.10),
        (0.60, 0.20, 0.10, 0.10),
        (0.25, 0.25, 0.25, 0.25),
        (0.85, 0.10, 0.00, 0.05),
        (0.40, 0.40, 0.10, 0.10),
    ],
)
def test_95_of_100_paired_intervals_hold_the_truth(shares: tuple[float, ...]) -> None:
    images, covered = 20, 0.0
    for counts in tables(images):
        a, b, c, d = counts.both, counts.only_first, counts.only_second, counts.neither
        ways = comb(images, a) * comb(images - a, b) * comb(images - a - b, c)
        chance = ways * np.prod(np.power(shares, (a, b, c, d)))
        covered += chance * (shares[1] - shares[2] in paired_interval(counts))
    assert covered >= 0.949  # exact, over all tables; at the edges it is above


@pytest.mark.parametrize(
    ("counts", "p_value"),
    [
        (PairedCounts(59, 6, 16, 80), 0.052479),  # Fagerland, Lydersen and Laake (2017), ch. 8
        (PairedCounts(20, 12, 2, 16), 0.0129),  # Armitage and Berry, in the manual of StatsDirect
    ],
)
def test_mcnemar_as_published(counts: PairedCounts, p_value: float) -> None:
    assert round(mcnemar_p(counts), len(str(p_value)) - 2) == p_value


def test_mcnemar_against_every_toss() -> None:
    for first, second in product(range(6), repeat=2):
        tosses = list(product((0, 1), repeat=first + second))
        extreme = sum(
            abs(sum(toss) - (first + second) / 2) >= abs(first - second) / 2 for toss in tosses
        )
        counts = PairedCounts(3, first, second, 4)
        assert mcnemar_p(counts) == pytest.approx(extreme / len(tosses))


def test_mcnemar_of_many_images_is_exact() -> None:
    tail = sum(comb(3000, k) for k in range(1401))
    assert mcnemar_p(PairedCounts(0, 1400, 1600, 0)) == float(Fraction(2 * tail, 2**3000))
    assert mcnemar_p(PairedCounts(0, 0, 5000, 0)) == 0  # below the smallest float
    assert mcnemar_p(PairedCounts(10_000, 5000, 5000, 0)) == 1


def test_counting_who_is_right() -> None:
    first = np.asarray([True, True, True, False, False, False])
    second = np.asarray([True, True, False, True, False, False])
    counts = paired_counts(first, second)
    assert counts == PairedCounts(both=2, only_first=1, only_second=1, neither=2)
    assert counts.images == 6


def test_the_bootstrap_agrees_with_the_formula_on_many_images() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.random(800) < 0.9, rng.random(800) < 0.8
    drawn = bootstrap_interval(
        lambda index: float(first[index].mean() - second[index].mean()), images=800
    )
    formula = paired_interval(paired_counts(first, second))
    assert (drawn.low, drawn.high) == pytest.approx((formula.low, formula.high), abs=0.005)


def test_the_bootstrap_is_seeded_and_widens_with_confidence() -> None:
    values = np.arange(50.0)

    def interval(**options: float) -> Interval:
        return bootstrap_interval(
            lambda index: float(values[index].mean()), images=50, resamples=300, **options
        )

    assert interval() == interval(seed=0)
    assert interval() != interval(seed=1)
    assert interval(confidence=0.5).high < interval().high
    assert values.mean() in interval()
