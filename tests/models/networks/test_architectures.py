"""Every architecture on the whole road: built, split into backbone and head, converted."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from edgeclf.convert.graph.batch_norm import deploy_graph
from edgeclf.convert.graph.heatmap import find_tail
from edgeclf.convert.graph.nodes import Affine, UnknownLayer
from edgeclf.convert.graph.read_keras import read_keras
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.emit import emit_int8
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.edge_runtime import EdgeclfError
from edgeclf.edge_runtime.tflite.interpreter import float_operators, open_interpreter
from edgeclf.models.networks.architectures import ARCHITECTURES, architecture
from edgeclf.models.networks.classifier import FEATURES_NAME, build_classifier
from edgeclf.models.networks.imagenet import imagenet_weights
from edgeclf.models.networks.weights import set_weights
from edgeclf.train.data.features import head_of

QUICK = ("mobilenetv3-small", "efficientnetv2-b0", "resnet50v2", "efficientnet-lite0")
ALL = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.acceptance)
    for name in ARCHITECTURES
]
DOWNLOADED = [
    name if name == QUICK[0] else pytest.param(name, marks=pytest.mark.acceptance)
    for name, chosen in ARCHITECTURES.items()
    if chosen.application
]


def images(count: int = 4, size: int = 32) -> np.ndarray:
    rng = np.random.default_rng(0)
    light = rng.uniform(60, 200, (count, 1, 1, 3))
    return (light + 40 * rng.normal(size=(count, size, size, 3))).clip(0, 255).astype("float32")


def lived_in(name: str, inputs: np.ndarray) -> keras.Model:
    """Return the architecture with random weights, and BatchNorms that have seen `inputs`."""
    keras.utils.set_random_seed(0)
    model = build_classifier(
        architecture(name), classes=5, input_hw=inputs.shape[1:3], bn_momentum=0.0
    )
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            channels = layer.moving_mean.shape[0]
            gamma, beta = rng.uniform(0.5, 1.5, channels), rng.normal(0, 0.3, channels)
            layer.set_weights([gamma, beta, *layer.get_weights()[2:]])
        elif isinstance(layer, layers.Dropout):
            layer.rate = 0  # what it drops would be missing in the statistics
    model(inputs, training=True)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):  # few values may happen to be one value
            *learnt, variance = layer.get_weights()
            layer.set_weights([*learnt, variance + 0.1 * variance.mean()])
    return model


@pytest.mark.parametrize("name", ALL)
def test_an_architecture_is_one_graph_that_converts_exactly(name: str) -> None:
    keras.utils.clear_session()
    inputs = images()
    model = lived_in(name, inputs)
    outputs = [model.get_layer(FEATURES_NAME).output, model.output]
    mean, expected = map(np.asarray, keras.Model(model.input, outputs)(inputs))
    assert expected.std(0).mean() > 1e-3  # else any image would give the same

    graph = deploy_graph(read_keras(model))
    assert not any(isinstance(node, Affine | UnknownLayer) for node in graph)
    names = [graph.output.name, find_tail(graph).features]
    scores, features = build_tf_keras(graph, outputs=names)(inputs, training=False)
    np.testing.assert_allclose(scores.numpy(), expected, rtol=0, atol=1e-4)
    deviation = np.abs(features.numpy().mean((1, 2)) - mean)
    assert deviation.max() < 1e-3 * np.abs(mean).max()
    np.testing.assert_allclose(np.asarray(head_of(model)(mean)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", DOWNLOADED)
def test_the_weights_that_keras_downloads_fit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.clear_session()
    chosen = architecture(name)
    model = build_classifier(chosen, classes=3, input_hw=(64, 64))
    application = getattr(keras.applications, str(chosen.application))
    random = application(weights=None, include_top=False, input_shape=(32, 32, 3))
    asked = []
    monkeypatch.setattr(
        keras.applications, str(chosen.application), lambda **how: asked.append(how) or random
    )
    set_weights(model, imagenet_weights(chosen), source="imagenet", head=False)
    assert asked == [{"weights": "imagenet", "include_top": False, "input_shape": (224, 224, 3)}]
    for layer in random.layers:
        for ours, theirs in zip(
            model.get_layer(layer.name).get_weights() if layer.weights else [],
            layer.get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["mobilenetv3-small", "densenet-tiny"])
def test_an_image_too_small_for_the_network_is_one_line(name: str) -> None:
    least = architecture(name).least_size
    build_classifier(architecture(name), classes=2, input_hw=(least, least))
    with pytest.raises(EdgeclfError, match=f"{name} needs an input of {least} pixels or more"):
        build_classifier(architecture(name), classes=2, input_hw=(least - 1, least))


@pytest.mark.acceptance
def test_the_road_of_another_network(cli, surfaces: Path, tmp_path: Path) -> None:
    start, run = tmp_path / "start.weights.h5", tmp_path / "run"
    keras.utils.clear_session()
    lived_in("mobilenetv3-small", images()).save_weights(start)
    cli(
        *("train", surfaces, "--out", run, "--arch", "mobilenetv3-small", "--input-size", 32),
        *("--weights", start, "--head-epochs", 2, "--head-draws", 2, "--epochs", 0),
    )
    recipes = ("--recipes", "float32", "--heatmap")
    cli("convert", run, "--out", tmp_path / "models", *recipes)
    model = tmp_path / "models" / "float32.tflite"
    report = json.loads((tmp_path / "models" / "conversion.json").read_text())
    assert report["architecture"] == "mobilenetv3-small"
    assert report["models"][0]["agreement"] == 1
    photograph = next((surfaces / "oil").glob("*.png"))
    cli("run", model, photograph, "--heatmap", tmp_path / "heatmaps")
    assert len(list((tmp_path / "heatmaps").iterdir())) == 1


@pytest.mark.acceptance
@pytest.mark.parametrize("name", QUICK)
def test_another_network_becomes_full_integer(name: str) -> None:
    keras.utils.clear_session()
    inputs = images()
    graph = deploy_graph(read_keras(lived_in(name, inputs)))
    ranges = calibrate_ranges(graph, inputs.astype(np.uint8))
    flatbuffer = emit_int8(graph, ranges, features=find_tail(graph).features)
    assert float_operators(open_interpreter(flatbuffer, name=name, threads=1)) == {}
