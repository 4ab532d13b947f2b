"""Which of several models to ship: one rule, whether their speed was measured or not."""

from collections.abc import Sequence
from dataclasses import dataclass

# Less is neither felt nor measured again on another day.
_AS_GOOD = 1.02


@dataclass(frozen=True)
class Tradeoff:
    """What a model loses, and what it costs.

    Attributes:
        is_harmless: whether what it loses is acceptable.
        drop_points: accuracy lost against the float model, in percentage points.
        cost: what it takes, in any one unit: milliseconds, bytes.
        speed_class: 0 for the fastest; a slower one is taken where no faster one is harmless.
    """

    is_harmless: bool
    drop_points: float
    cost: float
    speed_class: int = 0


def recommended_index(models: Sequence[Tradeoff]) -> int | None:
    """Return the index of the cheapest of the fastest harmless models; None if none is harmless.

    Of those that cost at most 2 % more than it, the one that loses least is taken; of equals, the
    first.
    """
    harmless = [(one, index) for index, one in enumerate(models) if one.is_harmless]
    if not harmless:
        return None
    fastest = min(one.speed_class for one, _ in harmless)
    among = [(one, index) for one, index in harmless if one.speed_class == fastest]
    most = min(one.cost for one, _ in among) * _AS_GOOD
    return min((one.drop_points, index) for one, index in among if one.cost <= most)[1]
