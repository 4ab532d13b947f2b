"""The oldest runtime of a file: from its operators, in its metadata, and in the error."""

import json
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import (
    BufferT,
    BuiltinOperator,
    MetadataT,
    ModelT,
    OperatorCodeT,
    OperatorT,
    QuantizationParametersT,
    SubGraphT,
    TensorT,
    TensorType,
)
from flatbuffer_parts import made

from edgeclf.edge_runtime.doctor.model import model_checks
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.inspect.inspection import inspect_file
from edgeclf.edge_runtime.model_file.container import write_model
from edgeclf.edge_runtime.model_file.metadata import embed_metadata
from edgeclf.edge_runtime.model_file.spec import ModelSpec
from edgeclf.edge_runtime.tflite import runtime_versions
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter
from edgeclf.edge_runtime.tflite.operator_versions import first_release, parse_version
from edgeclf.edge_runtime.tflite.runtime_versions import (
    RUNTIME_VERSION_NAME,
    explain_refusal,
    runtime_requirement,
    stated_requirement,
)
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

SPEC = ModelSpec(
    labels=("a", "b", "c", "d"), input_hw=(4, 4), resize="crop", recipe="int8",
    architecture="one operator", edgeclf_version="0.1.0",
)  # fmt: skip


def one_operator(
    name: str, version: int, types: tuple[str, ...], *, scales: int = 1, stated: str | None = None
) -> bytes:
    """Return a model of one operator; `types` are those of its inputs and, last, of its output.

    Args:
        name: of the operator; one that TFLite lacks becomes a custom one.
        version: as the file states it.
        types: of the tensors.
        scales: of the second input.
        stated: the oldest runtime that its metadata name; None for no such metadata.
    """
    code = getattr(BuiltinOperator, name, BuiltinOperator.CUSTOM)
    tensors = [
        made(
            TensorT, name=f"t{place}", shape=[1, 4], buffer=0,
            type=getattr(TensorType, dtype.upper()),
            quantization=made(
                QuantizationParametersT,
                scale=np.full(scales if place == 1 else 1, 0.5, np.float32),
                zeroPoint=np.zeros(scales if place == 1 else 1, np.int64),
            ),
        )
        for place, dtype in enumerate(types)
    ]  # fmt: skip
    inputs = list(range(len(types) - 1))
    operator = made(OperatorT, opcodeIndex=0, inputs=inputs, outputs=[len(inputs)])
    model = made(
        ModelT, version=3,
        buffers=[BufferT()],
        operatorCodes=[
            made(
                OperatorCodeT,
                deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version,
                customCode=name if code == BuiltinOperator.CUSTOM else None,
            )
        ],
        subgraphs=[
            made(
                SubGraphT, tensors=tensors, operators=[operator],
                inputs=inputs, outputs=[len(inputs)],
            )
        ],
    )  # fmt: skip
    if stated is not None:
        model.buffers.append(
            made(BufferT, data=np.frombuffer(stated.encode().ljust(16, b"\0"), "u1"))
        )
        model.metadata = [made(MetadataT, name=RUNTIME_VERSION_NAME, buffer=1)]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


DENSE = ("int8", "int8", "int32", "int8")
INT16 = ("int8", "int16")  # QUANTIZE, which no TensorFlow up to 2.21.0 runs


@pytest.mark.parametrize(
    ("name", "version", "types", "scales", "tensorflow", "litert", "tflite"),
    [
        ("CONV_2D", 3, DENSE, 4, "1.14.0", "1.0.0", "1.14.0"),
        ("CONV_2D", 3, ("int16", "int8", "int64", "int16"), 4, "2.3.0", "1.0.0", "2.3.0"),
        ("MEAN", 2, ("int16", "int32", "int16"), 1, "2.4.0", "1.0.0", "2.4.0"),
        ("CONV_2D", 1, ("float32", "int8", "float32", "float32"), 4, "2.4.0", "1.0.0", "2.4.0"),
        ("FULLY_CONNECTED", 4, DENSE, 1, "1.14.0", "1.0.0", "1.14.0"),
        ("FULLY_CONNECTED", 4, DENSE, 4, "2.12.0", "1.0.0", "2.12.0"),
        ("FULLY_CONNECTED", 12, DENSE, 4, "2.17.0", "1.0.0", None),
        ("QUANTIZE", 1, ("uint8", "int8"), 1, "1.14.0", "1.0.0", "1.14.0"),
        ("QUANTIZE", 3, INT16, 1, "2.22.0", "2.1.3", None),
        ("PAD", 5, ("bool", "int32", "bool"), 1, "2.20.0", "2.0.2", None),
        ("FULLY_CONNECTED", 99, DENSE, 1, None, None, None),
        ("Frobnicate", 1, ("float32", "float32"), 1, None, None, None),
    ],
)  # fmt: skip
def test_the_oldest_runtime(name, version, types, scales, tensorflow, litert, tflite) -> None:
    needed = runtime_requirement(parse_tflite(one_operator(name, version, types, scales=scales)))
    assert needed.tensorflow == tensorflow
    assert needed.distributions["ai-edge-litert"] == litert
    assert needed.distributions["tflite-runtime"] == tflite
    assert needed.unknown == ((f"{name} version {version}",) if tensorflow is None else ())


