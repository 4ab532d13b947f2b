"""From values to places on a chart."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10


@dataclass(frozen=True)
class Scale:
    """A line or a logarithm from values to places.

    Attributes:
        low: value at `start`.
        high: value at `end`, above `low`.
        start: place in pixels.
        end: place in pixels; below `start` where values grow upwards.
        log: whether equal ratios are equally far apart; then `low` is above 0.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value, which may lie beyond the ends."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = log10(low), log10(high), log10(max(value, low * 1e-6))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, at_most: int) -> list[float]:
        """Return round values within the ends, at most so many."""
        if self.log and self.high / self.low > 4:
            for digits in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
                found = self._decades(digits)
                if len(found) <= at_most:
                    return found
        return _round_values(self.low, self.high, at_most)

    def _decades(self, digits: Sequence[int]) -> list[float]:
        exponents = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        values = [digit * 10.0**exponent for exponent in exponents for digit in digits]
        return [value for value in values if self.low <= value <= self.high]


def scale_over(
    values: Sequence[float], *, start: float, end: float, log: bool = False, margin: float = 0.06
) -> Scale:
    """Return a scale that holds the values with room at both ends."""
    low, high = min(values), max(values)
    if log:
        room = max((high / low) ** margin, 1.02)
        return Scale(low / room, high * room, start, end, log=True)
    room = (high - low) * margin or abs(high) * margin or 1.0
    return Scale(low - room, high + room, start, end)


def tick_label(value: float, ticks: Sequence[float], *, signed: bool = False) -> str:
    """Return a tick's label with as many decimals as its neighbours need; over the decades of a
    logarithm, with its own."""
    steps = [b - a for a, b in pairwise(ticks)] or [abs(value) or 1.0]
    if max(steps) > 1.5 * min(steps):
        return f"{value:g}"
    decimals = max(0, -floor(log10(min(steps)) + 1e-9))
    text = f"{value:{'+' if signed and value else ''}.{decimals}f}"
    return text.replace("-", "−")


def spread(places: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Return the places of labels, moved as little as it takes to lie `gap` apart.

    Least squares by pooling neighbours that are too near (isotonic regression), then within `low`
    and `high`; if they cannot all fit there, they lie closer.
    """
    if not places:
        return []
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    order = sorted(range(len(places)), key=lambda i: places[i])
    pools: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        mean, size = places[index] - rank * gap, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean = (mean * size + other * others) / (size + others)
            size += others
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    room = high - (len(places) - 1) * gap
    moved = [0.0] * len(places)
    for rank, index in enumerate(order):
        moved[index] = min(max(flat[rank], low), room) + rank * gap
    return moved


def _round_values(low: float, high: float, at_most: int) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten."""
    exponent = floor(log10((high - low) / at_most))
    steps = [digit * 10.0**power for power in range(exponent, exponent + 3) for digit in (1, 2, 5)]
    counts = [floor(high / step) - ceil(low / step) + 1 for step in steps]
    step = steps[bisect_left([-number for number in counts], -at_most)]
    return [round(i * step, 12) for i in range(ceil(low / step), floor(high / step) + 1)]
