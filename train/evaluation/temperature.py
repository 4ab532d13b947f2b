"""Temperature scaling: scores that are as sure as they are right.

Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017: all logits
are divided by one number, which changes no decision.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.metrics.scoring import ClassScores, Labels

# Beyond, the validation images are too few or too easy to say anything.
COLDEST, HOTTEST = 0.25, 4.0
# On fewer, the temperature is largely chance.
FEW_IMAGES = 50

# What is expected of its logarithm before an image is seen: that it is within a factor of 2 of 1
# twice in three times.
_SPREAD = float(np.log(2))

_LEAST = float(np.finfo(np.float32).tiny)
_GRID = 161
_STEPS = 40  # of the golden section: from a step of the grid to 1e-10 of it


@dataclass(frozen=True)
class Temperature:
    """A temperature and what it was fitted on.

    Attributes:
        value: what the logits are divided by; above 1, the model was too sure.
        images: number of validation images; 0 where none was fitted.
        at_bound: whether it would have gone beyond what we allow.
    """

    value: float
    images: int
    at_bound: bool


def fit_temperature(scores: ClassScores, truth: Labels) -> Temperature:
    """Return the temperature of the least negative log-likelihood on images not trained on.

    A few images must not speak louder than they can. Where all n of them are right, any further
    certainty would pay: so the truth counts as sure as n images can tell, (n + 1) / (n + 2)
    (Laplace's rule of succession, as in Platt, Probabilistic outputs for support vector machines,
    1999). And the temperature has a prior around 1, which a few hundred images outweigh.

    Args:
        scores: of the uncalibrated model, float32 of shape (images, classes), 0 to 1.
        truth: class indices, of shape (images,), at least one.
    """
    images, classes = scores.shape
    doubt = 1 / (images + 2)
    targets = np.full(scores.shape, doubt / (classes - 1))
    targets[np.arange(images), truth] = 1 - doubt
    logits = _logits(scores)

    def loss(log_temperature: float) -> float:
        log_scores = _log_softmax(logits / np.exp(log_temperature))
        return float(-(targets * log_scores).sum() + (log_temperature / _SPREAD) ** 2 / 2)

    grid = np.linspace(np.log(COLDEST), np.log(HOTTEST), _GRID)
    best = int(np.argmin([loss(value) for value in grid]))
    at_bound = best in (0, _GRID - 1)
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    value = float(np.exp(grid[best] if at_bound else _least(loss, float(low), float(high))))
    return Temperature(value, images, at_bound)


def at_temperature(scores: ClassScores, temperature: float) -> ClassScores:
    """Return the scores after their logits are divided by `temperature`; shapes as above."""
    return np.exp(_log_softmax(_logits(scores) / temperature)).astype(np.float32)


def log_losses(scores: ClassScores, truth: Labels) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each image's class in nats, of shape (images,)."""
    right = scores[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.maximum(right, _LEAST)), np.float64)


def _logits(scores: ClassScores) -> NDArray[np.float64]:
    """Return logits that make these scores; all that differ by a constant do."""
    return np.log(np.maximum(scores, _LEAST).astype(np.float64))


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one valley is least, by golden section."""
    ratio = (5**0.5 - 1) / 2
    inner, outer = high - ratio * (high - low), low + ratio * (high - low)
    at_inner, at_outer = loss(inner), loss(outer)
    for _ in range(_STEPS):
        if at_inner <= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - ratio * (high - low)
            at_inner = loss(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + ratio * (high - low)
            at_outer = loss(outer)
    return (low + high) / 2
