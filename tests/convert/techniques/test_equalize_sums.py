"""Residual networks before int8: channels that are added up come nearer to a common range."""

from dataclasses import replace

import numpy as np
import pytest

from edgeclf.convert.graph.nodes import (
    Activation,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Elementwise,
    GlobalAverage,
    Graph,
    Input,
    Node,
)
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.calibrate import channel_ranges
from edgeclf.convert.quantize.emit import emit_tflite
from edgeclf.convert.recipes import RECIPES
from edgeclf.convert.techniques.equalize_sums import Sums, equalize_sums, find_sums, summed
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (16, 8, 8, 3), np.uint8)
SPREAD = np.logspace(0, -2.5, 8, dtype=np.float32)


def conv(name: str, source: str, *, size: int = 1, spread: bool = False) -> Conv:
    """A convolution; with `spread`, its channels differ by up to 300 times."""
    into, undone = (SPREAD, 1) if spread else (1, SPREAD[:, np.newaxis])
    channels = 3 if source == "image" else 8
    kernel = RNG.normal(size=(size, size, channels, 8)) * into / channels
    if source in {"start", "first", "second"}:  # what is read at such scales counts alike
        kernel = kernel / undone
    return Conv(
        name,
        (source,),
        kernel=kernel.astype(np.float32),
        bias=np.asarray(RNG.normal(size=8) * into, np.float32),
        strides=(1, 1),
        padding="same",
    )


def residual(blocks: dict[str, list[Node]]) -> Graph:
    """Two blocks on a start that is added to each: first = start + one, second = first + two."""
    return Graph(
        [
            Input("image", (), (8, 8, 3)),
            conv("start", "image", size=3, spread=True),
            *blocks["one"],
            Elementwise("first", ("start", "one"), "add"),
            *blocks["two"],
            Elementwise("second", ("first", "two"), "add"),
            GlobalAverage("mean", ("second",)),
            Dense(
                "logits",
                ("mean",),
                kernel=(RNG.normal(size=(8, 4)) / SPREAD[:, np.newaxis]).astype(np.float32) / 50,
                bias=np.zeros(4, np.float32),
            ),
            Activation("scores", ("logits",), "softmax"),
        ]
    )


def inner(name: str, source: str) -> list[Node]:
    """A block that reads its source with a convolution, as MobileNet's do."""
    return [
        conv(f"{name}_in", source, size=3),
        Activation(f"{name}_relu", (f"{name}_in",), "relu"),
        conv(name, f"{name}_relu", spread=True),
    ]


def pre_activated(name: str, source: str) -> list[Node]:
    """A block that reads its source with a BatchNorm, as the second version of ResNet does."""
    norm = Depthwise(
        f"{name}_norm",
        (source,),
        kernel=(1 / SPREAD).reshape(1, 1, 8, 1),
        bias=RNG.normal(size=8).astype(np.float32),
        strides=(1, 1),
        padding="valid",
    )
    relu = Activation(f"{name}_relu", (norm.name,), "relu")
    return [norm, relu, conv(name, relu.name, spread=True)]


@pytest.fixture
def graph() -> Graph:
    return residual({"one": inner("one", "start"), "two": inner("two", "first")})


def outputs(graph: Graph, *names: str) -> np.ndarray:
    return build_tf_keras(graph, outputs=names).predict_on_batch(IMAGES.astype(np.float32))


def equalized(graph: Graph) -> Graph:
    return equalize_sums(graph, channel_ranges(graph, summed(graph), IMAGES))


def width(graph: Graph, name: str) -> np.ndarray:
    found = channel_ranges(graph, (name,), IMAGES)[name]
    return np.maximum(found.high, -found.low)


def test_all_that_is_added_up_is_found(graph: Graph) -> None:
    row = Sums(("start", "one", "two"), ("first", "second", "mean"), ("one_in", "two_in", "logits"))
    assert find_sums(graph) == (row,)
    assert set(summed(graph)) == {*row.makers, *row.passing}


def test_float_stays_and_channels_meet_halfway(graph: Graph) -> None:
    better = equalized(graph)
    np.testing.assert_allclose(outputs(better), outputs(graph), atol=1e-5)
    before, after = (width(each, "second") for each in (graph, better))
    assert before.max() / before.min() > 100
    assert after.max() / after.min() < 3 * np.sqrt(before.max() / before.min())


def test_where_only_depthwise_layers_read_channels_become_alike() -> None:
    graph = residual({"one": pre_activated("one", "start"), "two": pre_activated("two", "first")})
    nodes = [*list(graph)[:-3], *pre_activated("end", "second"), GlobalAverage("mean", ("end",))]
    graph = Graph([*nodes, *list(graph)[-2:]])
    better = equalized(graph)
    np.testing.assert_allclose(outputs(better), outputs(graph), atol=1e-5)
    after = width(better, "second")
    assert after.max() / after.min() < 5


@pytest.mark.parametrize("kind", ["add", "subtract", "average", "maximum", "minimum"])
def test_every_sum_passes_it(graph: Graph, kind) -> None:
    nodes = [replace(n, kind=kind) if isinstance(n, Elementwise) else n for n in graph]
    better = equalized(Graph(nodes))
    assert find_sums(better)
    np.testing.assert_allclose(outputs(better), outputs(Graph(nodes)), atol=1e-5)


@pytest.mark.parametrize(
    "other",
    [
        Elementwise("first", ("start", "one"), "multiply"),
        Concat("first", ("start", "one")),
        Activation("first", ("start",), "hard_silu"),
    ],
)
def test_no_scale_passes_what_is_no_sum(graph: Graph, other: Node) -> None:
    nodes = [other if node.name == "first" else node for node in graph]
    [second] = [node for node in nodes if node.name == "second"]
    assert find_sums(Graph(nodes[: nodes.index(other) + 1])) == ()
    assert second.name not in {n for sums in find_sums(Graph(nodes)) for n in sums.passing}


def test_what_is_read_otherwise_is_left_alone(graph: Graph) -> None:
    nodes = list(graph)
    curved = Activation("curved", ("second",), "silu")
    with_it = Graph([*nodes[:-3], curved, replace(nodes[-3], inputs=("curved",)), *nodes[-2:]])
    assert find_sums(with_it) == ()
    np.testing.assert_array_equal(outputs(equalized(with_it)), outputs(with_it))
    assert find_sums(Graph(nodes[:-3])) == ()  # the output's scale is nobody's to change


def test_int8_comes_nearer_to_float(graph: Graph) -> None:
    logits = outputs(graph, "logits")
    # Scores that are neither 0 nor 1 on these images.
    telling = replace(
        graph["logits"],
        kernel=graph["logits"].kernel / logits.std(),
        bias=-logits.mean(0) / logits.std(),
    )
    graph = Graph([telling if node.name == "logits" else node for node in graph])

    def error(of: Graph) -> float:
        flatbuffer = emit_tflite(of, RECIPES["int8"], calibration=IMAGES)
        interpreter = open_interpreter(flatbuffer, name="int8", threads=1)
        [taken], [given] = interpreter.get_input_details(), interpreter.get_output_details()
        scores = []
        for image in IMAGES:
            interpreter.set_tensor(taken["index"], image[np.newaxis])
            interpreter.invoke()
            scores.append(interpreter.get_tensor(given["index"])[0] / 256)
        return float(np.abs(np.stack(scores) - outputs(of)).mean())

    assert error(equalized(graph)) < 0.5 * error(graph)
