"""Architectures and weights."""

from pathlib import Path

import keras
import numpy as np
import pytest

from edgeclf.edge_runtime import EdgeclfError
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.classifier import build_classifier
from edgeclf.models.networks.densenet import IMAGENET_MEAN, IMAGENET_STD
from edgeclf.models.networks.weights import read_weights, set_weights


def images(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype("float32")


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_densenet121_is_that_of_keras_applications(tmp_path: Path, suffix: str) -> None:
    theirs = keras.applications.DenseNet121(weights=None, classes=5, input_shape=(64, 64, 3))
    path = tmp_path / f"theirs{suffix}"
    (theirs.save if suffix == ".keras" else theirs.save_weights)(path)
    ours = build_classifier(architecture("densenet121"), classes=5, input_hw=(64, 64))
    set_weights(ours, read_weights(path), source="theirs", head=True)
    x = images(2, 64)
    normalized = (x / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(
        ours.predict(x), theirs.predict(normalized.astype("float32")), atol=1e-5
    )


def test_weights_of_a_legacy_file_are_read_by_name(tmp_path: Path) -> None:
    model = build_classifier(architecture("densenet-tiny"), classes=3, input_hw=(32, 32))
    path = tmp_path / "legacy.h5"
    model.save(path)
    import h5py

    with h5py.File(path, "a") as file:  # as old Keras wrote weights: the layers at the root
        layers = file["model_weights"]
        file.attrs["layer_names"] = layers.attrs["layer_names"]
        for name in list(layers):
            file.move(f"model_weights/{name}", name)
    weights = read_weights(path)
    for layer in model.layers:
        for array, expected in zip(weights.get(layer.name, []), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)
    assert "predictions" in weights


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    tiny = build_classifier(architecture("densenet-tiny"), classes=3, input_hw=(32, 32))
    tiny.save_weights(tmp_path / "tiny.weights.h5")
    weights = read_weights(tmp_path / "tiny.weights.h5")
    small = build_classifier(architecture("densenet-small"), classes=3, input_hw=(64, 64))
    with pytest.raises(EdgeclfError, match="layer 'conv1_conv' has shapes"):
        set_weights(small, weights, source="tiny.weights.h5", head=True)
    other = build_classifier(architecture("densenet-tiny"), classes=4, input_hw=(32, 32))
    with pytest.raises(EdgeclfError, match="layer 'predictions' has shapes"):
        set_weights(other, weights, source="tiny.weights.h5", head=True)
    set_weights(other, weights, source="tiny.weights.h5", head=False)


def test_the_imagenet_weights_fit(shared: Path) -> None:
    model = build_classifier(architecture("densenet121"), classes=1000, input_hw=(224, 224))
    path = shared / "weights" / "densenet121_imagenet.weights.h5"
    set_weights(model, read_weights(path), source=str(path), head=True)
    path = shared / "weights" / "densenet121_imagenet_notop.weights.h5"
    with pytest.raises(EdgeclfError, match="layer 'predictions'"):
        set_weights(model, read_weights(path), source=str(path), head=True)
