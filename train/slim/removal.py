"""Channels leave one after another, each time those that the scores miss least.

For each reader of a channel the rest of its weights are solved again, so that what it computes
stays as near as it can to what it was: the optimal brain surgeon (Hassibi and Stork 1993), with
whole channels for weights, and with the covariance of what the reader reads for the Hessian matrix
(Frantar and Alistarh 2022, https://arxiv.org/abs/2208.11580). What is left of the error, weighed by
how much the scores depend on each output, is the cost of the channel.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from .layout import Layout
from .statistics import Values

# Shares that are added to the diagonal of the second moments: of each of its values, as few images
# make what channels share look larger than it is; and of their mean, so that there is an inverse.
_DAMPING = 0.01
_LEAST_DAMPING = 1e-6

# Channels that leave together: kernels compute so many side by side, and fewer cost as much.
CHANNEL_STEP = 8


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
        self._inverse = np.linalg.inv(damped(second_moments))

    def costs(self) -> Values:
        """Return what each channel would cost, of shape (channels,); infinite where it has left."""
        count = len(self.stays)
        blocks = self._inverse.reshape(count, self.taps, count, self.taps)
        own = np.einsum("aiaj->aij", blocks)
        weights = self.weights.reshape(count, self.taps, -1)
        solved = np.linalg.solve(own, weights)
        costs = np.einsum("cto,cto,o->c", weights, solved, self._sensitivity)
        return np.where(self.stays, costs, np.inf)

    def remove(self, channel: int) -> None:
        """Remove a channel that is read, and solve the other weights again."""
        rows = slice(channel * self.taps, (channel + 1) * self.taps)
        column = self._inverse[:, rows]
        solved = np.linalg.solve(self._inverse[rows, rows], column.T)  # taps, inputs
        self.weights -= solved.T @ self.weights[rows]
        self._inverse -= column @ solved
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


def damped(second_moments: Values) -> Values:
    """Return second moments with more on the diagonal, so that they can be inverted."""
    diagonal = np.diagonal(second_moments)
    more = _DAMPING * diagonal + (_LEAST_DAMPING * diagonal.mean() or 1.0)
    return second_moments + np.diag(more)


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
        budget: multiply-accumulates of the convolutions and dense layers for one image.
        advance: is called with the multiply-accumulates that left each time.

    Returns:
        Whether a channel stays, bool of shape (channels,), by source. What `smallest_widths` leaves
        may have more than `budget`.
    """
    widths = dict(layout.widths)
    smallest = smallest_widths(layout)
    stays = {source: np.ones(widths[source], np.bool_) for source in layout.removable}
    costs = {name: reader.costs() for name, reader in readers.items()}
    affected = _affected_sources(layout)
    of_source = {source: _source_costs(layout, costs, source) for source in layout.removable}
    left = layout.multiplications()
    while left > budget:
        rates = {
            source: _step_cost(found) / layout.saving(source, widths)
            for source, found in of_source.items()
            if widths[source] > smallest[source]
        }
        if not rates:
            break
        source = min(rates, key=lambda name: rates[name])
        for _ in range((widths[source] - 1) % CHANNEL_STEP + 1):
            channel = int(of_source[source].argmin())
            stays[source][channel] = False
            for name in layout.readers[source]:
                for first in _firsts(layout, name, source):
                    readers[name].remove(first + channel)
                costs[name] = readers[name].costs()
            of_source[source] = _source_costs(layout, costs, source)
            if source in readers:
                readers[source].remove_output(channel)
        widths[source] = int(stays[source].sum())
        if source in readers:
            costs[source] = readers[source].costs()
        for other in affected[source]:
            of_source[other] = _source_costs(layout, costs, other)
        before, left = left, layout.multiplications(widths)
        advance(before - left)
    return stays


def smallest_widths(layout: Layout) -> dict[str, int]:
    """Return how few channels `remove_channels` leaves of each source at the most."""
    narrow = {source: min(layout.widths[source], CHANNEL_STEP) for source in layout.removable}
    return layout.widths | narrow


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


def _firsts(layout: Layout, name: str, source: str) -> list[int]:
    """Return the index of the first channel of `source` at each of its places in what is read."""
    firsts, start = [], 0
    for other in layout.layers[name].sources:
        if other == source:
            firsts.append(start)
        start += layout.widths[other]
    return firsts


def _source_costs(layout: Layout, costs: Mapping[str, Values], source: str) -> Values:
    total = np.zeros(layout.widths[source])
    for name in layout.readers[source]:
        for first in _firsts(layout, name, source):
            total += costs[name][first : first + len(total)]
    return total


def _step_cost(costs: Values) -> float:
    return float(np.partition(costs, CHANNEL_STEP - 1)[:CHANNEL_STEP].mean())
