"""The common classifiers of Keras Applications, rewritten: no BatchNorm left, nothing changed."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgeclf.convert.graph.batch_norm import deploy_graph
from edgeclf.convert.graph.nodes import Activation, Affine, Graph, UnknownLayer
from edgeclf.convert.graph.read_keras import read_keras
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.emit import emit_tflite
from edgeclf.convert.recipes import RECIPES
from edgeclf.edge_runtime.tflite.interpreter import float_operators, open_interpreter

QUICK = ("DenseNet121", "ResNet50V2", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0")
SLOW = ("DenseNet169", "DenseNet201", "MobileNetV3Large")


def application(name: str, inputs: np.ndarray) -> keras.Model:
    """Return the architecture with random weights, and BatchNorms that have seen `inputs`."""
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=inputs.shape[1:], classes=20)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            fan_in = np.prod(weight.shape[: 2 if "depthwise" in weight.path else -1])
            deviation = np.sqrt(2 / fan_in) if len(weight.shape) > 1 else 0.3
            positive = weight.path.endswith(("variance", "gamma"))
            values.append(
                rng.uniform(0.5, 1.5, weight.shape)
                if positive
                else rng.normal(0, deviation, weight.shape)
            )
        layer.set_weights(values)
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    batchnorms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in batchnorms:
        layer.momentum = 0
    model(inputs, training=True)
    for layer in batchnorms:  # the statistics of other images than these
        *learnt, mean, variance = layer.get_weights()
        mean = mean + np.sqrt(variance) * rng.normal(0, 0.3, mean.shape)
        variance = (variance + 1e-3 * variance.mean()) * rng.uniform(0.5, 2, mean.shape)
        layer.set_weights([*learnt, mean, variance])
    return model


def images(size: int = 64) -> np.ndarray:
    """Return photographs of noise whose brightness and contrast differ."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4, size, size, 3))
    return (rng.uniform(60, 200, (4, 1, 1, 3)) + rng.uniform(10, 60, (4, 1, 1, 3)) * noise).clip(
        0, 255
    )


def logits_and_scores(graph: Graph, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run the graph in tf_keras; the last node is the softmax."""
    assert isinstance(graph.output, Activation)
    names = [graph.output.inputs[0], graph.output.name]
    logits, scores = build_tf_keras(graph, outputs=names)(inputs.astype(np.float32), training=False)
    return logits.numpy(), scores.numpy()


def slow(*names: str) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.acceptance) for name in names]


@pytest.mark.parametrize("name", [*QUICK, *slow(*SLOW)])
def test_an_application_is_rewritten_exactly(name: str) -> None:
    keras.utils.clear_session()
    inputs = images()
    model = application(name, inputs)
    graph = deploy_graph(read_keras(model))
    assert not any(isinstance(node, Affine | UnknownLayer) for node in graph)
    logits, scores = logits_and_scores(graph, inputs)
    expected_scores = np.asarray(model(inputs, training=False))
    model.layers[-1].activation = keras.activations.linear
    expected = np.asarray(model(inputs, training=False))
    assert expected.std(0).mean() > 0.05 * expected.std()  # else any image would give the same
    np.testing.assert_allclose(scores, expected_scores, rtol=0, atol=1e-4)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize(
    "name",
    ["MobileNetV3Small", *slow("DenseNet121", "ResNet50V2", "MobileNetV2", "EfficientNetB0")],
)
def test_an_application_becomes_full_integer(name: str) -> None:
    keras.utils.clear_session()
    inputs = images()
    graph = deploy_graph(read_keras(application(name, inputs)))
    recipe = RECIPES["int8"]
    flatbuffer = emit_tflite(graph, recipe, calibration=inputs.astype(np.uint8))
    assert float_operators(open_interpreter(flatbuffer, name=name, threads=1)) == {}
