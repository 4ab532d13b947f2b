"""How unlike its training an image is, by the features that a model computes of it.

The softmax cannot tell: it only compares classes. Two things can. The first is the Mahalanobis
distance of the features from the nearest class, which is large for all that the training did not
hold (Lee et al. 2018, https://arxiv.org/abs/1807.03888; on features of length 1,
https://arxiv.org/abs/2505.18032). The second is the entropy of the scores, which is large between
classes; alone it says little, but added to the first it finds more of what is near the training. A
distance above all that is known decides alone, and so does an appearance that no known image has;
below, the sum of both can make an image unknown.
"""

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..validation.strict_json import member, typed
from .appearance import AppearanceRange, Departure
from .features import doubt_of
from .space import LEAST_DISTANCE, FeatureSpace, decoded

_MOST_CHANNELS = 1 << 14
_MOST_OF_BLEND = 1.02  # of its limit: just enough to be unknown


@dataclass(frozen=True)
class Novelty:
    """How unlike its training an image is.

    Attributes:
        value: share of the known images that are less so, 0 to 1.
        deviations: the same as a standard normal deviate: `value` is Φ(deviations).
        limit: the deviate above which an image is unknown.
        cause: what is the larger part: the features are `unlike` the training, the scores lie
            `between` classes, or what the image is in comparison, such as `darker`.
    """

    value: float
    deviations: float
    limit: float
    cause: str

    def at(self, deviations: float) -> "Novelty":
        """Return the novelty of another deviate, for the same cause."""
        value = NormalDist().cdf(deviations)
        return replace(self, value=value, deviations=deviations)

    @property
    def is_unknown(self) -> bool:
        """Whether the image is none of what the model knows."""
        return self.deviations > self.limit


