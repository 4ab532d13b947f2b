"""The first convolution on pairs of pixels: float stays as it is, and int8 reads pixels exactly."""

from dataclasses import replace

import numpy as np
import pytest
from stem_networks import RNG, first_map, one_convolution

from edgeclf.convert.graph.nodes import (
    Conv,
    Depthwise,
    Graph,
    Input,
    Node,
    PixelPairs,
    Reshape,
    ZeroPad,
)
from edgeclf.convert.techniques.pixel_pairs import pixel_pairs


def network(
    size: tuple[int, int],
    *,
    kernel: tuple[int, int] = (7, 7),
    strides: tuple[int, int] = (2, 2),
    padding: tuple[tuple[int, int], tuple[int, int]] | None = ((3, 3), (3, 3)),
    same: bool = False,
    normalised: bool = True,
) -> Graph:
    nodes: list[Node] = [Input("image", (), (*size, 3))]
    if normalised:
        scale = RNG.uniform(0.01, 0.02, (1, 1, 3, 1)).astype(np.float32)
        shift = RNG.normal(-2, 0.2, 3).astype(np.float32)
        nodes.append(Depthwise("normal", ("image",), scale, shift, (1, 1), "valid"))
    if padding:
        nodes.append(ZeroPad("padded", (nodes[-1].name,), padding))
    how = "same" if same else "valid"
    return one_convolution(*nodes, kernel=kernel, strides=strides, padding=how)


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(network((16, 16)), id="DenseNet's"),
        pytest.param(network((10, 18), padding=((1, 2), (2, 3)), kernel=(5, 4)), id="oblong"),
        pytest.param(
            network((12, 14), padding=None, same=True, kernel=(3, 3)), id="as MobileNet's"
        ),
        pytest.param(network((13, 16), padding=None, kernel=(3, 3)), id="without zeros"),
        pytest.param(network((16, 16), padding=((0, 0), (1, 0)), kernel=(1, 1)), id="one pixel"),
        pytest.param(network((16, 16), strides=(1, 2)), id="every row"),
        pytest.param(network((16, 16), normalised=False), id="pixels as they are"),
    ],
)
def test_pairs_change_nothing_in_float(graph: Graph) -> None:
    paired = pixel_pairs(graph)
    kinds = [type(node) for node in paired]
    assert Reshape in kinds
    # A mask is for what normalisation adds.
    assert (PixelPairs in kinds) == (Depthwise in [type(node) for node in graph])
    assert Depthwise not in kinds
    images = RNG.integers(0, 256, (3, *graph.input.shape), np.uint8)
    expected = first_map(graph, images)
    np.testing.assert_allclose(first_map(paired, images), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(network((16, 15)), id="odd width"),
        pytest.param(network((16, 16), strides=(2, 1)), id="every column"),
        pytest.param(network((16, 16), same=True), id="zeros twice"),
    ],
)
def test_another_beginning_stays(graph: Graph) -> None:
    paired = pixel_pairs(graph)
    assert [type(node) for node in paired] == [type(node) for node in graph]


def test_an_image_with_two_readers_stays() -> None:
    graph = network((16, 16))
    nodes = list(graph)
    conv = nodes[3]
    assert isinstance(conv, Conv)
    nodes.insert(4, replace(conv, name="second"))
    assert PixelPairs not in [type(node) for node in pixel_pairs(Graph(nodes))]
