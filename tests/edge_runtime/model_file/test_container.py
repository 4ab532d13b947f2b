"""A model file carries its labels and spec, and files are written whole or not at all."""

import io
import json
import os
import re
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import BufferT, ModelT, SubGraphT, TensorT
from flatbuffer_parts import made

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import read_json, read_labels, whole_file, write_json, write_text
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.edge_runtime.model_file.self_test import SelfTest
from edgeclf.edge_runtime.model_file.spec import LABELS_NAME, SPEC_NAME, ModelSpec


def flatbuffer() -> bytes:
    """Return the smallest model that has an input, an output and weights."""
    tensors = [made(TensorT, shape=[1, 4], name=name, buffer=0) for name in ("image", "scores")]
    weights = made(BufferT, data=np.arange(256, dtype=np.uint8))
    graph = made(SubGraphT, tensors=tensors, inputs=[0], outputs=[1], operators=[])
    model = made(ModelT, version=3, subgraphs=[graph], buffers=[BufferT(), weights])
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


FLATBUFFER = flatbuffer()
SPEC = ModelSpec(
    labels=("gut", "Öl", "ガラス, gebrochen"),
    input_hw=(96, 128),
    resize="crop",
    recipe="int8",
    architecture="densenet-tiny",
    edgeclf_version="0.1.0",
)


SELF_TEST = {"inputs": [[3, 4], [0, 16]], "dtype": "uint8", "outputs": "AAECAwQF", "tolerance": 0.0}


def model_with(spec_text: str) -> bytes:
    whole = io.BytesIO()
    whole.write(FLATBUFFER)
    with zipfile.ZipFile(whole, mode="a") as archive:
        archive.writestr(SPEC_NAME, spec_text)
    return whole.getvalue()


def spec_with(**changes: object) -> str:
    return json.dumps(json.loads(SPEC.to_json()) | changes)


