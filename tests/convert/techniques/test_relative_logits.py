"""Relative logits: float stays what it is, and int8 tells classes apart that it could not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeclf.convert.graph.heatmap import find_tail
from edgeclf.convert.graph.nodes import (
    Activation,
    Conv,
    Dense,
    GlobalAverage,
    Graph,
    Input,
    Node,
    Reshape,
)
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.emit import emit_tflite
from edgeclf.convert.quantize.fake_quant import build_fake_quant
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.convert.recipes import RECIPES
from edgeclf.convert.techniques.relative_logits import relative_logits
from edgeclf.edge_runtime.tflite.interpreter import float_operators, open_interpreter
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

IMAGES = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 3), np.uint8)


def network(*, reshaped: bool = False, classes: int = 200, spread: float = 3) -> Graph:
    """Classes whose logits reach far and whose best are close together."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = [
        Input("image", (), (8, 8, 3)),
        Conv(
            "conv",
            ("image",),
            rng.normal(0, 0.01, (3, 3, 3, 16)).astype(np.float32),
            rng.normal(size=16).astype(np.float32),
            (1, 1),
            "same",
        ),
        Activation("relu", ("conv",), "relu"),
        GlobalAverage("mean", ("relu",), keepdims=reshaped),
    ]
    if reshaped:
        nodes.append(Reshape("flat", ("mean",), (16,)))
    kernel = rng.normal(0, spread, (16, classes)).astype(np.float32)
    bias = rng.normal(size=classes).astype(np.float32)
    dense = Dense("logits", (nodes[-1].name,), kernel, bias)
    return Graph([*nodes, dense, Activation("scores", ("logits",), "softmax")])


def converted(graph: Graph, recipe: str = "int8") -> bytes:
    return emit_tflite(graph, RECIPES[recipe], calibration=IMAGES)


def outputs(interpreter: Any) -> np.ndarray:
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for image in IMAGES:
        interpreter.set_tensor(taken["index"], image[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(given["index"])[0])
    return np.array(found)


def scores(flatbuffer: bytes, recipe: str = "int8") -> np.ndarray:
    """Return the scores 0..1 of a file, which has no float operator if it is an int8 one."""
    interpreter = open_interpreter(flatbuffer, name="head", threads=1)
    found = outputs(interpreter)
    if recipe == "int16x8":
        assert found.dtype == np.float32
        return found
    assert float_operators(interpreter) == {}
    assert found.dtype == np.uint8
    return found / 256


def float_scores(graph: Graph) -> np.ndarray:
    return np.asarray(build_tf_keras(graph).predict_on_batch(IMAGES.astype(np.float32)))


def relative(graph: Graph) -> Graph:
    return relative_logits(graph, IMAGES)


# 257 is a prime above the largest window; 2 is the least that can be told apart.
@pytest.mark.parametrize("classes", [2, 7, 200, 257, 1000])
def test_float_scores_stay(classes: int) -> None:
    graph = network(classes=classes)
    np.testing.assert_allclose(
        float_scores(relative(graph)), float_scores(graph), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("reshaped", [False, True])
def test_int8_is_nearer_to_float(reshaped: bool) -> None:
    graph = network(reshaped=reshaped)
    expected = float_scores(graph)
    coarse, fine = scores(converted(graph)), scores(converted(relative(graph)))
    error = np.abs(fine - expected).sum(1).mean()
    assert error < 0.7 * np.abs(coarse - expected).sum(1).mean()


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("classes", [63, 64, 1000])
def test_a_sure_class_gets_its_whole_score(classes: int, recipe: str) -> None:
    graph = network(classes=classes, spread=30)
    expected = float_scores(graph)
    sure = expected.max(1) > 0.9999
    assert sure.any()
    found = scores(converted(relative(graph), recipe), recipe)[sure]
    assert (found.argmax(1) == expected[sure].argmax(1)).all()
    assert found.max(1).min() >= 255 / 256


@pytest.mark.parametrize("classes", [2, 200, 1000])
def test_what_lies_far_below_the_best_logit_has_no_share(classes: int) -> None:
    graph = relative(network(classes=classes))
    logits = calibrate_ranges(graph, IMAGES)["logits"]
    assert classes * np.exp(logits.low) <= 1 / 512
    assert logits.high > 0


def test_logits_that_hardly_differ_keep_their_precision() -> None:
    graph = network(classes=4, spread=0.01)
    plain = calibrate_ranges(graph, IMAGES)["logits"]
    fine = calibrate_ranges(relative(graph), IMAGES)["logits"]
    assert fine.high - fine.low < 1.3 * (plain.high - plain.low)


def test_the_best_logit_is_the_largest_of_a_thousand() -> None:
    graph = network(classes=1000)
    best = build_tf_keras(relative(graph), outputs=["logits_coarse_best"])
    logits = build_tf_keras(graph, outputs=["logits"])
    batch = IMAGES.astype(np.float32)
    np.testing.assert_allclose(
        best.predict_on_batch(batch)[:, 0], logits.predict_on_batch(batch).max(1), rtol=1e-6
    )


def test_the_emulation_tells_what_the_file_tells() -> None:
    graph = relative(network())
    ranges = calibrate_ranges(graph, IMAGES)
    emulated = build_fake_quant(graph, ranges).predict_on_batch(IMAGES.astype(np.float32))
    np.testing.assert_allclose(scores(converted(graph)), emulated, rtol=0, atol=0.02)


def test_a_head_of_another_kind_stays() -> None:
    nodes = list(network())
    sigmoid = Graph([*nodes[:-1], Activation("scores", ("logits",), "sigmoid")])
    assert relative(sigmoid) is sigmoid


def test_a_network_whose_features_are_all_zero_stays() -> None:
    nodes = list(network())
    conv = nodes[1]
    assert isinstance(conv, Conv)
    dead = replace(conv, kernel=0 * conv.kernel, bias=0 * conv.bias - 1)
    graph = Graph([nodes[0], dead, *nodes[2:]])
    assert relative(graph) is graph
    expected = float_scores(graph)
    assert (scores(converted(graph)).argmax(1) == expected.argmax(1)).all()


def test_heatmaps_weigh_the_features_alone() -> None:
    graph = network()
    plain, tail = find_tail(graph), find_tail(relative(graph))
    assert tail.features == plain.features == "relu"
    np.testing.assert_array_equal(tail.kernel, plain.kernel)


def test_all_of_the_file_is_int8() -> None:
    model = parse_tflite(converted(relative(network())))
    made = {
        model.tensors[place].dtype for operator in model.operators for place in operator.outputs
    }
    assert made == {"int8", "uint8"}  # the input and the scores are uint8
    kinds = {operator.name for operator in model.operators}
    assert {"FULLY_CONNECTED", "MAX_POOL_2D", "CONCATENATION", "SOFTMAX"} <= kinds


def test_tensors_lie_where_any_type_may() -> None:
    flatbuffer = converted(network(), "int16x8")
    model = schema.Model.GetRootAs(flatbuffer)
    starts = []
    for place in range(model.BuffersLength()):
        buffer = model.Buffers(place)
        if buffer.DataLength():
            starts.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(starts) > 4
    assert not [start for start in starts if start % 16]


def test_the_same_network_gives_the_same_bytes() -> None:
    assert converted(relative(network())) == converted(relative(network()))
