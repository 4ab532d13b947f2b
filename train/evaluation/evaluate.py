"""Every figure of a finished run, from its validation and test images."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.data.examples import Split
from ...models.float_model import FloatModel, FloatModelInfo
from ...models.good_only import is_good_only
from ...models.masks import MaskedImages
from ...models.metrics.accuracy import MetricsWithIntervals, measure_metrics
from ...models.metrics.calibration_error import (
    CalibrationBin,
    calibration_bins,
    calibration_estimate,
)
from ...models.metrics.records import to_json
from ...models.metrics.registry import METRICS, Metric
from ...models.metrics.scoring import (
    ClassScores,
    Labels,
    Metrics,
    confusion_matrix,
    score_predictions,
)
from ...models.metrics.statistics import Estimate, Interval, bootstrap_interval, share_estimate
from ...models.photographs import Photographs
from ...models.score_calibration import Calibration
from .curves import ClassCurves, class_curves
from .left_out import LeftOutClass, leave_classes_out, observed
from .saliency import Saliency, measure_saliency
from .temperature import Temperature, at_temperature, fit_temperature, log_losses
from .thresholds import ThresholdScore, choose_thresholds, score_thresholds


@dataclass(frozen=True)
class CalibrationScore:
    """How well the scores tell how often they are right.

    Attributes:
        error: expected calibration error, 0 to 1.
        log_loss: mean negative log-likelihood of the true classes in nats; bootstrap.
        bins: of the reliability diagram, from low scores to high.
    """

    error: Estimate
    log_loss: Estimate
    bins: tuple[CalibrationBin, ...]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured of a run on its test images.

    Attributes:
        truth: class indices of the test images, of shape (images,).
        scores: of the calibrated model, float32 of shape (images, classes).
        plain: metrics of these scores, without intervals.
        metrics: the same with intervals.
        temperature: that calibrates them, fitted on the validation images.
        before: calibration without it.
        after: calibration with it.
        log_loss_saved: log-loss before less after, of the same images; bootstrap.
        curves: of each class against the rest.
        recall: what was wanted of the thresholds; None without thresholds.
        thresholds: of each class.
        saliency: where the model looks.
        left_out: how well each class would be noticed that the training had not held.
        good: the class without a defect; None without one.
        val_truth: class indices of the validation images, of shape (validation images,).
        val_scores: as `scores`, of these.
    """

    truth: Labels
    scores: ClassScores
    plain: Metrics
    metrics: MetricsWithIntervals
    temperature: Temperature
    before: CalibrationScore
    after: CalibrationScore
    log_loss_saved: Estimate
    curves: tuple[ClassCurves, ...]
    recall: float | None
    thresholds: tuple[ThresholdScore, ...]
    saliency: Saliency
    left_out: tuple[LeftOutClass, ...]
    good: str | None
    val_truth: Labels
    val_scores: ClassScores

    @property
    def guess(self) -> Labels:
        """Index of the best class of each test image, of shape (images,)."""
        return np.asarray(self.scores.argmax(1))

    @property
    def precisions(self) -> tuple[Estimate | None, ...]:
        """Share of the images called each class of `metrics.classes` that are so; Wilson."""
        confusion = confusion_matrix(self.truth, self.guess, classes=self.scores.shape[1])
        called = confusion.sum(0)[np.unique(self.truth)]
        return tuple(
            share_estimate(one.hits, images=int(number)) if number else None
            for one, number in zip(self.metrics.classes, called, strict=True)
        )

    @property
    def calibration(self) -> Calibration:
        """What the model's files shall carry of it."""
        return Calibration(
            temperature=self.temperature.value,
            images=self.temperature.images,
            recall=self.recall,
            thresholds={one.label: one.threshold for one in self.thresholds} or None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `metrics.json` holds of it."""
        estimates = {metric.name: self.metrics.estimate(metric) for metric in METRICS}
        measured = {name: estimate for name, estimate in estimates.items() if estimate}
        return {
            "test": {name: estimate.value for name, estimate in measured.items()}
            | self.plain.to_json(),
            "intervals": {
                **{name: to_json(estimate.interval) for name, estimate in measured.items()},
                "classes": {
                    one.label: {
                        "recall": to_json(one.recall.interval),
                        "precision": precision and to_json(precision.interval),
                    }
                    for one, precision in zip(self.metrics.classes, self.precisions, strict=True)
                },
            },
            "calibration": {
                "temperature": self.temperature.value,
                "val_images": self.temperature.images,
                "at_bound": self.temperature.at_bound,
                "test_images": len(self.truth),
                "before": _calibration_json(self.before),
                "after": _calibration_json(self.after),
                "log_loss_saved": to_json(self.log_loss_saved),
            },
            "curves": {
                one.label: {"auc": one.auc, "average_precision": one.average_precision}
                for one in self.curves
            },
            "thresholds": {
                "recall": self.recall,
                "classes": to_json(self.thresholds),
            }
            if self.thresholds
            else None,
            "pointing": to_json(self.saliency.pointing) if self.saliency.pointing else None,
            "left_out": to_json(self.left_out) if self.left_out else None,
        }


def evaluate(
    info: FloatModelInfo,
    *,
    train: Split,
    val: Split,
    test: Split,
    photographs: Photographs,
    masked: MaskedImages | None = None,
    recall: float | None = None,
) -> Evaluation:
    """Return what a model is worth; writes nothing.

    Args:
        info: the model; a calibration that it has is left aside.
        train: images trained on.
        val: images not trained on, on which temperature and thresholds are chosen.
        test: others.
        photographs: the files of `test`.
        masked: those of them that have masks.
        recall: what the thresholds shall reach of each class, above 0, at most 1; None for none.
    """
    labels = info.labels
    model = FloatModel(replace(info, calibration=Calibration()))
    as_trained, features = model.observe(test.pixels)
    val_as_trained, val_features = model.observe(val.pixels)
    temperature = Temperature(1.0, images=0, at_bound=False)
    if not is_good_only(labels):
        temperature = fit_temperature(val_as_trained, val.classes)
    scores = at_temperature(as_trained, temperature.value)
    val_scores = at_temperature(val_as_trained, temperature.value)
    saved = log_losses(as_trained, test.classes) - log_losses(scores, test.classes)
    thresholds: tuple[ThresholdScore, ...] = ()
    if recall is not None:
        chosen = choose_thresholds(val_scores, val.classes, labels=labels, recall=recall)
        thresholds = score_thresholds(
            chosen, val=(val_scores, val.classes), test=(scores, test.classes), labels=labels
        )
    return Evaluation(
        truth=test.classes,
        scores=scores,
        plain=score_predictions(test.classes, scores.argmax(1), labels=labels),
        metrics=measure_metrics(test.classes, scores, labels=labels, good=info.good),
        temperature=temperature,
        before=_calibration_score(test.classes, as_trained),
        after=_calibration_score(test.classes, scores),
        log_loss_saved=_mean(saved),
        curves=class_curves(test.classes, scores, labels=labels),
        recall=recall,
        thresholds=thresholds,
        saliency=measure_saliency(model, test, scores, photographs=photographs, masked=masked),
        left_out=leave_classes_out(
            model,
            train,
            observed([val_features, features], [val_scores, scores], [val.classes, test.classes]),
            temperature=temperature.value,
        ),
        good=info.good,
        val_truth=val.classes,
        val_scores=val_scores,
    )


def _calibration_score(truth: Labels, scores: ClassScores) -> CalibrationScore:
    return CalibrationScore(
        error=calibration_estimate(truth, scores),
        log_loss=_log_loss(scores, truth),
        bins=calibration_bins(truth, scores),
    )


def _log_loss(scores: ClassScores, truth: Labels) -> Estimate:
    return _mean(log_losses(scores, truth))


def _mean(values: NDArray[np.float64]) -> Estimate:
    value = float(values.mean())
    interval = bootstrap_interval(lambda drawn: float(values[drawn].mean()), images=len(values))
    # Over equal values rounding may put the mean outside.
    return Estimate(value, Interval(min(interval.low, value), max(interval.high, value)))


def _calibration_json(score: CalibrationScore) -> dict[str, Any]:
    return {
        "expected_calibration_error": to_json(score.error),
        "log_loss": to_json(score.log_loss),
    }


LOG_LOSS = Metric(
    "log_loss",
    "log-loss",
    lambda predictions: _log_loss(predictions.scores, predictions.truth),
    unit="nats",
)
