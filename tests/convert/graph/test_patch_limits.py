"""The graph of a network that has seen good images only: its ranges, its tail and its operators."""

import keras
import numpy as np
import pytest

from edgeclf.convert.graph.batch_norm import deploy_graph
from edgeclf.convert.graph.heatmap import find_tail
from edgeclf.convert.graph.nodes import Dense, Depthwise, Graph, UnitLength
from edgeclf.convert.graph.patch_limits import limit_anomaly
from edgeclf.convert.graph.read_keras import read_keras
from edgeclf.convert.graph.softmax_head import last_dense
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.patch_memory import (
    ANOMALY_NAME,
    PatchMemory,
    fill_memory,
    good_only_classifier,
)

SIZE, DIMENSIONS = (32, 32), 5


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = good_only_classifier(
        architecture("densenet-tiny"), input_hw=SIZE, dimensions=DIMENSIONS, patches=64
    )
    rng = np.random.default_rng(0)
    channels = model.get_layer("patch_mean").output.shape[-1]
    patches = rng.normal(size=(64, DIMENSIONS))
    memory = PatchMemory(
        rng.normal(size=(channels, DIMENSIONS - 1)).astype(np.float32),
        rng.normal(size=DIMENSIONS - 1).astype(np.float32),
        1.0,
        (patches / np.linalg.norm(patches, axis=1, keepdims=True)).astype(np.float32),
        rng.uniform(0.02, 0.1, model.get_layer("patch_map").output.shape[1:3]).astype(np.float32),
    )
    fill_memory(model, memory)
    return model


@pytest.fixture(scope="module")
def graph(network: keras.Model) -> Graph:
    return deploy_graph(read_keras(network))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, *SIZE, 3)).astype(np.uint8)


def test_the_deploy_graph_computes_the_same(
    network: keras.Model, graph: Graph, images: np.ndarray
) -> None:
    expected = network.predict_on_batch(images.astype(np.float32))
    found = build_tf_keras(graph).predict_on_batch(images.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not graph.unknown_layers


def test_the_limits_hold_whatever_the_image(graph: Graph, images: np.ndarray) -> None:
    limited = limit_anomaly(graph)
    anomaly, dense = limited[ANOMALY_NAME], last_dense(limited)
    assert isinstance(anomaly, Depthwise)
    assert isinstance(dense, Dense)
    assert anomaly.limits
    assert dense.limits
    assert anomaly.limits[0] == pytest.approx(-4, abs=1e-4)
    model = build_tf_keras(limited, outputs=[anomaly.name, dense.name])
    strange = np.concatenate([images, np.zeros_like(images[:1]), np.full_like(images[:1], 255)])
    for values, (low, high) in zip(
        model.predict_on_batch(strange.astype(np.float32)),
        (anomaly.limits, dense.limits),
        strict=True,
    ):
        assert low - 1e-3 <= values.min()
        assert values.max() <= high + 1e-3


def test_int8_has_these_ranges_and_not_those_of_good_images(
    graph: Graph, images: np.ndarray
) -> None:
    limited = limit_anomaly(graph)
    anomaly, dense = limited[ANOMALY_NAME], last_dense(limited)
    assert isinstance(anomaly, Depthwise)
    assert dense
    ranges = calibrate_ranges(limited, images[:2])
    assert (ranges[anomaly.name].low, ranges[anomaly.name].high) == anomaly.limits
    assert (ranges[dense.name].low, ranges[dense.name].high) == dense.limits
    [unit] = [node.name for node in limited if isinstance(node, UnitLength)]
    assert (ranges[unit].low, ranges[unit].high) == (-1, 127 / 128)


def test_the_tail_is_the_map_and_what_tells_either_label(graph: Graph) -> None:
    tail = find_tail(limit_anomaly(graph))
    assert tail.features == "patch_map"
    np.testing.assert_array_equal(tail.kernel, [[-0.5, 0.5]])


def test_another_graph_stays_as_it_is() -> None:
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 1)(image))
    graph = deploy_graph(read_keras(keras.Model(image, keras.layers.Softmax()(x))))
    assert limit_anomaly(graph) is graph


def test_only_a_length_over_the_channels_is_known() -> None:
    image = keras.Input((8, 8, 3), name="image")
    over_rows = keras.layers.UnitNormalization(axis=1)(image)
    graph = read_keras(keras.Model(image, keras.layers.Flatten()(over_rows)))
    assert not any(isinstance(node, UnitLength) for node in graph)
