"""What is done to the network before int8: float stays as it is, int8 comes nearer to it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from edgeclf.convert.graph.nodes import (
    Activation,
    Concat,
    Conv,
    Dense,
    Depthwise,
    GlobalAverage,
    Graph,
    Input,
)
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.calibrate import channel_ranges
from edgeclf.convert.techniques.equalize_layers import equalize_layers, layer_pairs
from edgeclf.convert.techniques.gptq import (
    _rows,
    gptq,
    input_moments,
    round_best,
    round_kernel,
)
from edgeclf.convert.techniques.registry import TECHNIQUES

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), np.uint8)


def conv(name: str, source: str, rng: np.random.Generator, *, size: int = 3, into: int = 8) -> Conv:
    channels = 3 if source == "image" else 8
    return Conv(
        name,
        (source,),
        kernel=rng.normal(0, 0.1, (size, size, channels, into)).astype(np.float32),
        bias=rng.uniform(0, 9, into).astype(np.float32),
        strides=(1, 1),
        padding="same",
    )


@pytest.fixture
def graph() -> Graph:
    """Two convolutions with a ReLU between them, whose channels differ by up to 100 times."""
    rng = np.random.default_rng(1)
    first = conv("first", "image", rng)
    spread = np.logspace(0, -2, 8, dtype=np.float32)
    return Graph(
        [
            Input("image", (), (12, 12, 3)),
            Conv("first", ("image",), first.kernel * spread, first.bias * spread, (1, 1), "same"),
            Activation("relu", ("first",), "relu"),
            conv("second", "relu", rng),
            GlobalAverage("mean", ("second",)),
            Dense("logits", ("mean",), np.eye(8, 4, dtype=np.float32), np.zeros(4, np.float32)),
            Activation("scores", ("logits",), "softmax"),
        ]
    )


def outputs(graph: Graph, *names: str) -> np.ndarray:
    return build_tf_keras(graph, outputs=names).predict_on_batch(IMAGES.astype(np.float32))


def test_pairs_are_images_that_one_layer_makes_and_one_reads(graph: Graph) -> None:
    assert layer_pairs(graph) == {"relu": ("first", "second")}


@pytest.mark.parametrize("function", ["relu6", "sigmoid"])
def test_no_scale_passes_another_activation(graph: Graph, function) -> None:
    nodes = [Activation("relu", ("first",), function) if n.name == "relu" else n for n in graph]
    assert layer_pairs(Graph(nodes)) == {}


def test_a_tensor_with_two_readers_is_no_pair(graph: Graph) -> None:
    nodes = list(graph)[:4]
    assert layer_pairs(Graph([*nodes, Concat("both", ("relu", "second"))])) == {}


def test_a_depthwise_reader_undoes_it_too(graph: Graph) -> None:
    depthwise = Depthwise(
        "second",
        ("relu",),
        kernel=np.random.default_rng(2).normal(size=(3, 3, 8, 1)).astype(np.float32),
        bias=np.ones(8, np.float32),
        strides=(1, 1),
        padding="same",
    )
    with_it = Graph([depthwise if node.name == "second" else node for node in graph])
    names = tuple(layer_pairs(with_it))
    assert names == ("relu",)
    better = equalize_layers(with_it, channel_ranges(with_it, names, IMAGES))
    np.testing.assert_allclose(outputs(better), outputs(with_it), atol=1e-5)


def test_layers_meet_halfway_and_float_stays(graph: Graph) -> None:
    before = channel_ranges(graph, ("relu",), IMAGES)["relu"].high
    better = equalize_layers(graph, channel_ranges(graph, ("relu",), IMAGES))
    after = channel_ranges(better, ("relu",), IMAGES)["relu"].high
    np.testing.assert_allclose(outputs(better), outputs(graph), atol=1e-5)
    np.testing.assert_allclose(
        np.log(after.max() / after), np.log(before.max() / before) / 2, atol=1e-4
    )


def nearest(kernel: np.ndarray) -> np.ndarray:
    step = np.abs(kernel).max(0) / 127
    return np.round(kernel / step) * step


def test_rounding_loses_less_than_rounding_to_the_nearest() -> None:
    rng = np.random.default_rng(3)
    inputs = (rng.normal(size=(2000, 12)) @ rng.normal(size=(12, 100))).astype(np.float32)
    kernel = rng.normal(size=(100, 16)).astype(np.float32)
    ours = round_kernel(kernel, inputs.T @ inputs)

    def error(rounded: np.ndarray) -> float:
        return float(np.square(inputs @ (rounded - kernel)).sum())

    assert error(ours) < 0.1 * error(nearest(kernel))


def test_rounded_weights_lie_on_the_steps_that_tflite_takes() -> None:
    rng = np.random.default_rng(4)
    kernel = rng.normal(size=(150, 9)).astype(np.float32)
    kernel[:, 3] = 0
    inputs = rng.normal(size=(500, 150)).astype(np.float32)
    ours = round_kernel(kernel, inputs.T @ inputs)
    np.testing.assert_allclose(np.abs(ours).max(0), np.abs(kernel).max(0), rtol=1e-6)
    step = np.maximum(np.abs(ours).max(0), 1e-9) / 127
    np.testing.assert_allclose(ours / step, np.round(ours / step), atol=1e-3)


def test_few_weights_get_the_step_that_suits_them() -> None:
    rng = np.random.default_rng(4)
    inputs = (1 + rng.normal(size=(30, 500, 9)) @ rng.normal(size=(9, 9))).astype(np.float32)
    moments = np.swapaxes(inputs, 1, 2) @ inputs
    kernel = rng.normal(size=(30, 9, 2)).astype(np.float32)
    best = round_best(kernel, moments)
    step = np.abs(best).max(1, keepdims=True) / 127
    np.testing.assert_allclose(best / step, np.round(best / step), atol=1e-3)

    def errors(rounded: np.ndarray) -> np.ndarray:
        return np.square(inputs @ (rounded - kernel)).sum(1)

    one = errors(round_kernel(kernel, moments))
    assert (errors(best) <= 1.01 * one).all()
    assert errors(best).sum() < 0.85 * one.sum()


def test_moments_are_those_of_what_a_layer_multiplies(graph: Graph) -> None:
    moments = input_moments(graph, IMAGES)
    assert {name: m.shape for name, m in moments.items()} == {
        "first": (27, 27),
        "second": (72, 72),
        "logits": (8, 8),
    }
    mean = outputs(graph, "mean")
    np.testing.assert_allclose(moments["logits"], mean.T @ mean, rtol=1e-4)
    # Places are drawn: 64 of each image. The middle of a 3x3 kernel sees all pixels alike.
    middle = moments["first"].reshape(9, 3, 9, 3)[4, :, 4]
    pixels = IMAGES.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(middle, 64 / 144 * pixels.T @ pixels, rtol=0.1)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [(12, 12), (9, 14)])
def test_a_layer_is_looked_at_where_it_looks(strides, padding, size) -> None:
    """A kernel that sees other places would not find what the layer computes."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(2, *size, 3)).astype(np.float32)
    node = conv("layer", "image", rng)
    node = replace(node, strides=strides, padding=padding, bias=np.zeros(8, np.float32))
    found = _rows(node, values, rng) @ node.kernel.reshape(-1, 8)
    computed = tf.nn.conv2d(values, node.kernel, strides, padding.upper()).numpy().reshape(-1, 8)
    distance = np.abs(found[:, np.newaxis] - computed).max(-1)
    assert distance.min(1).max() < 1e-5
    assert len(set(distance.argmin(1))) > 0.5 * min(len(computed), 64)


