"""The network that has seen good images only, against the same in NumPy."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.patch_memory import (
    PatchMemory,
    fill_memory,
    good_only_classifier,
    patch_network,
)

SIZE, DIMENSIONS, PATCHES = (32, 32), 6, 128


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return good_only_classifier(
        architecture("densenet-tiny"), input_hw=SIZE, dimensions=DIMENSIONS, patches=PATCHES
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def filled(network: keras.Model, images: np.ndarray) -> tuple[PatchMemory, np.ndarray]:
    """A memory of drawn patches, some of them of the first image; and all images' unit vectors."""
    rng = np.random.default_rng(1)
    features = np.asarray(_features(network, images))
    kernel = rng.normal(size=(features.shape[-1], DIMENSIONS - 1)).astype(np.float32)
    bias = -features.reshape(-1, features.shape[-1]).mean(0) @ kernel
    joined = np.pad(features @ kernel + bias, ((0, 0),) * 3 + ((0, 1),), constant_values=2.0)
    unit = joined / np.linalg.norm(joined, axis=-1, keepdims=True)
    drawn = rng.normal(size=(PATCHES, DIMENSIONS))
    patches = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    patches[:10] = unit[0].reshape(-1, DIMENSIONS)[:10]
    thresholds = rng.uniform(0.05, 0.1, unit.shape[1:3]).astype(np.float32)
    memory = PatchMemory(kernel, bias, 2.0, patches.astype(np.float32), thresholds)
    fill_memory(network, memory)
    return memory, unit


def _around(values: np.ndarray, row: int, column: int) -> np.ndarray:
    """The mean of up to 3x3 places of each image."""
    rows, columns = (slice(max(place - 1, 0), place + 2) for place in (row, column))
    return values[:, rows, columns].mean((1, 2))


def _features(network: keras.Model, images: np.ndarray) -> np.ndarray:
    mean = network.get_layer("patch_mean").output
    return keras.Model(network.input, mean).predict_on_batch(images)


def test_the_scores_are_those_of_the_farthest_patch(
    network: keras.Model, filled: tuple[PatchMemory, np.ndarray], images: np.ndarray
) -> None:
    memory, unit = filled
    distance = 1 - np.einsum("nhwd,md->nhwm", unit, memory.patches).max(-1)
    seen = np.minimum(distance, memory.farthest)
    rows, columns = seen.shape[1:]
    mean = [[_around(seen, row, column) for column in range(columns)] for row in range(rows)]
    anomaly = 4 * (np.moveaxis(np.array(mean), -1, 0) / memory.thresholds - 1)
    model = keras.Model(network.input, [network.get_layer("patch_map").output, network.output])
    found, scores = model.predict_on_batch(images)
    np.testing.assert_allclose(found[..., 0], anomaly, atol=2e-3)
    defect = 1 / (1 + np.exp(-anomaly.max((1, 2))))
    np.testing.assert_allclose(scores, np.stack([1 - defect, defect], 1), atol=1e-3)


def test_an_image_of_the_memory_is_surely_good(
    network: keras.Model, filled: tuple[PatchMemory, np.ndarray], images: np.ndarray
) -> None:
    memory, unit = filled
    own = np.resize(unit[0].reshape(-1, DIMENSIONS), memory.patches.shape)
    fill_memory(network, replace(memory, patches=own))
    anomaly = keras.Model(network.input, network.get_layer("patch_map").output)
    np.testing.assert_allclose(anomaly.predict_on_batch(images)[0], -4, atol=1e-2)
    fill_memory(network, memory)


def test_what_comes_after_the_second_block_is_left_out() -> None:
    network = patch_network(architecture("densenet-small"), input_hw=(64, 64))
    names = {layer.name for layer in network.layers}
    assert network.output.shape[1:3] == (16, 16)
    assert "conv3_block4_concat" in names
    assert not any(name.startswith("conv4") for name in names)


def test_another_network_is_refused() -> None:
    with pytest.raises(EdgeclfError, match="--good-only takes patches of a DenseNet, resnet50v2"):
        patch_network(architecture("resnet50v2"), input_hw=(64, 64))
