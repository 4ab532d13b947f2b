"""The registry of metrics: every report is made of it, so that a metric is named once."""

from dataclasses import dataclass, fields

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.good_only import GOOD_ONLY_LABELS
from edgeclf.models.metrics.accuracy import MetricsWithIntervals, measure_metrics
from edgeclf.models.metrics.predictions import Predictions
from edgeclf.models.metrics.records import from_json, to_json
from edgeclf.models.metrics.registry import AGREEMENT, BRIEF_METRICS, IMAGE_AUROC, METRICS
from edgeclf.models.metrics.scoring import Metrics
from edgeclf.models.metrics.statistics import Estimate
from edgeclf.models.report.figures import brief_figures, decimals, figure


def drawn(images: int, classes: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    truth = rng.integers(classes, size=images)
    scores = rng.dirichlet(np.ones(classes), size=images) + np.eye(classes)[truth] / 4
    return truth, (scores / scores.sum(1, keepdims=True)).astype(np.float32)


def test_each_metric_is_a_field_and_each_estimate_is_a_metric() -> None:
    estimates = [
        one.name for one in fields(MetricsWithIntervals) if one.type in {Estimate, Estimate | None}
    ]
    assert [metric.name for metric in METRICS] == estimates
    assert len({metric.title for metric in METRICS}) == len(METRICS)
    plain = {one.name for one in fields(Metrics)}
    assert {metric.name for metric in BRIEF_METRICS} <= plain


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_a_share_lies_between_0_and_1_with_its_interval(classes: int) -> None:
    truth, scores = drawn(80, classes)
    is_good_only = classes == len(GOOD_ONLY_LABELS)
    labels = GOOD_ONLY_LABELS if is_good_only else tuple(f"class {i}" for i in range(classes))
    metrics = measure_metrics(truth, scores, labels=labels, good=labels[0])
    measured = [metric for metric in METRICS if metrics.estimate(metric)]
    assert (IMAGE_AUROC in measured) == is_good_only
    assert len(measured) == len(METRICS) - (classes <= 10) - (not is_good_only)
    for metric in measured:
        estimate = metrics.estimate(metric)
        assert estimate
        assert not metric.unit
        assert 0 <= estimate.interval.low <= estimate.value <= estimate.interval.high <= 1
        digits = decimals(estimate.interval)
        assert digits >= 2
        assert figure(estimate).startswith(f"{estimate.value:.{digits}f} [")


def test_what_needs_no_scores_is_the_same_without_intervals() -> None:
    truth, scores = drawn(80, 4)
    predictions = Predictions(truth, scores, tuple("abcd"))
    metrics = measure_metrics(truth, scores, labels=tuple("abcd"))
    for metric in METRICS:
        if hasattr(predictions.plain, metric.name):
            estimate = metrics.estimate(metric)
            assert estimate
            assert estimate.value == getattr(predictions.plain, metric.name)
    text = brief_figures(predictions.plain)
    assert text == f"accuracy {metrics.accuracy.value:.2f}, macro-F1 {metrics.macro_f1.value:.2f}"


def test_agreement_needs_a_reference() -> None:
    truth, scores = drawn(80, 4)
    assert AGREEMENT.measure(Predictions(truth, scores, tuple("abcd"))) is None
    other = np.roll(scores, 1, axis=0)
    found = AGREEMENT.measure(Predictions(truth, scores, tuple("abcd"), reference=other))
    assert found
    assert found.value == (scores.argmax(1) == other.argmax(1)).mean()


@dataclass(frozen=True, kw_only=True)
class _Older:
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class _Newer:
    recall: float | None = None
    accuracy: float
    note: str = "none"


def test_a_metric_that_an_older_file_lacks_is_its_default() -> None:
    older = to_json(_Older(accuracy=0.5))
    assert from_json(_Newer, older, where="x") == _Newer(accuracy=0.5)
    assert from_json(_Newer, older | {"recall": 0.25}, where="x").recall == 0.25
    with pytest.raises(EdgeclfError, match="x: lacks 'accuracy'"):
        from_json(_Newer, {"recall": 0.25}, where="x")


def test_the_image_auroc_is_that_of_the_score_of_a_defect() -> None:
    truth = np.array([0, 0, 0, 1, 1])
    defect = np.array([0.1, 0.2, 0.7, 0.6, 0.9], np.float32)
    scores = np.stack([1 - defect, defect], axis=1)
    found = IMAGE_AUROC.measure(Predictions(truth, scores, GOOD_ONLY_LABELS))
    assert found
    assert found.value == pytest.approx(5 / 6)
    assert IMAGE_AUROC.measure(Predictions(truth[:3], scores[:3], GOOD_ONLY_LABELS)) is None