def test_versions_are_numbers() -> None:
    assert parse_version("2.14.0.post1") == (2, 14, 0)
    assert parse_version("2.4") == (2, 4, 0)
    assert parse_version("") == (0, 0, 0)
    assert first_release("CONV_2D", 0) is first_release("CONV_2D", 9) is None


def test_the_metadata_name_the_true_runtime(tmp_path: Path) -> None:
    flatbuffer = one_operator("FULLY_CONNECTED", 4, DENSE, scales=4, stated="1.14.0")
    path = tmp_path / "foreign.tflite"
    path.write_bytes(flatbuffer)
    [finding] = [f for f in inspect_file(path).findings if f.check == "runtime"]
    assert "the metadata say TensorFlow Lite 1.14.0, the operators 2.12.0 (FULLY_" in finding.detail

    write_model(path, flatbuffer, SPEC)
    model = parse_tflite(path.read_bytes())
    assert model.metadata[RUNTIME_VERSION_NAME] == b"2.12.0".ljust(16, b"\0")
    assert not [f for f in inspect_file(path).findings if f.check == "runtime"]

    unknown = embed_metadata(one_operator("FULLY_CONNECTED", 99, DENSE, stated="1.14.0"), SPEC)
    assert stated_requirement(parse_tflite(unknown).metadata) is None


def test_inspect_says_it(cli, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    write_model(path, one_operator("QUANTIZE", 3, INT16), SPEC)
    oldest = json.loads(cli("inspect", path, "--json").stdout)["oldest_runtime"]
    assert oldest == {
        "tensorflow": "2.22.0", "reason": "QUANTIZE from int8 to int16", "unknown": [],
        "distributions": {"ai-edge-litert": "2.1.3", "tflite-runtime": None, "tensorflow": None},
        "stated": "2.22.0",
    }  # fmt: skip
    shown = cli("inspect", path).output
    assert "TensorFlow Lite 2.22.0 or newer, for QUANTIZE from int8 to int16\n" in shown
    assert "ai-edge-litert>=2.1.3, no tflite-runtime up to 2.14.0, no tensorflow up to" in shown
    write_model(path, one_operator("Frobnicate", 1, ("float32", "float32")), SPEC)
    assert "not known: no table has Frobnicate version 1\n" in cli("inspect", path).output


@pytest.mark.parametrize(
    ("runtime", "bits_32", "message"),
    [
        ("ai-edge-litert 1.4.0", False,
         "the runtime is too old: QUANTIZE from int8 to int16 asks for ai-edge-litert 2.1.3, "
         "this is ai-edge-litert 1.4.0; pip install 'ai-edge-litert>=2.1.3'"),
        ("tflite-runtime 2.14.0", False,
         "asks for TensorFlow Lite 2.22.0, this is tflite-runtime 2.14.0; "
         "pip install 'ai-edge-litert>=2.1.3'"),
        ("tflite-runtime 2.14.0", True,
         "; tflite-runtime 2.14.0 is the last for 32-bit systems: convert the model again"),
        ("ai-edge-litert 2.1.6", False,
         "the runtime refuses the model (it says no), though ai-edge-litert 2.1.6 has all its"),
        ("none", False, "the runtime refuses the model (it says no)"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_mend(
    monkeypatch: pytest.MonkeyPatch, runtime: str, bits_32: bool, message: str
) -> None:
    monkeypatch.setattr(runtime_versions, "on_32_bits", lambda: bits_32)
    model = one_operator("QUANTIZE", 3, INT16)
    assert message in explain_refusal(model, reason="it says no", runtime=runtime)


def test_an_old_tflite_runtime_is_mended_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_versions, "on_32_bits", lambda: True)
    model = one_operator("FULLY_CONNECTED", 4, DENSE, scales=4)
    answer = explain_refusal(model, reason="no", runtime="tflite-runtime 2.5.0")
    assert answer.endswith("this is tflite-runtime 2.5.0; pip install 'tflite-runtime>=2.12.0'")


def test_a_damaged_file_is_not_blamed_on_the_runtime() -> None:
    model = one_operator("QUANTIZE", 3, INT16)
    for damaged in (model[: len(model) // 2], b""):
        with pytest.raises(EdgeclfError, match=r"m: the runtime refuses the model .*; copy or"):
            open_interpreter(damaged, name="m", threads=1)


def test_the_doctor_fails_on_what_no_runtime_knows(tmp_path: Path, cli: Callable) -> None:
    path = tmp_path / "new.tflite"
    write_model(path, one_operator("FULLY_CONNECTED", 99, DENSE), SPEC)
    [check] = model_checks(path)
    assert (check.name, check.state) == ("model", "failed")
    assert "version '99'" in check.detail
    assert "no runtime is known that has FULLY_CONNECTED version 99" in check.detail
    assert check.mend.startswith("pip install --upgrade ai-edge-litert")
    assert "failed   model" in cli("doctor", path, code=1).output
