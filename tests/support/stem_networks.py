"""Deploy graphs of one convolution, for what changes how a network begins."""

import numpy as np

from edgeclf.convert.graph.nodes import Activation, Conv, Dense, GlobalAverage, Graph, Node
from edgeclf.convert.graph.to_keras import build_tf_keras

RNG = np.random.default_rng(0)


def one_convolution(
    *stem: Node,
    kernel: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (2, 2),
    padding: str = "valid",
) -> Graph:
    """Return a classifier of four classes whose convolution, `first`, reads the last of `stem`."""
    weights = RNG.normal(0, 0.1, (*kernel, 3, 8)).astype(np.float32)
    bias = RNG.normal(size=8).astype(np.float32)
    return Graph(
        [
            *stem,
            Conv("first", (stem[-1].name,), weights, bias, strides, padding),
            Activation("relu", ("first",), "relu"),
            GlobalAverage("mean", ("relu",)),
            Dense("logits", ("mean",), np.eye(8, 4, dtype=np.float32), np.zeros(4, np.float32)),
            Activation("scores", ("logits",), "softmax"),
        ]
    )


def first_map(graph: Graph, images: np.ndarray) -> np.ndarray:
    """Return what the convolution makes of RGB uint8 images, in float."""
    return build_tf_keras(graph, outputs=("first",)).predict_on_batch(images.astype(np.float32))
