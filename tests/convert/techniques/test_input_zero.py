"""Pixels counted from the network's mean: float stays as it is, and int8 has it for nothing."""

from dataclasses import replace

import numpy as np
import pytest
from stem_networks import RNG, first_map, one_convolution

from edgeclf.convert.graph.nodes import Conv, Depthwise, Graph, Input, Node, PixelPairs, ZeroPad
from edgeclf.convert.quantize.calibrate import pin_input_range
from edgeclf.convert.quantize.emit import emit_int8
from edgeclf.convert.quantize.fake_quant import build_fake_quant, on_grid
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.convert.techniques.bias_correction import bias_correction
from edgeclf.convert.techniques.input_zero import input_zero
from edgeclf.convert.techniques.pixel_pairs import pixel_pairs
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter

IMAGES = pin_input_range(RNG.integers(0, 256, (8, 16, 16, 3), np.uint8))


def network(
    *,
    means: tuple[float, float, float] = (127, 127, 127),
    scales: tuple[float, float, float] = (1 / 128, 1 / 64, 1 / 128),
    padded: bool = False,
    strides: tuple[int, int] = (2, 2),
) -> Graph:
    scale = np.array(scales, np.float32)
    shift = -scale * np.array(means, np.float32)
    nodes: list[Node] = [
        Input("image", (), (16, 16, 3)),
        Depthwise("normal", ("image",), scale.reshape(1, 1, 3, 1), shift, (1, 1), "valid"),
    ]
    if padded:
        nodes.append(ZeroPad("padded", ("normal",), ((1, 1), (1, 1))))
    how = "valid" if padded else "same"
    return one_convolution(*nodes, strides=strides, padding=how)


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(network(), id="as EfficientNet-Lite's"),
        pytest.param(network(padded=True), id="padded"),
        pytest.param(network(strides=(1, 1)), id="every pixel"),
        pytest.param(network(means=(0, 0, 0)), id="no mean"),
    ],
)
def test_nothing_changes_in_float(graph: Graph) -> None:
    counted = input_zero(graph)
    assert Depthwise not in [type(node) for node in counted]
    assert counted.input.zero in (0, 127)
    for made in (counted, pixel_pairs(counted)):
        assert PixelPairs not in [type(node) for node in made]  # no mask is needed
        np.testing.assert_allclose(
            first_map(made, IMAGES), first_map(graph, IMAGES), atol=1e-4, rtol=1e-5
        )


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(network(means=(124, 116, 104)), id="a mean for each colour"),
        pytest.param(network(means=(127.5, 127.5, 127.5)), id="a mean between two values"),
        pytest.param(network(means=(-3, -3, -3)), id="below black"),
        pytest.param(network(scales=(0, 1, 1)), id="a colour that does not count"),
    ],
)
def test_another_normalisation_stays(graph: Graph) -> None:
    assert list(input_zero(graph)) == list(graph)


def test_an_image_that_others_read_stays() -> None:
    graph = network()
    nodes = list(graph)
    conv = graph["first"]
    assert isinstance(conv, Conv)
    nodes.insert(3, replace(conv, name="second"))
    assert list(input_zero(Graph(nodes))) == nodes


@pytest.mark.parametrize("pairs", [False, True])
def test_int8_reads_the_pixels_as_they_are(pairs: bool) -> None:
    graph = input_zero(network())
    graph = pixel_pairs(graph) if pairs else graph
    ranges = calibrate_ranges(graph, IMAGES)
    assert (ranges["image"].low, ranges["image"].high) == (-127, 128)
    graph = bias_correction(graph, ranges, IMAGES)
    flatbuffer = emit_int8(graph, ranges, features="relu")
    file = open_interpreter(flatbuffer, name="int8", threads=1)
    [image] = file.get_input_details()
    assert (image["dtype"], image["quantization"]) == (np.uint8, (1.0, 127))
    counted = build_fake_quant(on_grid(graph, ranges), ranges, outputs=("relu",))
    expected = counted.predict_on_batch(IMAGES.astype(np.float32))
    details = file.get_output_details()[1]
    for pixels, steps in zip(IMAGES, expected, strict=True):
        file.set_tensor(image["index"], pixels[np.newaxis])
        file.invoke()
        made = file.get_tensor(details["index"])[0].astype(np.int32) - details["quantization"][1]
        np.testing.assert_array_equal(made, steps)
    assert np.ptp(expected) > 100
