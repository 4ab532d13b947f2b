"""The benchmark's figures against scipy on random tables, and their intervals in simulations."""

from collections.abc import Callable
from math import exp
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from edgeclf.benchmarks.results.against import measure_against
from edgeclf.benchmarks.results.estimates import (
    median,
    percentile_estimate,
    ratio_estimate,
    slope_estimate,
)
from edgeclf.models.metrics import calibration_error as calibration
from edgeclf.models.metrics.accuracy import measure_metrics
from edgeclf.models.metrics.calibration_error import calibration_error, calibration_interval
from edgeclf.models.metrics.statistics import (
    Interval,
    bootstrap_interval,
    mcnemar_p,
    mean_share_interval,
    paired_counts,
    paired_interval,
    student_interval,
    student_quantile,
    unpaired_interval,
    welch_interval,
    wilson_interval,
)

Draw = Callable[[np.random.Generator], Interval]


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def coverage(draw: Draw, truth: float, *, repeats: int, seed: int = 0) -> float:
    rng = np.random.default_rng(seed)
    return sum(truth in draw(rng) for _ in range(repeats)) / repeats


# --- Against scipy ---


def test_wilson_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for images in rng.integers(1, 2000, size=60):
        for hits in {0, 1, int(rng.integers(images + 1)), int(images)}:
            for confidence in (0.8, 0.95, 0.99):
                theirs = stats.binomtest(hits, images).proportion_ci(confidence, method="wilson")
                ours = wilson_interval(hits, images=int(images), confidence=confidence)
                expected = pytest.approx((theirs.low, theirs.high), rel=1e-12, abs=1e-15)
                assert ends(ours) == expected


def test_mcnemar_is_the_binomial_test_of_scipy() -> None:
    rng = np.random.default_rng(1)
    for images in rng.integers(1, 900, size=60):
        counts = paired_counts(rng.random(images) < 0.8, rng.random(images) < rng.random())
        lost, tosses = counts.only_first, counts.only_first + counts.only_second
        theirs = stats.binomtest(lost, tosses).pvalue if tosses else 1.0
        assert mcnemar_p(counts) == pytest.approx(theirs, rel=1e-12, abs=0)


def test_students_t_is_that_of_scipy() -> None:
    for freedom in (*range(1, 12), 29, 100, 1001):
        for share in (0.5, 0.6, 0.9, 0.975, 0.9995):
            theirs = float(stats.t.ppf(share, freedom))
            # The oldest SciPy is off by 1e-11; a step of Newton's mends it.
            theirs -= (stats.t.cdf(theirs, freedom) - share) / stats.t.pdf(theirs, freedom)
            expected = pytest.approx(theirs, rel=1e-11, abs=1e-15)
            assert student_quantile(share, freedom=freedom) == expected
    rng = np.random.default_rng(2)
    for count in (2, 3, 5, 10):
        values = rng.normal(3, 2, size=count)
        theirs = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
        assert ends(student_interval(list(values))) == pytest.approx(theirs)


def test_welch_is_that_of_scipy_with_whole_degrees_of_freedom() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        first, second = rng.normal(0, 1, size=rng.integers(2, 9)), rng.normal(1, 3, size=5)
        theirs = stats.ttest_ind(first, second, equal_var=False)
        error = (first.mean() - second.mean()) / theirs.statistic
        half = stats.t.ppf(0.975, int(theirs.df)) * error
        difference = first.mean() - second.mean()
        ours = welch_interval(list(first), list(second))
        assert ends(ours) == pytest.approx((difference - half, difference + half))
        exact = theirs.confidence_interval(0.95)
        assert ours.low <= exact.low < exact.high <= ours.high
    assert welch_interval([1.0, 1.0], [0.5, 0.5]) == Interval(0.5, 0.5)


