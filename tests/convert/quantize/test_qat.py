"""Quantization-aware training, and the recipes beyond the default ones."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from schemas import valid_file

from edgeclf.convert.graph.batch_norm import deploy_graph
from edgeclf.convert.graph.heatmap import find_tail
from edgeclf.convert.graph.nodes import (
    Activation,
    Conv,
    Dense,
    Depthwise,
    GlobalAverage,
    Graph,
    Input,
    Node,
)
from edgeclf.convert.graph.read_keras import read_keras
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize import qat
from edgeclf.convert.quantize.calibrate import channel_ranges, pin_input_range
from edgeclf.convert.quantize.emit import emit_int8
from edgeclf.convert.quantize.fake_quant import build_fake_quant, on_grid
from edgeclf.convert.quantize.int8_steps import divided
from edgeclf.convert.quantize.qat import QatConfig, Trained, train_fake_quant
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.convert.techniques.equalize_concats import concat_parts, equalize_concats
from edgeclf.convert.techniques.registry import apply_techniques, calibrate_int8, parse_techniques
from edgeclf.edge_runtime import Classifier
from edgeclf.edge_runtime.tflite.interpreter import float_operators, open_interpreter
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite
from edgeclf.models.data.augment import AugmentConfig
from edgeclf.models.float_model import FloatModel
from edgeclf.models.photographs import load_photographs, run_photographs
from edgeclf.models.run import read_run

CONFIG = QatConfig(epochs=2, batch_size=16, augment=AugmentConfig(), seed=0)


@pytest.fixture(scope="module")
def images(tiny_run: Path) -> dict[str, np.ndarray]:
    run = read_run(tiny_run)
    return {
        name: load_photographs(
            run_photographs(run, name), size_hw=run.info.input_hw, rule=run.info.resize
        )[0]
        for name in ("train", "val", "test")
    }


@pytest.fixture(scope="module")
def deploy(tiny_run: Path) -> Graph:
    return deploy_graph(read_keras(FloatModel(read_run(tiny_run).info).keras_model))


@pytest.fixture(scope="module")
def graph(deploy: Graph, images: dict[str, np.ndarray]) -> Graph:
    inputs = pin_input_range(images["train"])
    return equalize_concats(deploy, channel_ranges(deploy, concat_parts(deploy), inputs))[0]


@pytest.fixture(scope="module")
def train(graph: Graph, images) -> Callable[..., Trained]:
    def call(checkpoint: Path, config: QatConfig = CONFIG) -> Trained:
        return train_fake_quant(
            graph,
            calibrate_ranges(graph, images["train"]),
            start=graph,
            train=images["train"],
            val=images["val"],
            config=config,
            checkpoint=checkpoint,
        )

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint that `whole` leaves."""
    return tmp_path_factory.mktemp("whole") / "checkpoint.npz"


@pytest.fixture(scope="module")
def whole(train, finished: Path) -> Trained:
    """What a training that nothing interrupted brings."""
    return train(finished)


def kernels(trained: Trained) -> list[np.ndarray]:
    return [node.kernel for node in trained.graph if hasattr(node, "kernel")]


@pytest.mark.parametrize("techniques", ["none", "equalize_concats,equalize_layers", "all"])
def test_the_rounded_network_is_the_file_bit_for_bit(
    deploy: Graph, images, techniques: str
) -> None:
    inputs = pin_input_range(images["train"])
    chosen = parse_techniques(techniques)
    graph, ranges = calibrate_int8(apply_techniques(deploy, chosen, inputs), chosen, inputs)
    features = find_tail(graph).features
    interpreter = open_interpreter(
        emit_int8(graph, ranges, features=features), name="rounded", threads=1
    )
    assert float_operators(interpreter) == {}
    taken, (scored, mapped) = interpreter.get_input_details()[0], interpreter.get_output_details()
    assert taken["quantization"] == (1.0, 0)
    maps, scores = [], []
    for image in images["test"]:
        interpreter.set_tensor(taken["index"], image[np.newaxis])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(scored["index"])[0])
        maps.append(interpreter.get_tensor(mapped["index"])[0])
    pixels = images["test"].astype(np.float32)
    model = build_fake_quant(on_grid(graph, ranges), ranges, outputs=(features, graph.output.name))
    rounded_maps, rounded_scores = model.predict_on_batch(pixels)
    zero_point = mapped["quantization"][1]
    np.testing.assert_array_equal(np.array(maps) - np.float32(zero_point), rounded_maps)
    assert np.abs(np.array(scores) / 256 - rounded_scores).max() < 0.005
    plain = build_tf_keras(graph).predict_on_batch(pixels)
    assert np.abs(rounded_scores - plain).max() > 1e-4  # it does round


