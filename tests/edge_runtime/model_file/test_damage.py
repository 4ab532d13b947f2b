"""A model file that is not as it was written computes nothing."""

import io
import json
import random
import resource
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import ModelT

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError, ScoresError
from edgeclf.edge_runtime.model_file.container import (
    flatbuffer_size,
    read_archive,
    read_model,
    write_model,
)
from edgeclf.edge_runtime.model_file.spec import LABELS_NAME, SPEC_NAME
from edgeclf.edge_runtime.tflite.flatbuffer import FlatbufferError
from edgeclf.edge_runtime.tflite.structure import check_structure

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def refusal(path: Path, data: bytes) -> str:
    """Write `data` and return the line with which it is refused."""
    path.write_bytes(data)
    with pytest.raises(EdgeclfError) as caught:
        Classifier(path, threads=1)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def older(whole: bytes) -> bytes:
    """Return the file as an edgeclf without digests wrote it, with another date."""
    archive = read_archive(whole)
    spec = json.loads(archive.files[SPEC_NAME])
    del spec["flatbuffer_sha256"]
    out = io.BytesIO()
    out.write(whole[: archive.start])
    with zipfile.ZipFile(out, "a") as behind:
        behind.writestr(LABELS_NAME, archive.files[LABELS_NAME])
        behind.writestr(SPEC_NAME, json.dumps(spec))
    return out.getvalue()


def mutations(whole: bytes, *, count: int, seed: int) -> Iterator[bytes]:
    """Yield copies with a bit, a byte or a number changed, or with bytes lost, added or copied."""
    draw = random.Random(seed)
    for _ in range(count):
        data = bytearray(whole)
        at = draw.randrange(len(data) - 512)
        length = draw.choice([1, 4, 16, 512])
        kind = draw.randrange(5)
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            number = draw.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x7FC00000])
            data[at : at + 4] = struct.pack("<I", number)
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = draw.randbytes(length)
        else:
            other = draw.randrange(len(data) - 512)
            data[at : at + length] = whole[other : other + length]
        if data != whole:
            yield bytes(data)


@pytest.mark.parametrize("recipe", ["int8", "float32"])
def test_a_hole_anywhere_is_refused(tiny_models: Path, tmp_path: Path, recipe: str) -> None:
    whole = (tiny_models / f"{recipe}.tflite").read_bytes()
    for number in range(24):
        at = number * (len(whole) - 512) // 23
        data = whole[:at] + bytes(512) + whole[at + 512 :]
        assert data != whole
        refusal(tmp_path / "model.tflite", data)


@pytest.mark.parametrize("recipe", ["int8", "float32"])
def test_a_mutation_is_refused(tiny_models: Path, tmp_path: Path, recipe: str) -> None:
    path = tmp_path / "model.tflite"
    whole = (tiny_models / f"{recipe}.tflite").read_bytes()
    lines = [refusal(path, data) for data in mutations(whole, count=150, seed=1)]
    assert len(lines) > 140
    assert sum("SHA-256" in line for line in lines) > 30
    path.write_bytes(whole)
    assert Classifier(path).classify(IMAGE).score > 0


@pytest.mark.parametrize("mask", [0x01, 0x80])
def test_a_bit_behind_the_model_is_refused(tiny_models: Path, tmp_path: Path, mask: int) -> None:
    whole = (tiny_models / "int8.tflite").read_bytes()
    start = flatbuffer_size(whole)
    named = range(start, start + 300, 3)  # of labels.txt, and where the spec begins
    ends = range(len(whole) - 160, len(whole), 2)  # the directory and its end
    for at in [*named, *ends]:
        refusal(tmp_path / "model.tflite", whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])


def test_an_older_file_is_read_and_inspect_says_what_it_lacks(
    cli: Callable[..., Any], tiny_models: Path, tmp_path: Path
) -> None:
    whole, path = (tiny_models / "int8.tflite").read_bytes(), tmp_path / "older.tflite"
    path.write_bytes(older(whole))
    assert read_model(path)[1].flatbuffer_sha256 is None
    assert Classifier(path).classify(IMAGE) == replace(
        Classifier(tiny_models / "int8.tflite").classify(IMAGE), ms=pytest.approx(0, abs=1e9)
    )
    report = json.loads(cli("inspect", path, "--json").stdout)
    assert report["carries_digest"] is False
    assert report["findings"] == []
    assert "none: damaged weights would not be noticed" in cli("inspect", path).stdout
    assert "of the model, in the spec" in cli("inspect", tiny_models / "int8.tflite").stdout


