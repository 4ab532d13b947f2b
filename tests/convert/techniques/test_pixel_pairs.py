"""The first convolution on pairs of pixels: float stays as it is, and int8 reads pixels exactly."""

from dataclasses import replace

import numpy as np
import pytest

from edgeclf.convert.graph.nodes import (
    Activation,
    Conv,
    Dense,
    Depthwise,
    GlobalAverage,
    Graph,
    Input,
    Node,
    PixelPairs,
    Reshape,
    ZeroPad,
)
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.techniques.pixel_pairs import pixel_pairs

RNG = np.random.default_rng(0)


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
    weights = RNG.normal(0, 0.1, (*kernel, 3, 8)).astype(np.float32)
    bias = RNG.normal(size=8).astype(np.float32)
    how = "same" if same else "valid"
    return Graph(
        [
            *nodes,
            Conv("first", (nodes[-1].name,), weights, bias, strides, how),
            Activation("relu", ("first",), "relu"),
            GlobalAverage("mean", ("relu",)),
            Dense("logits", ("mean",), np.eye(8, 4, dtype=np.float32), np.zeros(4, np.float32)),
            Activation("scores", ("logits",), "softmax"),
        ]
    )


def first_map(graph: Graph, images: np.ndarray) -> np.ndarray:
    return build_tf_keras(graph, outputs=("first",)).predict_on_batch(images.astype(np.float32))


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
