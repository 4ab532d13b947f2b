"""Averages as depthwise convolutions: the same in float, with a range of their own in int8."""

from dataclasses import replace

import numpy as np
import pytest

from edgeclf.convert.graph.nodes import Depthwise, Graph, Input, Pool
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.convert.techniques.average_pooling import average_pooling

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)
AVERAGE = Pool("pool", ("image",), "average", (2, 3), (2, 2), "valid")


def network(pool: Pool) -> Graph:
    return Graph([Input("image", (), (12, 12, 3)), pool])


def test_an_average_stays_the_same_in_float() -> None:
    before, after = network(AVERAGE), average_pooling(network(AVERAGE))
    assert isinstance(after["pool"], Depthwise)
    expected, found = (
        build_tf_keras(graph).predict_on_batch(IMAGES.astype(np.float32))
        for graph in (before, after)
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_its_range_is_its_own() -> None:
    stars = IMAGES.copy()
    stars[:, 1::2], stars[:, :, 1::2] = 0, 0  # an average holds two bright pixels of six at most
    shared = calibrate_ranges(network(AVERAGE), stars)["pool"]
    own = calibrate_ranges(average_pooling(network(AVERAGE)), stars)["pool"]
    assert shared.high == 255
    assert own.high < 255


@pytest.mark.parametrize("pool", [replace(AVERAGE, kind="max"), replace(AVERAGE, padding="same")])
def test_what_is_no_plain_average_stays(pool: Pool) -> None:
    assert list(average_pooling(network(pool))) == list(network(pool))
