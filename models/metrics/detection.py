"""How well a number tells foreign images from known ones; shares of images in groups."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .statistics import Estimate, student_quantile, wilson_interval

Values = NDArray[np.floating]


def auroc(negative: Values, positive: Values) -> float:
    """Return the chance that a positive image has a higher value than a negative one, ties as half.

    That is the area under the ROC curve (Fawcett, Pattern Recognition Letters 27 (2006) 861-874).

    Args:
        negative: a value for each image that shall have a low one, of shape (images,).
        positive: for each that shall have a high one; the same.
    """
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    up_to = np.searchsorted(ordered, positive, side="right")
    return float((below + up_to).mean() / 2 / len(negative))


def catch_curve(known: Values, foreign: Values) -> NDArray[np.float64]:
    """Return the shares of known and of foreign images above a falling limit.

    Returns:
        of shape (limits, 2), from (0, 0) to (1, 1), with a limit for each value that occurs.
    """
    limits = np.unique(np.concatenate([known, foreign]))[::-1]
    shares = [
        1 - np.searchsorted(np.sort(part), limits, side="left") / len(part)
        for part in (known, foreign)
    ]
    return np.vstack([np.zeros((1, 2)), np.stack(shares, axis=1)])


def group_numbers(groups: Sequence[str]) -> NDArray[np.intp]:
    """Return a number for each group; an image without one is a group of its own."""
    named = [group or f"\0{place}" for place, group in enumerate(groups)]
    return np.unique(named, return_inverse=True)[1]


def grouped_share(flags: NDArray[np.bool_], groups: NDArray[np.intp]) -> Estimate:
    """Return the share of `flags` that are true, each group weighing the same.

    The interval is Wilson's, with one draw a group: images of the same thing are no further ones.
    """
    places = np.unique(groups, return_inverse=True)[1]
    share = float((np.bincount(places, flags) / np.bincount(places)).mean())
    count = int(places.max()) + 1
    return Estimate(share, wilson_interval(round(share * count), images=count))


def upper_limit(
    values: Values, groups: NDArray[np.intp], share: float, *, fewest_groups: int
) -> float:
    """Return what at most `share` of these values exceed, and of those of a group yet unseen.

    The latter is the prediction limit of a normal distribution of which each group is one draw. Of
    few groups it lies far out: of less than `fewest_groups` it is left out.
    """
    seen = float(np.quantile(values, 1 - share, method="higher"))
    count = len(np.unique(groups))
    if count < fewest_groups:
        return seen
    quantile = student_quantile(1 - share, freedom=count - 1)
    spread = float(values.std(ddof=1)) * math.sqrt(1 + 1 / count)
    return max(seen, float(values.mean()) + quantile * spread)