def test_an_older_file_never_ends_in_a_traceback(tiny_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    refused = 0
    for data in mutations(older((tiny_models / "int8.tflite").read_bytes()), count=60, seed=2):
        path.write_bytes(data)
        try:
            read_model(path)
        except EdgeclfError:
            refused += 1
    assert refused > 20


def test_inspect_finds_the_damage(
    cli: Callable[..., Any], tiny_models: Path, tmp_path: Path
) -> None:
    whole, path = bytearray((tiny_models / "int8.tflite").read_bytes()), tmp_path / "model.tflite"
    whole[flatbuffer_size(bytes(whole)) - 40] ^= 1
    path.write_bytes(whole)
    [finding] = json.loads(cli("inspect", path, "--json").stdout)["findings"]
    assert finding["check"] == "damage"
    assert "SHA-256" in finding["detail"]


@pytest.mark.parametrize("old", [False, True], ids=["with a digest", "without"])
def test_no_byte_belongs_to_nothing(tiny_models: Path, tmp_path: Path, old: bool) -> None:
    path = tmp_path / "model.tflite"
    whole = (tiny_models / "int8.tflite").read_bytes()
    if old:
        whole = older(whole)
    start = flatbuffer_size(whole)
    archive = whole[start:]
    second = io.BytesIO()
    with zipfile.ZipFile(second, "w") as behind:
        behind.writestr(SPEC_NAME, read_archive(whole).files[SPEC_NAME])
    assert "bytes behind" in refusal(path, whole[:start] + bytes(8) + archive)
    assert "damaged" in refusal(path, whole[:start] + second.getvalue() + archive)
    assert "bytes behind" in refusal(path, whole + second.getvalue())
    assert "bytes behind" in refusal(path, whole + b"more")
    with_comment = whole[:-2] + b"\4\0more"
    assert "bytes behind" in refusal(path, with_comment)
    path.write_bytes(whole)
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(path, "a") as behind,
    ):
        behind.writestr(LABELS_NAME, "other")
    assert "same name" in refusal(path, path.read_bytes())


