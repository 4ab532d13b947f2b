"""How well a number tells foreign images from known ones; shares of images in groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .statistics import Estimate, wilson_interval

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
