"""What novelty is judged by: the features of an image, and the doubt of its scores."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEAST_LENGTH = 1e-12


def mean_features(output: NDArray[Any], quantization: tuple[float, int]) -> Floats:
    """Return a model's second output as a feature vector, float32 of shape (channels,).

    Args:
        output: a feature map or its mean, of shape (..., channels), as the model gives it.
        quantization: its scale and zero point; a scale of 0 is that of floats.
    """
    scale, zero_point = quantization
    places = output.reshape(-1, output.shape[-1])
    # Most files give the mean itself.
    mean = places[0].astype(np.float64) if len(places) == 1 else places.mean(0, dtype=np.float64)
    mean = (mean - zero_point) * (scale or 1.0)
    return np.asarray(mean, np.float32)


def unit_length(features: Floats) -> Floats:
    """Return vectors, of shape (..., channels), brought to length 1; zero stays zero."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is infinite becomes no number
        length = np.sqrt(np.square(features).sum(-1, keepdims=True))
        return np.asarray(features / np.maximum(length, LEAST_LENGTH), np.float32)


def doubt_of(scores: NDArray[np.floating]) -> float:
    """Return the square root of the entropy of `scores`, of shape (classes,), in nats.

    Entropy is skewed, its root hardly, so that a few doubtful images do not set all limits.
    """
    entropy = -sum(score * math.log(score) for score in scores.tolist() if score > 0)
    return math.sqrt(max(entropy, 0.0))
