"""The head in int16: no float operator, and scores that int8's logits are too coarse for."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeclf.convert.build import build_tf_keras
from edgeclf.convert.emit import emit_tflite
from edgeclf.convert.graph import (
    Activation,
    Conv,
    Dense,
    GlobalAverage,
    Graph,
    Input,
    Node,
    Reshape,
)
from edgeclf.convert.head import wide_dense, widen_dense
from edgeclf.convert.recipes import RECIPES
from edgeclf.edge_runtime.interpreter import float_operators, open_interpreter
from edgeclf.edge_runtime.tflite_file import parse_tflite

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


@pytest.mark.parametrize("reshaped", [False, True])
def test_a_wide_head_is_nearer_to_float(reshaped: bool) -> None:
    graph = network(reshaped=reshaped)
    expected = build_tf_keras(graph).predict_on_batch(IMAGES.astype(np.float32))
    narrow, wide = scores(converted(graph)), scores(converted(widen_dense(graph)))
    error = np.abs(wide - expected).sum(1).mean()
    assert error < 0.7 * np.abs(narrow - expected).sum(1).mean()


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("classes", [63, 64, 1000])
def test_a_sure_class_gets_its_whole_score(classes: int, recipe: str) -> None:
    graph = network(classes=classes, spread=30)
    expected = build_tf_keras(graph).predict_on_batch(IMAGES.astype(np.float32))
    sure = expected.max(1) > 0.9999
    assert sure.any()
    found = scores(converted(widen_dense(graph), recipe), recipe)[sure]
    assert (found.argmax(1) == expected[sure].argmax(1)).all()
    assert found.max(1).min() >= 255 / 256


def test_what_is_wide() -> None:
    graph = network(reshaped=True)
    assert wide_dense(graph) is None
    dense = wide_dense(widen_dense(graph))
    assert dense is not None
    assert dense.name == "logits"


def test_a_head_of_another_kind_stays() -> None:
    nodes = list(network())
    sigmoid = Graph([*nodes[:-1], Activation("scores", ("logits",), "sigmoid")])
    assert wide_dense(widen_dense(sigmoid)) is None


def test_the_rest_of_the_file_stays_int8() -> None:
    model = parse_tflite(converted(widen_dense(network())))
    kinds: dict[str, set[str]] = {}
    for operator in model.operators:
        made = {model.tensors[place].dtype for place in operator.outputs}
        kinds[operator.name] = kinds.get(operator.name, set()) | made
    assert kinds["CONV_2D"] == kinds["MEAN"] == {"int8"}
    assert kinds["FULLY_CONNECTED"] == kinds["SOFTMAX"] == {"int16"}
    assert kinds["QUANTIZE"] >= {"int8", "int16", "uint8"}


def test_tensors_lie_where_any_type_may() -> None:
    flatbuffer = converted(widen_dense(network()))
    model = schema.Model.GetRootAs(flatbuffer)
    starts = []
    for place in range(model.BuffersLength()):
        buffer = model.Buffers(place)
        if buffer.DataLength():
            starts.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(starts) > 4
    assert not [start for start in starts if start % 16]


def test_the_same_network_gives_the_same_bytes() -> None:
    assert converted(widen_dense(network())) == converted(widen_dense(network()))
