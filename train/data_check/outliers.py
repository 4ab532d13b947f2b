"""Photographs that are unlike the others of their class in size, shape, light or contrast."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .reading import Photograph

# B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993: the factors, which make the
# scores standard deviations where the values are normal, and the bound.
_TO_MEDIAN_DEVIATION, _TO_MEAN_DEVIATION = 1.4826, 1.2533
BOUND = 3.5
# Of fewer photographs no one can say what is usual.
_FEWEST = 10
# What nobody would see is no outlier, however narrow the others lie: octaves, and grey levels.
_LEAST = {"size": 0.25, "aspect": 0.1, "brightness": 8.0, "contrast": 4.0}


@dataclass(frozen=True)
class Outlier:
    """A photograph that is far from its class's median.

    Attributes:
        photograph: its place among all.
        measure: `size` (root of the pixels), `aspect` (width by height), `brightness` (mean grey
            level) or `contrast` (standard deviation of the grey levels).
        value: of the photograph.
        median: of its class.
        score: distance from the median in robust standard deviations; of the logarithms for size
            and aspect.
    """

    photograph: int
    measure: str
    value: float
    median: float
    score: float


def find_outliers(photographs: Sequence[Photograph]) -> tuple[Outlier, ...]:
    """Return what is further from its class's median than 3.5 robust standard deviations."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, photograph in enumerate(photographs):
        places[photograph.label].append(place)
    found: list[Outlier] = []
    for members in places.values():
        if len(members) < _FEWEST:
            continue
        for measure, least in _LEAST.items():
            values = np.asarray([_measured(photographs[place], measure) for place in members])
            scale = np.log2(values) if measure in ("size", "aspect") else values
            scores = robust_scores(scale)
            far = (abs(scores) > BOUND) & (abs(scale - np.median(scale)) >= least)
            median = float(np.median(values))
            found += [
                Outlier(members[i], measure, float(values[i]), median, float(scores[i]))
                for i in np.flatnonzero(far)
            ]
    return tuple(sorted(found, key=lambda outlier: -abs(outlier.score)))


def robust_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many robust standard deviations each value is from the median.

    The deviation is the median one, or where that is 0, since most are the same, the mean one.
    """
    off = values - np.median(values)
    deviation = _TO_MEDIAN_DEVIATION * float(np.median(abs(off)))
    if deviation == 0:
        deviation = _TO_MEAN_DEVIATION * float(abs(off).mean())
    return off / deviation if deviation else np.zeros_like(off)


def _measured(photograph: Photograph, measure: str) -> float:
    if measure == "size":
        return float((photograph.width * photograph.height) ** 0.5)
    if measure == "aspect":
        return photograph.width / photograph.height
    return photograph.brightness if measure == "brightness" else photograph.contrast
