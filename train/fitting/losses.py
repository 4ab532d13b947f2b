"""What a training minimises: the labels' cross-entropy, and a teacher's scores beside it."""

from typing import Any

import keras
from keras import ops

# Scores are kept from zero, whose logarithm is not finite.
_LEAST = 1e-7


class DistillationLoss(keras.losses.Loss):  # type: ignore[misc]
    """The loss of Hinton et al. 2015 (https://arxiv.org/abs/1503.02531), section 2.

    (1 - weight) * cross-entropy of the labels + weight * T^2 * divergence from the teacher, whose
    and the model's logits are divided by the temperature T first. The divergence is Kullback and
    Leibler's: its gradient is that of the paper's cross-entropy, and it is zero where both agree.
    """

    def __init__(self, *, weight: float, temperature: float, label_smoothing: float) -> None:
        """Weigh the teacher by `weight`, 0..1, at `temperature`."""
        super().__init__(name="distillation")
        self._weight = weight
        self._temperature = temperature
        self._label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image for targets (batch, 2 * classes), the teacher's right.

        Labels that are zeros add nothing.
        """
        labels, teacher = ops.split(y_true, 2, axis=-1)
        share = self._label_smoothing * ops.mean(labels, axis=-1, keepdims=True)
        labels = (1 - self._label_smoothing) * labels + share
        hard = keras.losses.categorical_crossentropy(labels, y_pred)
        wanted, said = self._softened(teacher), self._softened(y_pred)
        soft = ops.sum(ops.exp(wanted) * (wanted - said), axis=-1)
        return (1 - self._weight) * hard + self._weight * self._temperature**2 * soft

    def _softened(self, scores: Any) -> Any:
        """Return the logarithms of `scores` at the temperature."""
        return ops.log_softmax(ops.log(ops.maximum(scores, _LEAST)) / self._temperature, axis=-1)


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Return for each image whether the likeliest class is the labels', the teacher aside.

    Without a label it is the teacher's.

    Args:
        y_true: targets (batch, classes), or (batch, 2 * classes) with the teacher's to the right.
        y_pred: scores (batch, classes).
    """
    classes = y_pred.shape[-1]
    labels = y_true[:, :classes]
    if y_true.shape[-1] > classes:
        has_label = ops.any(labels > 0, axis=-1, keepdims=True)
        labels = ops.where(has_label, labels, y_true[:, classes:])
    return ops.cast(ops.equal(ops.argmax(labels, -1), ops.argmax(y_pred, -1)), "float32")
