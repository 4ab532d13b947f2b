"""Biases move until the rounded layers have float's means."""

import numpy as np
import pytest

from edgeclf.convert.graph.nodes import (
    Activation,
    Array,
    Conv,
    Dense,
    Depthwise,
    GlobalAverage,
    Graph,
    Input,
)
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.fake_quant import build_fake_quant, on_grid
from edgeclf.convert.quantize.ranges import TensorRange, calibrate_ranges
from edgeclf.convert.techniques.bias_correction import bias_correction

RNG = np.random.default_rng(0)


def grey_images(count: int) -> np.ndarray:
    """Return images whose mean is far from zero, so that errors of the kernels have one, too."""
    return RNG.integers(80, 140, (count, 16, 16, 3)).astype(np.uint8)


def layer(kernel: Array, *, name: str, source: str, kind: type = Conv) -> Conv | Depthwise:
    bias = RNG.normal(0, 9, kernel.shape[-2 if kind is Depthwise else -1]).astype(np.float32)
    return kind(name, (source,), kernel=kernel, bias=bias, strides=(1, 1), padding="valid")


@pytest.fixture(scope="module")
def graph() -> Graph:
    def normal(*shape: int, size: float) -> Array:
        return RNG.normal(0, size, shape).astype(np.float32)

    # Mostly positive: a channel that is zero everywhere has no mean to correct.
    alive = RNG.uniform(-0.1, 0.3, (3, 3, 3, 8)).astype(np.float32)
    return Graph(
        [
            Input("image", (), (16, 16, 3)),
            layer(alive, name="first", source="image"),
            Activation("relu", ("first",), "relu"),
            layer(normal(1, 1, 8, 1, size=1), name="scaled", source="relu", kind=Depthwise),
            layer(normal(1, 1, 8, 8, size=0.3), name="last", source="scaled"),
            GlobalAverage("mean", ("last",)),
            Dense("logits", ("mean",), normal(8, 4, size=0.02), np.zeros(4, np.float32)),
            Activation("scores", ("logits",), "softmax"),
        ]
    )


def mean_error(
    rounded: Graph, graph: Graph, ranges: dict[str, TensorRange], name: str, images: np.ndarray
) -> float:
    """Return by how many steps the means of the channels differ from float's, in the mean."""
    pixels = images.astype(np.float32)
    model = build_fake_quant(on_grid(rounded, ranges), ranges, outputs=(name,))
    step = (ranges[name].high - ranges[name].low) / 255
    steps = model.predict_on_batch(pixels)
    values = build_tf_keras(graph, outputs=(name,)).predict_on_batch(pixels) / step
    axes = tuple(range(values.ndim - 1))
    return float(np.abs(steps.mean(axes) - values.mean(axes)).mean())


@pytest.mark.parametrize("name", ["relu", "last"])
def test_the_means_of_new_images_come_nearer_to_float(graph: Graph, name: str) -> None:
    images, others = grey_images(32), grey_images(32)
    ranges = calibrate_ranges(graph, images)
    corrected = bias_correction(graph, ranges, images)
    before = mean_error(graph, graph, ranges, name, others)
    after = mean_error(corrected, graph, ranges, name, others)
    assert before > 0.1
    assert after < 0.5 * before


def test_only_biases_change(graph: Graph) -> None:
    images = grey_images(8)
    corrected = bias_correction(graph, calibrate_ranges(graph, images), images)
    for old, new in zip(graph, corrected, strict=True):
        assert new.name == old.name
        assert new.inputs == old.inputs
        if isinstance(old, Conv | Depthwise | Dense):
            np.testing.assert_array_equal(new.kernel, old.kernel)
            assert np.abs(new.bias - old.bias).max() > 0