def test_the_unpaired_interval_as_published() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10
    for hits, low, high in (((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090)):
        interval = unpaired_interval(hits[0], images_1=hits[1], hits_2=hits[2], images_2=hits[3])
        assert ends(interval) == pytest.approx((low, high), abs=5e-5)


def test_the_bootstrap_is_that_of_scipy() -> None:
    right = np.random.default_rng(4).random(300) < 0.9
    ours = bootstrap_interval(lambda index: float(right[index].mean()), images=300, resamples=9999)
    theirs = stats.bootstrap(
        (right.astype(float),), np.mean, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    assert ends(ours) == pytest.approx((theirs.low, theirs.high), abs=0.004)


# --- MLPerf's percentiles ---


@pytest.mark.parametrize(("percentile", "needed"), [(0.9, 64), (0.99, 662), (0.5, 11)])
def test_a_percentile_needs_as_many_queries_as_mlperf_says(percentile: float, needed: int) -> None:
    times = np.arange(1.0, needed + 1)
    assert percentile_estimate(times[:-1], percentile=percentile) is None
    assert percentile_estimate(times, percentile=percentile) == needed  # the largest


@pytest.mark.parametrize("percentile", [0.9, 0.97, 0.99])
def test_the_estimate_discards_as_many_as_the_binomial_distribution_allows(
    percentile: float,
) -> None:
    rng = np.random.default_rng(6)
    for count in (700, 1000, 4321, 20_000):
        times = rng.permutation(count).astype(float)
        estimate = percentile_estimate(times, percentile=percentile)
        assert estimate is not None
        above = round(count - estimate)  # the t-th largest of 0..n-1 is n - t
        assert stats.binom.cdf(above, count, 1 - percentile) < 0.01
        assert stats.binom.cdf(above + 1, count, 1 - percentile) >= 0.01


def test_the_true_percentile_is_below_the_estimate() -> None:
    rng = np.random.default_rng(7)
    for count in (64, 200, 1000):
        drawn = [percentile_estimate(rng.random(count), percentile=0.9) for _ in range(1000)]
        assert sum(one is not None and one >= 0.9 for one in drawn) >= 985


def test_the_median_is_one_of_the_times() -> None:
    assert median([7, 1, 20, 3, 9, 2, 8, 4, 6, 5]) == 5
    assert median([3.0]) == 3


# --- Intervals hold the truth as often as they say ---


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_wilson_covers(share: float) -> None:
    def draw(rng: np.random.Generator) -> Interval:
        return wilson_interval(int(rng.binomial(60, share)), images=60)

    assert 0.92 <= coverage(draw, share, repeats=4000) <= 0.98


def test_paired_and_unpaired_differences_cover() -> None:
    def paired(rng: np.random.Generator) -> Interval:
        first, lost = rng.random(150) < 0.9, rng.random(150) < 0.05
        return paired_interval(paired_counts(first, first & ~lost))

    def unpaired(rng: np.random.Generator) -> Interval:
        hits = rng.binomial(150, 0.9), rng.binomial(100, 0.8)
        return unpaired_interval(int(hits[0]), images_1=150, hits_2=int(hits[1]), images_2=100)

    assert 0.93 <= coverage(paired, 0.045, repeats=3000) <= 0.985
    assert 0.93 <= coverage(unpaired, 0.1, repeats=3000) <= 0.97


@pytest.mark.parametrize("recalls", [(0.9, 0.8, 0.95, 0.6), (1.0, 1.0), (0.5,) * 10])
def test_balanced_accuracy_covers(recalls: tuple[float, ...]) -> None:
    def draw(rng: np.random.Generator) -> Interval:
        hits = rng.binomial(20, recalls)
        intervals = [wilson_interval(int(count), images=20) for count in hits]
        return mean_share_interval([count / 20 for count in hits], intervals)

    assert coverage(draw, float(np.mean(recalls)), repeats=2000) >= 0.93


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_ratios_of_latencies_cover(rounds: int) -> None:
    """Each process is a little faster or slower than another, whatever the queries in it say."""

    def times(rng: np.random.Generator, level: float) -> list[NDArray[np.float64]]:
        return [
            level * rng.lognormal(0, 0.05) * rng.lognormal(0, 0.1, size=40) for _ in range(rounds)
        ]

    def draw(rng: np.random.Generator) -> Interval:
        return ratio_estimate(times(rng, 3.0), reference=times(rng, 12.0)).interval

    assert 0.93 <= coverage(draw, 0.25, repeats=1500) <= 0.97


@pytest.mark.parametrize("memory_s", [0, 10, 30])
def test_slopes_cover_although_samples_resemble_each_other(memory_s: int) -> None:
    """25 minutes, a sample a second: noise that is forgotten after so many seconds, and a drift."""
    hours = np.arange(1500) / 3600
    carried = np.exp(-1 / memory_s) if memory_s else 0.0

    def draw(rng: np.random.Generator) -> Interval:
        noise = rng.normal(size=hours.size)
        for i in range(1, noise.size):
            noise[i] += carried * noise[i - 1]
        return slope_estimate(hours, 80 + 2.5 * hours + noise).interval

    assert coverage(draw, 2.5, repeats=200) >= 0.9


def test_a_slope_without_noise_is_exact_and_two_points_are_none() -> None:
    slope = slope_estimate([0, 1, 2, 4], [1, 3, 5, 9])
    assert slope.value == pytest.approx(2)
    assert slope.interval.low == pytest.approx(2)
    with pytest.raises(ValueError, match="takes 3"):
        slope_estimate([0, 1], [1, 3])


def test_a_ratio_is_the_mean_of_the_rounds() -> None:
    ratio = ratio_estimate([[1.0, 2.0, 9.0], [4.0]], reference=[[4.0], [2.0, 2.0]])
    assert ratio.value == pytest.approx(exp((np.log(0.5) + np.log(2)) / 2))
    assert ratio.value in ratio.interval


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_the_calibration_error_covers(gap: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_RESAMPLES", 400)

    def images(
        rng: np.random.Generator, count: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        best = 0.25 + 0.75 * rng.beta(4, 1, size=count)
        return rng.random(count) < np.clip(best - gap, 0, 1), best

    truth = 0.0 if gap == 0 else calibration_error(*images(np.random.default_rng(9), 2_000_000))

    def draw(rng: np.random.Generator) -> Interval:
        return calibration_interval(*images(rng, 250))

    assert coverage(draw, truth, repeats=100) >= 0.9


# --- The figures of a model ---


def drawn(images: int, classes: int, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=images)
    logits = rng.normal(size=(images, classes)) + 2 * np.eye(classes)[truth]
    return truth, (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)


def test_the_calibration_error_by_hand() -> None:
    best = np.asarray([0.95, 0.95, 0.95, 0.95, 0.5])
    right = np.asarray([True, True, True, False, False])
    assert calibration_error(right, best) == pytest.approx((4 * 0.2 + 1 * 0.5) / 5)
    assert calibration_error(np.asarray([True]), np.asarray([1.0])) == 0


def test_every_figure_lies_in_its_interval() -> None:
    truth, scores = drawn(200, 12)
    answer = measure_metrics(truth, scores, labels=tuple("abcdefghijkl"))
    assert answer.top5_accuracy
    ranks = (scores > scores[np.arange(200), truth][:, np.newaxis]).sum(1)
    assert answer.accuracy.value == (ranks == 0).mean()
    assert answer.top5_accuracy.value == (ranks < 5).mean()
    figures = [
        answer.accuracy,
        answer.top5_accuracy,
        answer.macro_f1,
        answer.balanced_accuracy,
        answer.calibration_error,
    ]
    for figure in (*figures, *(one.recall for one in answer.classes)):
        assert figure.value in figure.interval
        assert figure.interval.low < figure.interval.high
    assert sum(part.images for part in answer.calibration) == 200
    assert answer.confusion
    assert np.sum(answer.confusion) == 200


def test_nothing_wrong_still_has_a_width() -> None:
    truth = np.asarray([0, 1, 2] * 10)
    answer = measure_metrics(truth, np.eye(3, dtype=np.float32)[truth], labels=("a", "b", "c"))
    for figure in (answer.accuracy, answer.macro_f1, answer.balanced_accuracy):
        assert figure.value == 1
        assert figure.interval.low < 0.95
    assert answer.top5_accuracy is None


def test_disagreements_are_counted_and_the_lost_ones_come_first(tmp_path: Path) -> None:
    truth, reference = drawn(400, 4)
    scores = drawn(400, 4, seed=1)[1]
    guess, expected = scores.argmax(1), reference.argmax(1)
    paths = [tmp_path / f"{i}.png" for i in range(400)]
    answer = measure_against(
        truth, scores, reference=reference, labels=("a", "b", "c", "d"), paths=paths,
        folder=tmp_path,
    )  # fmt: skip
    assert answer.disagreements == (guess != expected).sum()
    assert answer.agreement.value == pytest.approx((guess == expected).mean())
    lost = ((expected == truth) & (guess != truth)).sum() - (
        (guess == truth) & (expected != truth)
    ).sum()
    assert answer.drop.points == pytest.approx(100 * lost / 400)
    assert len(answer.shown) == 50
    for one in answer.shown:
        at = int(one.path.removesuffix(".png"))
        assert one.reference_guess == one.truth == "abcd"[truth[at]]
        assert one.guess == "abcd"[guess[at]]
        assert one.score == pytest.approx(scores[at].max(), abs=1e-6)
    sureness = [one.score for one in answer.shown]
    assert sureness == sorted(sureness, reverse=True)