@dataclass(frozen=True)
class HeldOut:
    """The images that a novelty model's limit was set on, none of which it was fitted on.

    Attributes:
        images: how many.
        groups: of how many things these are.
        unknown: share of them that is said to be unknown, each group weighing the same.
        interval: of that share, by Wilson, with one draw a group.
    """

    images: int
    groups: int
    unknown: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class NoveltyModel:
    """What the training images' features were like. Arrays are little-endian bytes in base64.

    Attributes:
        channels: length of a feature vector.
        centre: mean of the features of length 1, float32 of shape (channels,).
        axes: orthonormal directions, float16 of shape (axes, channels).
        variances: within a class along each axis, float32 of shape (axes,).
        rest_variance: within a class along any other direction.
        class_means: along the axes, from the centre, float16 of shape (classes, axes).
        distance: mean and upper limit of the logarithm of known images' distances.
        weights: of that logarithm and of the doubt in their sum, which `blend` is of.
        blend: mean and upper limit of the sum.
        false_unknown: share of known images that shall be said to be unknown.
        held_out: what these figures come from.
        appearance: what known images look like; None of a file of an older edgeclf.
    """

    channels: int
    centre: str
    axes: str
    variances: str
    rest_variance: float
    class_means: str
    distance: tuple[float, float]
    weights: tuple[float, float]
    blend: tuple[float, float]
    false_unknown: float
    held_out: HeldOut
    appearance: AppearanceRange | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any], *, classes: int) -> "NoveltyModel":
        """Read the JSON object of a model; a damaged one is a ValueError, KeyError or TypeError."""
        held_out = member(values, "held_out", dict)
        arrays: dict[str, Any] = {name: member(values, name, str) for name in _ARRAYS}
        model = cls(
            channels=member(values, "channels", int),
            rest_variance=_positive(values, "rest_variance"),
            false_unknown=_positive(values, "false_unknown"),
            held_out=HeldOut(
                images=member(held_out, "images", int),
                groups=member(held_out, "groups", int),
                unknown=float(member(held_out, "unknown", int, float)),
                interval=_pair(held_out, "interval"),
            ),
            distance=_pair(values, "distance"),
            weights=_pair(values, "weights"),
            blend=_pair(values, "blend"),
            appearance=(
                AppearanceRange.from_json(member(values, "appearance", dict))
                if "appearance" in values
                else None
            ),
            **arrays,
        )
        model._check(classes)
        return model

    def to_json(self) -> dict[str, Any]:
        """Return what people want to know of it: the threshold, and what it was set on."""
        return {
            "threshold": self.threshold,
            "false_unknown": self.false_unknown,
            "held_out": asdict(self.held_out),
            "judges_pixels": self.appearance is not None,
        }

    def __str__(self) -> str:
        """Return the same in words."""
        held_out = self.held_out
        low, high = held_out.interval
        return (
            f"unknown above {self.threshold:g}, as {held_out.unknown:.1%} "
            f"[{low:.1%}, {high:.1%}] of {held_out.images} held-out images in {held_out.groups} "
            f"groups are{', by pixels too' if self.appearance else ''}"
        )

    def judge(
        self,
        features: NDArray[Any],
        scores: NDArray[np.floating],
        *,
        departure: Departure | None = None,
        threshold: float | None = None,
        taught_distance: float = math.inf,
        network_share: float = 1.0,
    ) -> Novelty:
        """Return how unlike its training an image is.

        Args:
            features: the mean of the last feature map, of shape (channels,).
            scores: of each of the network's classes, of shape (outputs,), 0 to 1.
            departure: of its appearance from that of known images; None to leave that out.
            threshold: the novelty above which it is unknown, above 0 to 1; None for the model's.
            taught_distance: squared, from the nearest class that was taught.
            network_share: of the image that is left to the network's classes, 0 to 1.
        """
        distance, blend = self.parts(
            features, scores, taught_distance=taught_distance, network_share=network_share
        )
        share, cause = min(blend, _MOST_OF_BLEND), "between"
        away = 0.0 if departure is None else departure.share
        if max(distance, away) > 1:
            share = 1 + max(distance, 0.0) + away
            cause = (departure.words if departure is not None else "") or "unlike"
        if not math.isfinite(distance):  # what is no number is nothing that is known
            share, cause = math.inf, "unlike"
        deviations = share * self.limit
        return Novelty(
            value=NormalDist().cdf(deviations),
            deviations=deviations,
            limit=self.limit if threshold is None else _deviate(threshold),
            cause=cause,
        )

    def parts(
        self,
        features: NDArray[Any],
        scores: NDArray[np.floating],
        *,
        taught_distance: float = math.inf,
        network_share: float = 1.0,
    ) -> tuple[float, float]:
        """Return the distance and the blend of distance and doubt: 0 is the mean, 1 the limit.

        Args:
            features: as of `judge`, as the scores.
            scores: the same.
            taught_distance: the same.
            network_share: the same; its doubt counts for so much.
        """
        doubt = network_share * doubt_of(scores)
        distance = self.distance_of(features)
        distance = math.log(min(distance, max(taught_distance, LEAST_DISTANCE)))
        blend = self.weights[0] * distance + self.weights[1] * doubt
        return _between(distance, self.distance), _between(blend, self.blend)

    def distance_of(self, features: NDArray[Any]) -> float:
        """Return the squared Mahalanobis distance of `features` from the nearest class, above 0."""
        return float(self.space.class_distances(self.space.offset(features)).min())

    @property
    def appearance_ranges(self) -> tuple[AppearanceRange, ...]:
        """What known images look like, for `departure_from`; empty if it does not say."""
        return () if self.appearance is None else (self.appearance,)

    @cached_property
    def limit(self) -> float:
        """The deviate above which an image is unknown."""
        return _deviate(self.threshold)

    @property
    def threshold(self) -> float:
        """The novelty above which an image is unknown, 0 to 1."""
        return 1 - self.false_unknown

    @cached_property
    def space(self) -> FeatureSpace:
        """The arrays, and the distances that they make."""
        axes = decoded(self.axes, "<f2").reshape(-1, self.channels)
        return FeatureSpace(
            centre=decoded(self.centre, "<f4"),
            axes=axes,
            deviations=np.sqrt(decoded(self.variances, "<f4")),
            class_means=decoded(self.class_means, "<f2").reshape(-1, len(axes)),
            rest_variance=self.rest_variance,
        )

    def _check(self, classes: int) -> None:
        if not 1 <= self.channels <= _MOST_CHANNELS:
            raise ValueError(f"a novelty model of {self.channels} channels")
        if not 0 < self.false_unknown < 0.5:
            raise ValueError(f"a rate of false unknown of {self.false_unknown}")
        arrays = self.space
        shapes = [
            (arrays.centre, (self.channels,)),
            (arrays.deviations, (len(arrays.axes),)),
            (arrays.class_means, (classes, len(arrays.axes))),
        ]
        if any(array.shape != shape for array, shape in shapes):
            raise ValueError("a novelty model whose arrays do not fit together")
        finite = (
            all(np.isfinite(array).all() for array, _ in shapes) and np.isfinite(arrays.axes).all()
        )
        ordered = all(low < high for low, high in (self.distance, self.blend))
        if not finite or not ordered or (arrays.deviations <= 0).any():
            raise ValueError("a novelty model with numbers that are none")


_ARRAYS = ("centre", "axes", "variances", "class_means")


def _deviate(novelty: float) -> float:
    if 0 < novelty < 1:
        return NormalDist().inv_cdf(novelty)
    return math.inf if novelty else -math.inf


def _between(value: float, mean_and_limit: tuple[float, float]) -> float:
    mean, limit = mean_and_limit
    return (value - mean) / (limit - mean)


def _pair(values: dict[str, Any], name: str) -> tuple[float, float]:
    numbers = [float(typed(name, one, int, float)) for one in member(values, name, list)]
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} of {numbers}")
    return numbers[0], numbers[1]


def _positive(values: dict[str, Any], name: str) -> float:
    number = float(member(values, name, int, float))
    if not 0 < number < math.inf:
        raise ValueError(f"{name} of {number}")
    return number
