"""TFLite metadata: phones read the labels, and nothing that the model computes has changed."""

import csv
import json
import re
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import ModelT
from skips import skip_without

from edgeclf.edge_runtime import Classifier, read_image
from edgeclf.edge_runtime.images.folders import find_images
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.edge_runtime.model_file.metadata import METADATA_NAME, embed_metadata, read_metadata
from edgeclf.edge_runtime.model_file.self_test import GRIDS, synthetic_input
from edgeclf.edge_runtime.tflite.flatbuffer import FlatbufferError
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter
from edgeclf.edge_runtime.tflite.runtime_versions import (
    RUNTIME_VERSION_NAME,
    runtime_requirement,
    stated_requirement,
)
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

RECIPES = ("float32", "float16", "dynamic", "int8")
MEDIAPIPE = "mediapipe==1.2.2"
UNREACHABLE = re.compile(
    "connection broken|failed to establish|name resolution|timed out|proxy|unreachable", re.I
)

CLASSIFY = """
import json, sys
import mediapipe, numpy
from mediapipe.tasks.python import BaseOptions, vision

for model in sys.argv[2:]:
    options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=model))
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for pixels in numpy.load(sys.argv[1]):
            image = mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)
            head, _features = classifier.classify(image).classifications
            scores = [[category.category_name, category.score] for category in head.categories]
            print(json.dumps([head.head_name, scores]))
"""
DESCRIBE = """
import json, sys
from mediapipe.tasks.metadata.metadata_schema_py_generated import ModelMetadata, ModelMetadataT

def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "__dict__"):
        return {name: plain(item) for name, item in vars(value).items() if item is not None}
    return [plain(item) for item in value] if hasattr(value, "__len__") else value

data = open(sys.argv[1], "rb").read()
assert ModelMetadata.ModelMetadataBufferHasIdentifier(data, 0)
metadata = ModelMetadataT.InitFromObj(ModelMetadata.GetRootAs(data, 0))
print(json.dumps(plain(metadata), default=float))
"""