def test_a_relu6_counts_as_in_the_file() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 16, 16, 3), np.uint8)

    def normal(*shape: int, size: float) -> np.ndarray:
        return rng.normal(0, size, shape).astype(np.float32)

    def layer(kind: type, name: str, source: str, kernel: np.ndarray, channels: int) -> Node:
        return kind(name, (source,), kernel, normal(channels, size=1), (1, 1), "same")

    chosen = parse_techniques("gptq,bias_correction")
    graph = Graph(
        [
            Input("image", (), (16, 16, 3)),
            layer(Conv, "first", "image", normal(3, 3, 3, 8, size=0.02), 8),
            Activation("one", ("first",), "relu6"),
            layer(Depthwise, "second", "one", normal(3, 3, 8, 1, size=1), 8),
            Activation("two", ("second",), "relu6"),
            layer(Conv, "third", "two", normal(1, 1, 8, 8, size=0.5), 8),
            GlobalAverage("mean", ("third",)),
            Dense("logits", ("mean",), normal(8, 4, size=1), normal(4, size=1)),
            Activation("scores", ("logits",), "softmax"),
        ]
    )
    made = build_tf_keras(graph, outputs=("one", "two")).predict_on_batch(images.astype("f4"))
    assert [part.max() for part in made] == [6, 6]  # both are cut off
    graph, ranges = calibrate_int8(apply_techniques(graph, chosen, images), chosen, images)
    interpreter = open_interpreter(emit_int8(graph, ranges, features="third"), name="", threads=1)
    mapped = interpreter.get_output_details()[1]
    maps = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
        interpreter.invoke()
        maps.append(interpreter.get_tensor(mapped["index"])[0])
    model = build_fake_quant(on_grid(graph, ranges), ranges, outputs=("third",))
    expected = model.predict_on_batch(images.astype(np.float32))
    np.testing.assert_array_equal(np.array(maps) - np.float32(mapped["quantization"][1]), expected)


def test_a_channel_that_hardly_weighs_counts_as_in_the_file(graph: Graph, images) -> None:
    *_, conv = (node for node in graph if isinstance(node, Conv))
    kernel = conv.kernel.copy()
    kernel[..., 0] *= 1e-8 / np.abs(kernel[..., 0]).max()
    weighs = replace(conv, kernel=kernel, bias=np.full_like(conv.bias, 0.01))
    weak = Graph([weighs if node is conv else node for node in graph])
    ranges = calibrate_ranges(weak, images["train"])
    rounded = on_grid(weak, ranges)
    [stored] = [
        tensor
        for tensor in parse_tflite(emit_int8(weak, ranges)).tensors
        if tensor.dtype == "int8" and tensor.name.endswith(f"{conv.name}/Conv2D")
    ]
    first, *_ = stored.values().reshape(stored.shape) * stored.scales[:, None, None, None]
    np.testing.assert_allclose(rounded[conv.name].kernel[..., 0], first, rtol=1e-6)


@pytest.mark.parametrize("divisor", [127, 0.004600593, 0.3])
def test_factors_are_divided_to_the_last_bit(divisor: float) -> None:
    values = np.random.default_rng(0).uniform(1e-6, 1e-2, 1000).astype(np.float32)
    divide = tf.function(lambda given: divided(given, np.float32(divisor)))
    np.testing.assert_array_equal(divide(values), values / np.float32(divisor))


def test_training_brings_the_rounded_network_nearer_to_float(whole: Trained) -> None:
    divergences = [epoch.divergence for epoch in whole.history]
    assert len(divergences) == 3
    assert min(divergences[1:]) < divergences[0]


def test_an_interrupted_training_ends_as_if_it_had_not_been(
    train, whole: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    keep = qat._State.keep

    def interrupt(state: qat._State, measured: qat.QatEpoch) -> None:
        keep(state, measured)
        if measured.epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(qat._State, "keep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(checkpoint)
    capsys.readouterr()
    resumed = train(checkpoint)
    report = capsys.readouterr().out
    assert "Going on after epoch 1" in report
    assert "Epoch 1 of 2" not in report
    assert resumed.history[:2] == whole.history[:2]
    for ours, theirs in zip(kernels(resumed), kernels(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_checkpoint_of_another_training_is_not_taken_up(
    train, whole: Trained, finished: Path, tmp_path: Path, capsys
) -> None:
    checkpoint = Path(shutil.copy(finished, tmp_path))
    assert train(checkpoint).history == whole.history
    assert "Going on after epoch 2" in capsys.readouterr().out
    train(checkpoint, replace(CONFIG, epochs=1, seed=1))
    assert "Going on" not in capsys.readouterr().out


def test_convert_trains_and_tells(cli, tiny_run: Path, tmp_path: Path) -> None:
    cli(
        *("convert", tiny_run, "--out", tmp_path, "--recipes", "int8-qat,int16x8"),
        *("--qat-epochs", 1, "--techniques", "none", "--max-drop", 100, "--max-class-drop", 100),
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        *("int8-qat.tflite", "int16x8.tflite", "conversion.json")
    }
    report = valid_file("models/conversion", tmp_path / "conversion.json")
    assert [epoch["epoch"] for epoch in report["qat"]["epochs"]] == [0, 1]
    assert report["qat"]["keras_agreement"] > 0.9
    trained, wide = report["models"]
    assert trained["float_operators"] == {}
    assert trained["agreement"] > 0.8
    assert wide["agreement"] > 0.9
    classifier = Classifier(tmp_path / "int16x8.tflite")
    kinds = {tensor["dtype"] for tensor in classifier.interpreter.get_tensor_details()}
    assert {np.int8, np.int16} <= kinds
    assert cli("inspect", tmp_path / "int8-qat.tflite", "--self-test").exit_code == 0


def test_training_needs_a_run(cli, tiny_run: Path, surfaces: Path, tmp_path: Path) -> None:
    result = cli(
        *("convert", "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--labels", tiny_run / "labels.txt", "--calibration", surfaces),
        *("--recipes", "int8-qat", "--out", tmp_path),
        code=1,
    )
    assert "int8-qat trains on the images of a run; give RUN" in result.stderr
