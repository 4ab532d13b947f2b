"""Channels that leave: the weights are those of least squares, the cost is the error that stays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.train.slim.removal import ReaderWeights, channel_step, damped

TAPS, CHANNELS, OUTPUTS = 3, 6, 5


@pytest.fixture
def moments() -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(400, TAPS * CHANNELS)) @ rng.normal(size=(TAPS * CHANNELS,) * 2)
    return np.asarray(mixed.T @ mixed / 400)


@pytest.fixture
def kernel() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(TAPS, CHANNELS, OUTPUTS)).astype(np.float32)


def rows(channels: list[int]) -> NDArray[np.intp]:
    return np.concatenate([np.arange(TAPS) + TAPS * channel for channel in channels])


def test_the_weights_that_stay_are_those_of_least_squares(
    kernel: NDArray[np.float32], moments: NDArray[np.float64]
) -> None:
    reader = ReaderWeights(kernel, moments, sensitivity=np.ones(OUTPUTS))
    for channel in (4, 1):
        reader.remove(channel)
    stay = rows([0, 2, 3, 5])
    every = kernel.swapaxes(0, 1).reshape(-1, OUTPUTS)
    system = damped(moments, 0.01)
    solved = np.linalg.solve(system[np.ix_(stay, stay)], system[stay] @ every)
    expected = solved.reshape(4, TAPS, OUTPUTS).swapaxes(0, 1)
    np.testing.assert_allclose(reader.kernel(), expected, rtol=1e-4, atol=1e-5)


def test_a_cost_is_by_how_much_the_weighed_error_grows(
    kernel: NDArray[np.float32], moments: NDArray[np.float64]
) -> None:
    sensitivity = np.array([1.0, 0.0, 2.0, 0.5, 3.0])
    reader = ReaderWeights(kernel, moments, sensitivity=sensitivity)
    before = reader.weights.copy()
    total = 0.0
    for channel in (2, 5, 0):
        total += reader.costs()[channel]
        reader.remove(channel)
        off = reader.weights - before
        error = np.einsum("io,ij,jo,o->", off, damped(moments, 0.01), off, sensitivity)
        assert total == pytest.approx(error)
        assert np.isinf(reader.costs()[channel])


def test_what_only_repeats_another_channel_costs_next_to_nothing(
    kernel: NDArray[np.float32],
) -> None:
    rng = np.random.default_rng(2)
    read = rng.normal(size=(500, CHANNELS, TAPS))
    read[:, 3] = 2 * read[:, 1]
    flat = read.reshape(500, -1)
    reader = ReaderWeights(kernel, flat.T @ flat / 500, sensitivity=np.ones(OUTPUTS))
    costs = reader.costs()
    assert max(costs[1], costs[3]) < 0.1 * np.delete(costs, [1, 3]).min()


def test_an_output_that_has_left_costs_nothing(
    kernel: NDArray[np.float32], moments: NDArray[np.float64]
) -> None:
    reader = ReaderWeights(kernel, moments, sensitivity=np.ones(OUTPUTS))
    for output in range(OUTPUTS):
        reader.remove_output(output)
    assert reader.costs().tolist() == [0.0] * CHANNELS


def test_steps_are_those_of_kernels_and_smaller_where_a_layer_is_narrow() -> None:
    assert [channel_step(width) for width in (128, 32, 24, 16, 12, 4, 2, 1)] == [
        *(8, 8, 4, 4, 2, 1, 1, 1)
    ]