def error_of(path: Path) -> str:
    with pytest.raises(EdgeclfError) as caught:
        read_model(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "modell ü.tflite"
    write_model(path, FLATBUFFER, SPEC)
    data, spec = read_model(path)
    assert spec == SPEC
    assert data == path.read_bytes()
    assert data.index(FLATBUFFER) + len(FLATBUFFER) <= flatbuffer_size(data)


def test_the_spec_keeps_what_is_optional(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    test = SelfTest(((3, 4), (0, 16)), "uint8", "AAECAwQF", 0.0)  # 0 1 2, 3 4 5
    spec = replace(SPEC, self_test=test, provenance={"data": "abc", "accuracy": 0.5, "seed": None})
    write_model(path, FLATBUFFER, spec)
    assert read_model(path)[1] == spec
    assert test.expected().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    older = {
        "schema": 1, "labels": ["a", "b"], "input_hw": [96, 128], "resize": "crop",
        "recipe": "int8", "architecture": "densenet-tiny", "edgeclf_version": "0.1.0",
    }  # fmt: skip
    path.write_bytes(model_with(json.dumps(older)))
    spec = read_model(path)[1]
    assert spec == replace(SPEC, labels=("a", "b"))
    assert spec.self_test is None
    assert spec.provenance is None


def test_the_same_model_gives_the_same_bytes_on_another_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, day in (("one.tflite", 10000), ("two.tflite", 20000)):
        monkeypatch.setattr(time, "time", lambda day=day: day * 86400.0)
        write_model(tmp_path / name, FLATBUFFER, SPEC)
    one = (tmp_path / "one.tflite").read_bytes()
    assert one == (tmp_path / "two.tflite").read_bytes()
    write_model(tmp_path / "two.tflite", FLATBUFFER, replace(SPEC, recipe="float32"))
    assert one != (tmp_path / "two.tflite").read_bytes()


def test_other_readers_find_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    write_model(path, FLATBUFFER, SPEC)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [LABELS_NAME, SPEC_NAME]
        assert archive.read("labels.txt").decode() == "gut\nÖl\nガラス, gebrochen\n"
        assert json.loads(archive.read(SPEC_NAME))["input_hw"] == [96, 128]


def test_a_model_is_replaced_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    write_model(path, FLATBUFFER + bytes(5000), SPEC)
    write_model(path, FLATBUFFER, replace(SPEC, labels=("a", "b")))
    assert read_model(path)[1].labels == ("a", "b")
    assert path.stat().st_size < 5000


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in error_of(tmp_path / "model.tflite")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    assert "cannot be read" in error_of(tmp_path)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\3\4" + bytes(99), b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert "not a TFLite model" in error_of(path)


def test_a_model_of_another_maker_has_no_spec(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(FLATBUFFER)
    assert "not written by edgeclf" in error_of(path)
    path.write_bytes(model_with("").replace(SPEC_NAME.encode(), b"other.jsonx"))
    assert "not written by edgeclf" in error_of(path)


def test_a_model_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    write_model(path, FLATBUFFER, SPEC)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert ("cut short" in error_of(path)) == (length >= 8)


@pytest.mark.parametrize("mask", [0x01, 0x08, 0x20, 0x40, 0x80, 0xFF])
def test_one_damaged_byte_is_an_error_or_harmless(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "model.tflite"
    write_model(path, FLATBUFFER, SPEC)
    whole = path.read_bytes()
    refused = 0
    for at in range(flatbuffer_size(whole), len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        try:
            spec = read_model(path)[1]
        except EdgeclfError:
            refused += 1
        else:
            assert spec == SPEC
    assert refused >= len(SPEC.to_json().encode())


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", "{}", spec_with(input_hw=[96]), spec_with(input_hw="wide"),
     spec_with(labels=None), spec_with(colour="red"), spec_with(provenance=7),
     spec_with(thresholds=[1]), spec_with(thresholds={"gut": "high"}),
     spec_with(self_test={}), spec_with(self_test=SELF_TEST | {"outputs": "AAE"}),
     spec_with(self_test=SELF_TEST | {"inputs": []}),
     spec_with(self_test=SELF_TEST | {"dtype": "rubbish"}),
     spec_with(self_test=SELF_TEST | {"dtype": "float32"}),
     json.dumps({"schema": 1, "labels": ["a"], "input_hw": [8, 8]})],
)  # fmt: skip
def test_damaged_spec(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model_with(text))
    assert "damaged" in error_of(path)


def test_thresholds_travel(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    write_model(path, FLATBUFFER, replace(SPEC, thresholds={"Öl": 0.25, "gut": 1.0}))
    assert read_model(path)[1].thresholds == {"Öl": 0.25, "gut": 1.0}
    assert "thresholds" not in SPEC.to_json()
    path.write_bytes(model_with(spec_with()))
    assert read_model(path)[1].thresholds is None


@pytest.mark.parametrize(
    ("thresholds", "reason"),
    [
        ({"Oel": 0.5}, "'Oel', which is no class; the classes: gut, Öl, ガラス, gebrochen"),
        ({"gut": 1.5}, "1.5 for 'gut'; give one from 0 to 1"),
        ({"gut": float("nan")}, "nan for 'gut'"),
    ],
)
def test_thresholds_that_mean_nothing(
    tmp_path: Path, thresholds: dict[str, float], reason: str
) -> None:
    path = tmp_path / "model.tflite"
    with pytest.raises(EdgeclfError, match=re.escape(reason)):
        write_model(path, FLATBUFFER, replace(SPEC, thresholds=thresholds))
    path.write_bytes(model_with(spec_with(thresholds=thresholds)))
    message = error_of(path)
    assert message.startswith(f"{path}: a threshold")
    assert reason in message


def test_a_spec_of_another_schema(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model_with(spec_with(schema=2, labels=None)))
    assert "schema 2, this edgeclf reads 1" in error_of(path)


def test_unknown_resize_rule(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model_with(spec_with(resize="squeeze")))
    assert "'squeeze'; known: stretch, crop, pad" in error_of(path)


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")

    def interrupted_write() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.txt"]  # noqa: PTH208, hidden files count


def test_a_success_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.txt"
    for text in ("first", "second"):
        with whole_file(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == path.suffix
            temporary.write_text(text)
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["report.txt"]  # noqa: PTH208


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    os.umask(mask)
    write_text(tmp_path / "a.txt", "text")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode
    assert os.umask(mask) == mask


def test_json_round_trip_and_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"größe": [1, 2.5, None]})
    assert "größe" in path.read_text(encoding="utf-8")
    assert read_json(path) == {"größe": [1, 2.5, None]}
    path.write_text('{"half": ')
    with pytest.raises(EdgeclfError, match=r"a\.json: not valid JSON"):
        read_json(path)
    path.unlink()
    with pytest.raises(EdgeclfError, match=r"a\.json: no such file"):
        read_json(path)


def test_labels_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("zebra\n Öl \r\n\nant with wings\n", encoding="utf-8")
    assert read_labels(path) == ("zebra", "Öl", "ant with wings")


def test_a_label_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("cat\ndog\ncat \n")
    with pytest.raises(EdgeclfError, match=r"labels\.txt: label 'cat' stands there twice"):
        read_labels(path)


@pytest.mark.parametrize("content", [None, b"caf\xe9\n"], ids=["missing", "latin-1"])
def test_labels_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EdgeclfError, match=r"labels\.txt: cannot read the labels"):
        read_labels(path)
