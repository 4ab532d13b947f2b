"""What ranges int8 tensors get, and what int16 ones."""

from dataclasses import replace

import numpy as np
import pytest

from edgeclf.convert.graph.nodes import Activation, Concat, Conv, Dense, GlobalAverage, Graph, Input
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.emit import emit_tflite
from edgeclf.convert.quantize.int16_headroom import add_headroom
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.convert.recipes import RECIPES
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

RNG = np.random.default_rng(0)
# Each image is brighter than the one before.
IMAGES = np.stack([RNG.integers(0, 20 * (i + 1), (8, 8, 3)) for i in range(12)]).astype(np.uint8)


def conv(name: str, source: str, channels: int) -> Conv:
    kernel = RNG.normal(size=(1, 1, channels, 4)).astype(np.float32) / 100
    bias = RNG.normal(size=4).astype(np.float32)  # equal ones TFLite would quantize as one
    return Conv(name, (source,), kernel, bias, strides=(1, 1), padding="valid")


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph(
        [
            Input("image", (), (8, 8, 3)),
            conv("first", "image", 3),
            Activation("relu", ("first",), "relu"),
            conv("second", "relu", 4),
            Concat("both", ("relu", "second")),
            conv("third", "both", 8),
            GlobalAverage("pooled", ("third",), keepdims=False),
            Dense(
                "logits",
                ("pooled",),
                RNG.normal(size=(4, 5)).astype(np.float32),
                np.zeros(5, np.float32),
            ),
            Activation("scores", ("logits",), "softmax"),
        ]
    )


def values(graph: Graph, name: str, images: np.ndarray) -> np.ndarray:
    return build_tf_keras(graph, outputs=(name,)).predict_on_batch(images.astype(np.float32))


def test_ranges_have_room_for_further_images(graph: Graph) -> None:
    ranges = calibrate_ranges(graph, IMAGES[:6])
    for name in ("third", "pooled", "logits", "both"):
        inside = values(graph, name, IMAGES[:6])
        low, high = min(inside.min(), 0), inside.max()
        assert 1.05 < (ranges[name].high - ranges[name].low) / (high - low) <= 2


def test_what_does_not_grow_gets_no_room(graph: Graph) -> None:
    same = np.repeat(IMAGES[:1], 4, axis=0)
    for images in (same, same[:1]):
        ranges, logits = calibrate_ranges(graph, images), values(graph, "logits", images)
        assert ranges["logits"].high == pytest.approx(max(logits.max(), 0), rel=1e-5)
        assert ranges["logits"].low == pytest.approx(min(logits.min(), 0), rel=1e-5)


@pytest.mark.parametrize(("size", "reaches"), [(1.0, False), (50.0, True)])
def test_the_range_of_a_relu6_ends_at_6(graph: Graph, size: float, *, reaches: bool) -> None:
    image, first, *_ = graph
    wide = replace(first, kernel=first.kernel * np.float32(size))
    six = Graph([image, wide, Activation("six", ("first",), "relu6"), GlobalAverage("m", ("six",))])
    [inside] = [values(six, "six", IMAGES[:6]).max()]
    high = calibrate_ranges(six, IMAGES[:6])["six"].high
    assert (inside == 6) == reaches
    assert high == 6 if reaches else inside < high <= 6


def test_what_keeps_its_values_shares_its_range(graph: Graph) -> None:
    ranges = calibrate_ranges(graph, IMAGES)
    assert ranges["relu"] == ranges["second"] == ranges["both"]
    assert "first" not in ranges  # fused with its ReLU


def test_pixels_and_scores_are_prescribed(graph: Graph) -> None:
    ranges = calibrate_ranges(graph, IMAGES)
    assert (ranges["image"].low, ranges["image"].high) == (0, 255)
    assert (ranges["scores"].low, ranges["scores"].high) == (0, 255 / 256)


def test_int16_files_take_what_exceeds_the_extremes(graph: Graph) -> None:
    dark = np.concatenate([IMAGES[:1], IMAGES[:1]])
    flatbuffer = emit_tflite(graph, RECIPES["int16x8"], calibration=dark)
    interpreter = open_interpreter(flatbuffer, name="int16x8", threads=1)
    bright = IMAGES[3:4]  # four times as bright
    [taken], [given] = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(taken["index"], bright)
    interpreter.invoke()
    expected = values(graph, "scores", bright)
    np.testing.assert_allclose(interpreter.get_tensor(given["index"]), expected, atol=0.01)


def test_widening_changes_scales_and_biases_only(graph: Graph) -> None:
    once = emit_tflite(graph, RECIPES["int16x8"], calibration=IMAGES)
    one, other = parse_tflite(once), parse_tflite(add_headroom(once))
    assert one.operators == other.operators
    for tensor, wider in zip(one.tensors, other.tensors, strict=True):
        if tensor.dtype == "int64":
            np.testing.assert_allclose(wider.scales, 4 * tensor.scales)
            np.testing.assert_allclose(4 * wider.values(), tensor.values(), atol=2)
        elif tensor.constant is not None:
            np.testing.assert_array_equal(wider.constant, tensor.constant)
