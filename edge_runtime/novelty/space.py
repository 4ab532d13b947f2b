"""The space of features in which a model knows its classes, and distances in it."""

import base64
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .features import Floats, unit_length

_MOST_NUMBERS = 1 << 22  # of an array in a file that is read
LEAST_DISTANCE = 1e-12


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Features of length 1, seen from the centre of the training's.

    Attributes:
        centre: mean of the training's, of shape (channels,).
        axes: orthonormal directions, of shape (axes, channels).
        deviations: within a class along each axis, of shape (axes,).
        rest_variance: within a class along any other direction.
        class_means: along the axes, of shape (classes, axes).
    """

    centre: Floats
    axes: Floats
    deviations: Floats
    class_means: Floats
    rest_variance: float

    def offset(self, features: NDArray[Any]) -> Floats:
        """Return features from the centre: of length 1 before; of shape (..., channels)."""
        return np.asarray(unit_length(np.asarray(features, np.float32)) - self.centre, np.float32)

    def class_distances(self, offset: Floats) -> NDArray[np.float64]:
        """Return the squared Mahalanobis distance of one offset from each class, (classes,)."""
        along = self.axes @ offset
        inside = np.square((along - self.class_means) / self.deviations).sum(1)
        beside = max(float(offset @ offset - along @ along), 0.0) / self.rest_variance
        return np.asarray(np.maximum(inside.astype(np.float64) + beside, LEAST_DISTANCE))

    def squared_lengths(self, differences: Floats) -> NDArray[np.float64]:
        """Return the squared Mahalanobis length of each difference of offsets, (n, channels)."""
        along = differences @ self.axes.T
        inside = np.square(along / self.deviations).sum(1, dtype=np.float64)
        left = np.square(differences).sum(1) - np.square(along).sum(1)
        return np.asarray(inside + np.maximum(left, 0.0) / self.rest_variance)

    def discriminant(self, mean: Floats) -> tuple[Floats, float]:
        """Return weights and a bias that tell a class from the mean of the network's classes.

        Of features of length 1, each channel's times its weight, in sum plus the bias, is half of
        what the squared distance from the class is smaller than that from the mean of all.

        Args:
            mean: of the class, an offset of shape (channels,).

        Returns:
            float32 of shape (channels,), and a number.
        """
        other = self.class_means.mean(0) @ self.axes
        difference = mean - other
        along = self.axes @ difference
        direction = along / np.square(self.deviations) @ self.axes
        direction += (difference - along @ self.axes) / self.rest_variance
        bias = -float(direction @ (self.centre + (mean + other) / 2))
        return np.asarray(direction, np.float32), bias


def encoded(array: NDArray[Any], dtype: Literal["<f2", "<f4"]) -> str:
    """Return `array` as a file's spec holds it: little-endian bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(array.astype(dtype)).tobytes()).decode()


def decoded(text: str, dtype: Literal["<f2", "<f4"]) -> Floats:
    """Return the numbers that `encoded` wrote, float32 of shape (numbers,).

    Raises:
        ValueError: they are none, or too many.
    """
    if len(text) > 8 * _MOST_NUMBERS:
        raise ValueError("an array of features that is endless")
    return np.frombuffer(base64.b64decode(text, validate=True), dtype).astype(np.float32)