@pytest.fixture(scope="session")
def mediapipe_python() -> Path:
    """The Python of an environment with MediaPipe, whose OpenCV must not replace ours.

    It lies in the environment that runs the tests, and is made once.
    """
    home = Path(sys.prefix) / "mediapipe"
    python = home / "bin" / "python"
    finished = home / MEDIAPIPE
    if not finished.exists():
        venv.create(home, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--retries=1"]
        done = subprocess.run([*pip, MEDIAPIPE], capture_output=True, text=True, check=False)
        if done.returncode and UNREACHABLE.search(done.stderr):
            skip_without("network", MEDIAPIPE)
        assert done.returncode == 0, done.stderr
        finished.touch()
    return python


def flatbuffer(model: Path) -> bytes:
    data = read_model(model)[0]
    return data[: flatbuffer_size(data)]


def without_metadata(model: Path) -> bytes:
    """The model as the converter made it: what stands behind our front."""
    data = flatbuffer(model)
    start = data.index(b"TFL3", 8) - 4
    length = int.from_bytes(data[start - 4 : start], "little")  # a vector begins with it
    return data[start : start + length]


def outputs(data: bytes) -> np.ndarray:
    interpreter = open_interpreter(data, name="model", threads=1)
    image, scores = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for grid in GRIDS:
        pixels = synthetic_input(7, grid=grid, size_hw=tuple(image["shape"][1:3]))
        interpreter.set_tensor(image["index"], pixels[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(scores["index"])[0].copy())
    return np.stack(found)


@pytest.mark.parametrize("recipe", RECIPES)
def test_nothing_else_has_changed(tiny_models: Path, recipe: str) -> None:
    model = tiny_models / f"{recipe}.tflite"
    before, after = without_metadata(model), flatbuffer(model)
    np.testing.assert_array_equal(outputs(before), outputs(after))
    one, other = parse_tflite(before), parse_tflite(after)
    assert one.operators == other.operators
    for tensor, same in zip(one.tensors, other.tensors, strict=True):
        assert (tensor.name, tensor.shape, tensor.dtype) == (same.name, same.shape, same.dtype)
        assert (tensor.constant is None) == (same.constant is None)
        if tensor.constant is not None:
            assert tensor.constant.tobytes() == same.constant.tobytes()
    ours = {name: other.metadata[name] for name in (METADATA_NAME, RUNTIME_VERSION_NAME)}
    assert one.metadata | ours == other.metadata
    assert stated_requirement(other.metadata) == runtime_requirement(other).tensorflow is not None
    assert len(after) - len(before) < 4096


@pytest.mark.parametrize("recipe", RECIPES)
def test_weights_keep_their_alignment(tiny_models: Path, recipe: str) -> None:
    model = tiny_models / f"{recipe}.tflite"
    before, after = without_metadata(model), flatbuffer(model)
    assert after.index(before) % 16 == 0
    assert after.index(parse_tflite(after).metadata[METADATA_NAME]) % 16 == 0


def test_the_schemas_own_reader_agrees(tiny_models: Path) -> None:
    for recipe in RECIPES:
        data = flatbuffer(tiny_models / f"{recipe}.tflite")
        ours, model = parse_tflite(data), ModelT.InitFromPackedBuf(data)
        [graph] = model.subgraphs
        assert len(graph.operators) == len(ours.operators)
        assert list(ours.inputs) == list(graph.inputs)
        assert {m.name.decode(): bytes(model.buffers[m.buffer].data) for m in model.metadata} == (
            ours.metadata
        )
        for tensor, same in zip(ours.tensors, graph.tensors, strict=True):
            assert tensor.name == same.name.decode()
            scale = None if same.quantization is None else same.quantization.scale
            np.testing.assert_array_equal(tensor.scales, [] if scale is None else scale)


def test_it_is_the_same_each_time_and_replaced_by_the_next(tiny_models: Path) -> None:
    data, spec = flatbuffer(tiny_models / "int8.tflite"), read_model(tiny_models / "int8.tflite")[1]
    assert embed_metadata(without_metadata(tiny_models / "int8.tflite"), spec) == data
    again = embed_metadata(data, replace(spec, architecture="other"))
    report = parse_tflite(again).metadata
    assert read_metadata(report[METADATA_NAME])["name"] == "other int8"
    assert len(report) == len(parse_tflite(data).metadata)
    np.testing.assert_array_equal(outputs(again), outputs(data))


def test_each_output_is_described(tiny_models: Path) -> None:
    data, spec = read_model(tiny_models / "float32.tflite")
    model = ModelT.InitFromPackedBuf(data)
    [graph] = model.subgraphs
    graph.outputs = [*graph.outputs, graph.operators[-3].outputs[0]]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    report = parse_tflite(embed_metadata(bytes(builder.Output()), spec)).metadata[METADATA_NAME]
    scores, features, further = read_metadata(report)["outputs"]
    assert scores["files"] == [{"name": "labels.txt", "type": "TENSOR_AXIS_LABELS"}]
    assert features["name"] == "features"
    assert further["name"] == "output 2"
    assert further["files"] == []


def test_what_is_no_model_gets_no_metadata(tiny_models: Path) -> None:
    spec = read_model(tiny_models / "int8.tflite")[1]
    for data in (b"", b"\x1c\0\0\0TFL3", b"\x1c\0\0\0TFL3" + bytes(range(256))):
        with pytest.raises(FlatbufferError):
            embed_metadata(data, spec)
    with pytest.raises(FlatbufferError):
        read_metadata(b"\x1c\0\0\0M001" + bytes(range(256)))


def test_the_published_schema_reads_it(
    tiny_models: Path, mediapipe_python: Path, tmp_path: Path
) -> None:
    model = tiny_models / "int8.tflite"
    spec = replace(read_model(model)[1], input_hw=(20, 30))
    data = parse_tflite(embed_metadata(flatbuffer(model), spec)).metadata[METADATA_NAME]
    (tmp_path / "metadata").write_bytes(data)
    command = [mediapipe_python, "-c", DESCRIBE, tmp_path / "metadata"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["name"] == "densenet-tiny int8"
    assert report["minParserVersion"] == "1.0.0"
    assert [file["name"] for file in report["associatedFiles"]] == ["edgeclf.json"]
    [graph] = report["subgraphMetadata"]
    [image] = graph["inputTensorMetadata"]
    scores, features = graph["outputTensorMetadata"]
    assert features["name"] == "features"
    assert image["name"] == "image"
    assert image["content"]["contentPropertiesType"] == 2  # ImageProperties
    size = {"width": 30, "height": 20}
    assert image["content"]["contentProperties"] == {"colorSpace": 1, "defaultSize": size}  # RGB
    # NormalizationOptions: the identity.
    assert image["processUnits"] == [{"optionsType": 1, "options": {"mean": [0.0], "std": [1.0]}}]
    assert image["stats"] == {"max": [255.0], "min": [0.0]}
    assert scores["name"] == "scores"
    assert scores["content"]["contentPropertiesType"] == 1  # FeatureProperties
    assert scores["stats"] == {"max": [1.0], "min": [0.0]}
    [labels] = scores["associatedFiles"]
    assert (labels["name"], labels["type"]) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS


def assert_mediapipe_agrees(
    python: Path, models: list[Path], images: list[Path], tmp_path: Path
) -> None:
    classifiers = [Classifier(model) for model in models]
    # MediaPipe resizes by itself; so it gets what is of the input's size already.
    pixels = np.stack([classifiers[0].preprocess(read_image(path)) for path in images])
    np.save(tmp_path / "pixels.npy", pixels)
    command = [python, "-c", CLASSIFY, tmp_path / "pixels.npy", *models]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answers = iter(done.stdout.splitlines())
    for classifier in classifiers:
        for image in pixels:
            head, theirs = json.loads(next(answers))
            ours = dict(zip(classifier.spec.labels, classifier.scores(image).tolist(), strict=True))
            assert head == "scores"
            assert dict(theirs) == pytest.approx(ours, abs=1e-6)
            # Among equals, which uint8 scores often are, it may name any.
            assert ours[theirs[0][0]] == max(ours.values())
    assert next(answers, None) is None


def test_mediapipe_classifies_as_we_do(
    tiny_models: Path, surfaces: Path, mediapipe_python: Path, tmp_path: Path
) -> None:
    models = [tiny_models / f"{recipe}.tflite" for recipe in RECIPES]
    images = [path for folder in sorted(surfaces.iterdir()) for path in find_images(folder)[:3]]
    assert len(images) == 12
    assert_mediapipe_agrees(mediapipe_python, models, images, tmp_path)


def test_mediapipe_reads_any_label(
    tiny_models: Path, surfaces: Path, mediapipe_python: Path, tmp_path: Path
) -> None:
    data, spec = read_model(tiny_models / "int8.tflite")
    path = tmp_path / "model.tflite"
    labels = ("gut", "Öl", "ガラス, gebrochen", "two words")
    write_model(path, data[: flatbuffer_size(data)], replace(spec, labels=labels))
    assert_mediapipe_agrees(mediapipe_python, [path], find_images(surfaces)[::20], tmp_path)


@pytest.mark.acceptance
def test_mediapipe_classifies_photographs_as_we_do(
    cli, shared: Path, mediapipe_python: Path, tmp_path: Path
) -> None:
    """DenseNet121 with ImageNet's weights on real photographs."""
    samples = shared / "data" / "imagenet-samples"
    with (shared / "data" / "imagenet-samples.labels.csv").open(newline="") as file:
        paths = [samples / row["path"] for row in csv.DictReader(file)]
    (tmp_path / "labels.txt").write_text("".join(f"class {i}\n" for i in range(1000)))
    (tmp_path / "calibration").mkdir()
    for path in paths[::20]:
        (tmp_path / "calibration" / path.name).symlink_to(path)
    cli(
        *("convert", "--arch", "densenet121", "--labels", tmp_path / "labels.txt"),
        *("--weights", shared / "weights" / "densenet121_imagenet.weights.h5"),
        *("--calibration", tmp_path / "calibration", "--recipes", "int8"),
        *("--out", tmp_path / "out", "--resize", "crop"),
    )
    models = [tmp_path / "out" / "int8.tflite"]
    assert_mediapipe_agrees(mediapipe_python, models, paths[5::20], tmp_path)