def test_each_channel_of_a_depthwise_convolution_is_rounded_for_what_it_sees(graph: Graph) -> None:
    rng = np.random.default_rng(6)
    nodes = {node.name: node for node in graph}
    kernel = rng.normal(size=(3, 3, 8, 2)).astype(np.float32)
    kernels = {"second": kernel, "scaled": kernel[:1, :1, :, :1].repeat(2, 2)}
    for name, source in (("second", "relu"), ("scaled", "second")):
        bias = np.zeros(16, np.float32)
        nodes[name] = Depthwise(name, (source,), kernels[name], bias, (1, 1), "same")
    first, *rest = [nodes[name] for name in ("image", "first", "relu", "second", "scaled")]
    graph = Graph([first, *rest])
    smooth = (IMAGES // 8 + 28 * np.arange(8)[:, None, None, None]).astype(np.uint8)
    moments = input_moments(graph, smooth)
    assert {name: m.shape for name, m in moments.items()} == {
        "first": (27, 27),
        "second": (8, 9, 9),  # and none of `scaled`, whose weights are steps already
    }
    rounded = {node.name: node for node in gptq(graph, moments)}["second"].kernel
    step = np.abs(rounded).max((0, 1)) / 127
    np.testing.assert_allclose(rounded / step, np.round(rounded / step), atol=1e-3)
    step = np.abs(kernel).max((0, 1)) / 127
    seen = build_tf_keras(graph, outputs=("relu",)).predict_on_batch(smooth.astype(np.float32))

    def errors(rounded: np.ndarray) -> np.ndarray:
        made = tf.nn.depthwise_conv2d(seen, rounded - kernel, [1] * 4, "VALID").numpy()
        return np.square(made).sum((0, 1, 2)).reshape(step.shape) / step**2

    widths = np.square(seen).sum((0, 1, 2))[:, np.newaxis] + 1e-9
    ours, theirs = errors(rounded) / widths, errors(np.round(kernel / step) * step) / widths
    assert ours.sum() < 0.7 * theirs.sum()


def test_a_network_with_rounded_weights_is_nearly_the_same(graph: Graph) -> None:
    rounded = gptq(graph, input_moments(graph, IMAGES))
    changed = np.abs(outputs(rounded, "logits") - outputs(graph, "logits"))
    assert 0 < changed.max() < 0.02 * np.abs(outputs(graph, "logits")).max()


def test_steps_can_be_left_out(cli, tiny_run: Path, tiny_models: Path, tmp_path: Path) -> None:
    shown = {}
    for techniques in ("none", "equalize_concats"):
        out = tmp_path / techniques
        cli(
            *("convert", tiny_run, "--out", out, "--recipes", "int8", "--techniques", techniques),
            *("--max-drop", 100, "--max-class-drop", 100),
        )
        shown[techniques] = json.loads((out / "conversion.json").read_text())
    shown["all"] = json.loads((tiny_models / "conversion.json").read_text())
    assert [t["calibration"]["techniques"] for t in shown.values()] == [
        [],
        ["equalize_concats"],
        list(TECHNIQUES),
    ]
    assert len({t["models"][-1]["sha256"] for t in shown.values()}) == 3
    losses = [t["models"][-1]["largest_difference"] for t in shown.values()]
    assert losses[2] < losses[0]


def test_an_unknown_technique_is_named(cli, tiny_run: Path, tmp_path: Path) -> None:
    result = cli(*("convert", tiny_run, "--out", tmp_path, "--techniques", "gptq,magic"), code=1)
    assert (
        "unknown technique 'magic'; known: "
        "input_zero, pixel_pairs, average_pooling, equalize_concats, equalize_sums, "
        "equalize_layers, relative_logits, gptq, bias_correction; or all, or none" in result.stderr
    )
