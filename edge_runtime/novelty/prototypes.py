"""The classes that a file was taught, as means of features, which answer for an image.

How near an image is to such a mean, in the Mahalanobis distance that novelty is judged by, is set
against how near it is to the network's nearest class: two normal distributions of one covariance.
What the network keeps of the image is divided among its classes as its own scores are. So a class
needs one photograph, and what lies far from all that was taught is answered as before.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import Floats
from .space import LEAST_DISTANCE, FeatureSpace

# The odds of a class fall by a factor of e over this share of known images' mean squared distance:
# found by the likelihood of images that were not taught.
_ODDS_UNIT = 0.1
# A mean of few views lies too far out, by what a view deviates from it: James and Stein's estimate
# would take all of that off its distance from the other classes. Half of it costs these less.
_SHRINKAGE, _LEAST_LEFT = 0.5, 0.2


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The taught classes as means of features, which answer for an image.

    Attributes:
        space: of the features.
        known_distance: the mean squared distance of known images.
        labels: number of all classes.
        places: of each taught class among them, of shape (taught,).
        means: of the offsets of its views, float32 of shape (taught, channels).
        views: how many these are, of shape (taught,).
    """

    space: FeatureSpace
    known_distance: float
    labels: int
    places: NDArray[np.intp]
    means: Floats
    views: NDArray[np.intp]

    @cached_property
    def centres(self) -> Floats:
        """The means, drawn towards the mean of the network's classes; of the same shape."""
        middle = self.space.class_means.mean(0) @ self.space.axes
        lengths = np.maximum(self.space.squared_lengths(self.means - middle), LEAST_DISTANCE)
        left = 1 - _SHRINKAGE * self.known_distance / self.views / lengths
        factors = np.maximum(left, _LEAST_LEFT)[:, np.newaxis]
        return np.asarray(middle + factors * (self.means - middle), np.float32)

    def without(self, row: int, view_mean: Floats) -> "Prototypes":
        """Return the same with a view of a class left out, which has others.

        Args:
            row: of the class among those that were taught.
            view_mean: the mean offset of the view's photographs.
        """
        means, views = self.means.copy(), self.views.copy()
        means[row] = (means[row] * views[row] - view_mean) / (views[row] - 1)
        views[row] -= 1
        return replace(self, means=means, views=views)

    def answer(
        self, features: NDArray[Any], scores: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], float, float]:
        """Return the scores of all classes, the squared distance from what was taught, and a share.

        The share is what is left to the network's classes. The distance is smaller than from a mean
        that is known, by what a mean of few views errs.

        Args:
            features: the mean of the last feature map, of shape (channels,).
            scores: of the network's own classes, of shape (outputs,), 0 to 1.

        Returns:
            float32 of shape (labels,), 0 to 1, a number above 0, and one from 0 to 1.
        """
        answered = np.zeros(self.labels, np.float64)
        answered[: len(scores)] = scores
        offset = self.space.offset(features)
        taught = self.space.squared_lengths(offset - self.centres)
        distances = np.append(taught, self.space.class_distances(offset).min())
        if not taught.size or not np.isfinite(distances).all():
            return answered.astype(np.float32), np.inf, 1.0
        unit = _ODDS_UNIT * self.known_distance
        odds = np.exp((distances.min() - distances) / unit)
        shares = odds / odds.sum()
        answered *= shares[-1]
        answered[self.places] += shares[:-1]
        nearest = float((taught * self.views / (self.views + 1)).min())
        return answered.astype(np.float32), nearest, float(shares[-1])