def test_what_unpacks_without_end_is_refused(tiny_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((tiny_models / "int8.tflite").read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as behind:
        behind.writestr("bomb", bytes(200 << 20))
    whole = path.read_bytes()
    assert len(whole) < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "cut short" in refusal(path, whole)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": "good oil"}, {"labels": [1, 2, 3, 4]}, {"labels": ["a", "a", "b", "c"]},
        {"labels": []}, {"labels": ["a", "", "b", "c"]}, {"input_hw": [32.0, 32]},
        {"input_hw": [True, 32]}, {"input_hw": [0, 32]}, {"input_hw": [1 << 20, 1 << 20]},
        {"input_hw": "32"}, {"recipe": 8}, {"architecture": None}, {"edgeclf_version": 1},
        {"thresholds": {"good": True}}, {"provenance": []}, {"flatbuffer_sha256": "abc"},
        {"flatbuffer_sha256": None}, {"heatmap": {"channels": 8.0, "weights": ""}},
        {"heatmap": []}, {"self_test": {"inputs": [[0, 1 << 20]], "dtype": "uint8",
                                        "outputs": "AAECAw==", "tolerance": 0}},
        {"self_test": {"inputs": [["0", 4]], "dtype": "uint8", "outputs": "AAECAw==",
                       "tolerance": 0}},
        {"self_test": {"inputs": [[0, 4]], "dtype": "uint8", "outputs": "AAECAw==",
                       "tolerance": "0"}},
    ],
    ids=str,
)  # fmt: skip
def test_the_spec_is_typed(tiny_models: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = (tiny_models / "int8.tflite").read_bytes()
    archive = read_archive(whole)
    spec = json.loads(archive.files[SPEC_NAME]) | changes
    out = io.BytesIO()
    out.write(whole[: archive.start])
    with zipfile.ZipFile(out, "a") as behind:
        behind.writestr(SPEC_NAME, json.dumps(spec))
    assert "its spec is damaged" in refusal(tmp_path / "model.tflite", out.getvalue())


Change = Callable[[ModelT], None]


def negative_shape(model: ModelT) -> None:
    model.subgraphs[0].tensors[0].shape = [1, -32, 32, 3]


def larger_shape(model: ModelT) -> None:
    tensors = model.subgraphs[0].tensors
    constant = next(t for t in tensors if model.buffers[t.buffer].data is not None)
    constant.shape = [2 * constant.shape[0], *constant.shape[1:]]


def endless_shape(model: ModelT) -> None:
    model.subgraphs[0].tensors[0].shape = [1, 1 << 16, 1 << 16, 1 << 16]


def strange_type(model: ModelT) -> None:
    model.subgraphs[0].tensors[0].type = 5  # a string


def missing_buffer(model: ModelT) -> None:
    model.subgraphs[0].tensors[0].buffer = 10_000


def missing_tensor(model: ModelT) -> None:
    model.subgraphs[0].operators[0].inputs = [10_000]


def no_output(model: ModelT) -> None:
    model.subgraphs[0].operators[0].outputs = [-1]


def missing_code(model: ModelT) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 99


def no_stride(model: ModelT) -> None:
    convolution = next(o for o in model.subgraphs[0].operators if o.builtinOptionsType == 1)
    convolution.builtinOptions.strideH = 0


def wrong_order(model: ModelT) -> None:
    model.subgraphs[0].operators.reverse()


def scales_along_no_axis(model: ModelT) -> None:
    tensors = model.subgraphs[0].tensors
    kernel = next(t for t in tensors if np.size(t.quantization and t.quantization.scale) > 1)
    kernel.quantization.quantizedDimension = 7


def too_many_scales(model: ModelT) -> None:
    quantization = model.subgraphs[0].tensors[0].quantization
    quantization.scale = [1.0, 1.0]
    quantization.zeroPoint = [0, 0]


def missing_signature_tensor(model: ModelT) -> None:
    model.signatureDefs[0].inputs[0].tensorIndex = 10_000


def other_version(model: ModelT) -> None:
    model.version = 4


def no_graph(model: ModelT) -> None:
    model.subgraphs = []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (negative_shape, "whose shape is none"), (larger_shape, "its buffer holds"),
        (endless_shape, "a tensor of"), (strange_type, "of type 5"),
        (missing_buffer, "buffer 10000 of"), (missing_tensor, "none of its"),
        (no_output, "none of its"), (missing_code, "operator code 99 of"),
        (no_stride, "of no size"), (wrong_order, "nothing has made"),
        (scales_along_no_axis, "along an axis"), (too_many_scales, "as many scales as channels"),
        (missing_signature_tensor, "tensor 10000 of"), (other_version, "version"),
        (no_graph, "no graph"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(tiny_models: Path, change: Change, reason: str) -> None:
    data = read_model(tiny_models / "int8.tflite")[0]
    sound, model = (ModelT.InitFromPackedBuf(data) for _ in range(2))
    change(model)
    packed = []
    for each in (sound, model):
        builder = flatbuffers.Builder()
        builder.Finish(each.Pack(builder), b"TFL3")
        packed.append(bytes(builder.Output()))
    check_structure(packed[0])
    with pytest.raises(FlatbufferError, match=reason):
        check_structure(packed[1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_numbers_are_an_error(
    cli: Callable[..., Any], tiny_models: Path, tmp_path: Path, value: float
) -> None:
    data, spec = read_model(tiny_models / "float32.tflite")
    model = ModelT.InitFromPackedBuf(data)
    graph = model.subgraphs[0]
    last = next(o for o in reversed(graph.operators) if len(o.inputs) == 3)  # the dense layer
    bias = model.buffers[graph.tensors[last.inputs[2]].buffer]
    values = np.frombuffer(bytes(bias.data), np.float32).copy()
    values[0] = value
    bias.data = np.frombuffer(values.tobytes(), np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path, photo = tmp_path / "model.tflite", tmp_path / "photo.png"
    write_model(path, bytes(builder.Output()), spec)
    with pytest.raises(ScoresError, match="not numbers"):
        Classifier(path).classify(IMAGE)
    photo.write_bytes(_png())
    result = cli("run", path, photo, "--json", code=1)
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line == (
        f"Error: {path}: it computes scores that are not numbers (NaN or infinite); convert the "
        "model again"
    )


def _png() -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", IMAGE)[1])
