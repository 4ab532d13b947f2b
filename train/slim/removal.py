"""Channels leave one after another, each time those that the scores miss least.

For each reader of a channel the rest of its weights are solved again, so that what it computes
stays as near as it can to what it was: the optimal brain surgeon (Hassibi and Stork 1993), with
whole channels for weights, and with the covariance of what the reader reads for the Hessian matrix
(Frantar and Alistarh 2022, https://arxiv.org/abs/2208.11580). What is left of the error, weighed by
how much the scores depend on each output, is the cost of the channel.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import Layout
from .statistics import Values

# Share of each second moment that is added to it, as few images make what channels share look
# larger than it is; and of their mean, so that there is an inverse.
_DAMPING = 0.01
_LEAST_DAMPING = 1e-6

# Rows that are solved at once: of more, what is subtracted fits no cache.
_BLOCK = 64

# Kernels compute so many channels side by side, and fewer of them cost as much.
_SIDE_BY_SIDE = 8


class ReaderWeights:
    """The weights of a convolution or dense layer, solved again for each channel that leaves."""

    def __init__(self, kernel: NDArray[np.float32], second_moments: Values, sensitivity: Values):
        """Take a reader's weights.

        Args:
            kernel: of shape (taps, channels, outputs).
            second_moments: of what is read, about its mean or about zero, of shape
                (channels * taps, channels * taps).
            sensitivity: of each output, of shape (outputs,).
        """
        taps, channels, outputs = kernel.shape
        self.taps = taps
        by_channel = np.ascontiguousarray(kernel.swapaxes(0, 1)).reshape(-1, outputs)
        self.weights = by_channel.astype(np.float64)
        self.stays = np.ones(channels, np.bool_)
        self._sensitivity = sensitivity.copy()
        self._inverse = np.linalg.inv(damped(second_moments, _DAMPING))

    def costs(self) -> Values:
        """Return what each channel would cost, of shape (channels,); infinite where it has left."""
        count = len(self.stays)
        blocks = self._inverse.reshape(count, self.taps, count, self.taps)
        own = np.einsum("aiaj->aij", blocks)
        weights = self.weights.reshape(count, self.taps, -1)
        solved = np.linalg.solve(own, weights)
        costs = np.einsum("cto,cto,o->c", weights, solved, self._sensitivity)
        return np.asarray(np.where(self.stays, costs, np.inf))

    def remove(self, channel: int) -> None:
        """Remove a channel that is read, and solve the other weights again."""
        rows = slice(channel * self.taps, (channel + 1) * self.taps)
        column = self._inverse[:, rows].copy()
        solved = np.linalg.solve(self._inverse[rows, rows], column.T)  # taps, inputs
        self.weights -= solved.T @ self.weights[rows]
        for start in range(0, len(column), _BLOCK):
            part = slice(start, start + _BLOCK)
            self._inverse[part] -= column[part] @ solved
        self.weights[rows] = 0
        self._inverse[rows] = self._inverse[:, rows] = 0
        self._inverse[rows, rows] = np.eye(self.taps)
        self.stays[channel] = False

    def remove_output(self, channel: int) -> None:
        """Have a channel that is made cost nothing any more."""
        self._sensitivity[channel] = 0

    def kernel(self) -> NDArray[np.float32]:
        """Return the weights of the channels that stay, of shape (taps, channels, outputs)."""
        by_channel = self.weights.reshape(len(self.stays), self.taps, -1)[self.stays]
        return np.ascontiguousarray(by_channel.swapaxes(0, 1), np.float32)


def damped(second_moments: NDArray[Any], share: float) -> Values:
    """Return second moments with a share more on the diagonal, so that they can be inverted."""
    diagonal = np.diagonal(second_moments).astype(np.float64)
    more = share * diagonal + (_LEAST_DAMPING * diagonal.mean() or 1.0)
    return np.asarray(second_moments + np.diag(more))


def channel_step(width: int) -> int:
    """Return how many of a layer's channels leave together, which is also how few may stay.

    They are 8, and of narrow layers a power of two that is a quarter at most.
    """
    return min(_SIDE_BY_SIDE, 1 << max(0, (width // 4).bit_length() - 1))


def smallest_widths(layout: Layout) -> dict[str, int]:
    """Return how few channels `remove_channels` leaves of each source."""
    narrow = {source: channel_step(layout.widths[source]) for source in layout.removable}
    return layout.widths | narrow


def remove_channels(
    layout: Layout,
    readers: Mapping[str, ReaderWeights],
    *,
    budget: int,
    advance: Callable[[int], object],
) -> dict[str, NDArray[np.bool_]]:
    """Remove channels until the network has `budget` multiply-accumulates or fewer.

    Each time those leave of one source that cost least for the multiply-accumulates they save.

    Args:
        layout: of the network.
        readers: all that read a removable source; their weights are solved again.
        budget: multiply-accumulates of the convolutions and dense layers for one image; those of
            `smallest_widths` at least.
        advance: is called with the multiply-accumulates that left each time.

    Returns:
        Whether a channel stays, bool of shape (channels,), by source.
    """
    removal = _Removal(layout, readers)
    left = layout.multiplications()
    while left > budget:
        removal.remove(removal.cheapest())
        before, left = left, layout.multiplications(removal.widths)
        advance(before - left)
    return removal.stays


class _Removal:
    """Which channels have left so far, and what the others would cost."""

    def __init__(self, layout: Layout, readers: Mapping[str, ReaderWeights]) -> None:
        self.widths = dict(layout.widths)
        self.stays = {name: np.ones(self.widths[name], np.bool_) for name in layout.removable}
        self._layout = layout
        self._readers = readers
        self._smallest = smallest_widths(layout)
        self._affected = _affected_sources(layout)
        self._of_reader = {name: reader.costs() for name, reader in readers.items()}
        self._costs = {source: self._source_costs(source) for source in layout.removable}

    def cheapest(self) -> str:
        """Return the source whose next channels cost least for what they save."""
        rates = {
            source: self._next_cost(source) / self._layout.saving(source, self.widths)
            for source in self._costs
            if self.widths[source] > self._smallest[source]
        }
        return min(rates, key=lambda source: rates[source])

    def remove(self, source: str) -> None:
        """Remove the next channels of `source`, the cheapest first."""
        readers = self._layout.readers[source]
        for _ in range(self._next_count(source)):
            channel = int(self._costs[source].argmin())
            self.stays[source][channel] = False
            for name in readers:
                for first in self._firsts(name, source):
                    self._readers[name].remove(first + channel)
                self._of_reader[name] = self._readers[name].costs()
            self._costs[source] = self._source_costs(source)
            if source in self._readers:
                self._readers[source].remove_output(channel)
        self.widths[source] = int(self.stays[source].sum())
        if source in self._readers:
            self._of_reader[source] = self._readers[source].costs()
        for other in self._affected[source]:
            self._costs[other] = self._source_costs(other)

    def _next_count(self, source: str) -> int:
        """Return how many channels leave next, so that a multiple of the step stays."""
        return (self.widths[source] - 1) % self._smallest[source] + 1

    def _next_cost(self, source: str) -> float:
        """Return the mean cost of the channels that would leave next."""
        count = self._next_count(source)
        return float(np.partition(self._costs[source], count - 1)[:count].mean())

    def _source_costs(self, source: str) -> Values:
        total = np.zeros(self._layout.widths[source])
        for name in self._layout.readers[source]:
            for first in self._firsts(name, source):
                total += self._of_reader[name][first : first + len(total)]
        return total

    def _firsts(self, name: str, source: str) -> list[int]:
        """Return the index of the first channel of `source` at its places in what `name` reads."""
        firsts, start = [], 0
        for other in self._layout.layers[name].sources:
            if other == source:
                firsts.append(start)
            start += self._layout.widths[other]
        return firsts


def _affected_sources(layout: Layout) -> dict[str, list[str]]:
    """Return for each removable source those whose costs change once it has fewer channels."""
    removable = set(layout.removable)
    return {
        source: [
            other
            for other in dict.fromkeys(
                other
                for name in (source, *layout.readers[source])
                for other in layout.layers[name].sources
            )
            if other in removable
        ]
        for source in layout.removable
    }
