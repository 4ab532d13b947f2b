"""Architectures and weights."""

import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
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


def test_densenet121_is_that_of_keras_applications(tmp_path: Path) -> None:
    theirs = keras.applications.DenseNet121(weights=None, classes=5, input_shape=(64, 64, 3))
    theirs.save(tmp_path / "theirs.keras")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    whole, alone = (read_weights(tmp_path / f"theirs{each}") for each in (".keras", ".weights.h5"))
    assert whole.keys() == alone.keys()
    for name, arrays in whole.items():
        for one, other in zip(arrays, alone[name], strict=True):
            np.testing.assert_array_equal(one, other)
    ours = build_classifier(architecture("densenet121"), classes=5, input_hw=(64, 64))
    set_weights(ours, whole, source="theirs", head=True)
    x = images(2, 64)
    normalized = (x / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(
        ours.predict(x), theirs.predict(normalized.astype("float32")), atol=1e-5
    )


def test_weights_of_a_legacy_file_are_read_by_name(tmp_path: Path) -> None:
    model = build_classifier(architecture("densenet-tiny"), classes=3, input_hw=(32, 32))
    path = tmp_path / "legacy.h5"
    model.save(path)
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


KERNEL = "layers/dense/vars/0"
Harm = Callable[[h5py.File, Path], None]


def soft_link(file: h5py.File, _folder: Path) -> None:
    file.move(KERNEL, "elsewhere")
    file[KERNEL] = h5py.SoftLink("/elsewhere")


def linked_group(file: h5py.File, _folder: Path) -> None:
    file.move("layers/dense", "elsewhere")
    file["layers/dense"] = h5py.SoftLink("/elsewhere")


def external_link(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["kernel"] = file[KERNEL][()]
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("other.h5", "/kernel")


def external_storage(file: h5py.File, folder: Path) -> None:
    values = file[KERNEL][()]
    (folder / "secret").write_bytes(values.tobytes())
    del file[KERNEL]
    outside = [(str(folder / "secret"), 0, values.nbytes)]
    file.create_dataset(KERNEL, values.shape, values.dtype, external=outside)


def virtual(file: h5py.File, folder: Path) -> None:
    values = file[KERNEL][()]
    with h5py.File(folder / "other.h5", "w") as other:
        other["kernel"] = values
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[:] = h5py.VirtualSource(folder / "other.h5", "kernel", values.shape)
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def never_written(file: h5py.File, _folder: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (1 << 20, 1 << 20), "f4", chunks=(64, 64))


def bomb(file: h5py.File, _folder: Path) -> None:
    del file[KERNEL]
    zeros = np.zeros((1 << 13, 1 << 12), np.float32)
    file.create_dataset(KERNEL, data=zeros, compression="gzip")


def text(file: h5py.File, _folder: Path) -> None:
    del file[KERNEL]
    file[KERNEL] = "no numbers"


def loop(file: h5py.File, _folder: Path) -> None:
    del file["layers/dense/vars"]
    file["layers/dense/vars"] = file["layers"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (soft_link, "is a link"), (linked_group, "is a link"), (external_link, "is a link"),
        (external_storage, "another file"), (virtual, "another file"),
        (never_written, "larger than the file can hold"), (bomb, "larger than the file can hold"),
        (text, "no array of numbers"), (loop, "deep"),
    ],
)  # fmt: skip
def test_weights_that_are_not_in_the_file_are_refused(
    tmp_path: Path, harm: Harm, reason: str
) -> None:
    model = build_classifier(architecture("densenet-tiny"), classes=3, input_hw=(32, 32))
    whole = tmp_path / "tiny.weights.h5"
    model.save_weights(whole)
    expected = read_weights(whole)["predictions"][0]
    np.testing.assert_array_equal(expected, model.get_layer("predictions").get_weights()[0])
    with h5py.File(whole, "a") as file:
        harm(file, tmp_path)
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EdgeclfError, match=reason) as caught:
        read_weights(whole)
    assert "\n" not in str(caught.value)
    in_keras = tmp_path / "tiny.keras"
    with zipfile.ZipFile(in_keras, "w") as archive:
        archive.write(whole, "model.weights.h5")
    with pytest.raises(EdgeclfError, match=reason):
        read_weights(in_keras)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kept < 100_000  # kB


def test_a_keras_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(1 << 24))
    with pytest.raises(EdgeclfError, match="claims 16777216 bytes"):
        read_weights(path)


def test_the_imagenet_weights_fit(shared: Path) -> None:
    model = build_classifier(architecture("densenet121"), classes=1000, input_hw=(224, 224))
    path = shared / "weights" / "densenet121_imagenet.weights.h5"
    set_weights(model, read_weights(path), source=str(path), head=True)
    path = shared / "weights" / "densenet121_imagenet_notop.weights.h5"
    with pytest.raises(EdgeclfError, match="layer 'predictions'"):
        set_weights(model, read_weights(path), source=str(path), head=True)
