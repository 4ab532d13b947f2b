"""The check for Google's Edge TPU, and what its compiler is asked and answers.

The compiler cannot be had for tests: a script of the same name stands for it, which prints what the
real one prints.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT
from click.testing import Result
from flatbuffers import Builder

from edgeclf.convert.export.edgetpu import command
from edgeclf.convert.export.edgetpu.check import map_operators, refused_operators
from edgeclf.edge_runtime.model_file.container import read_model, write_model
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

Cli = Callable[..., Result]
Compiler = Callable[[str], None]

TABLE = """Edge TPU Compiler version 16.0.384591198
Number of Edge TPU subgraphs: 1

Operator                       Count      Status

CONV_2D                        12         Mapped to Edge TPU
FULLY_CONNECTED                2          Operation is otherwise supported, but not mapped
SOFTMAX                        1          More than one subgraph is not supported
"""
# It copies its input, as the compiler keeps what is around the graph.
COMPILES = f"""
import sys, shutil
folder = sys.argv[sys.argv.index("--out_dir") + 1]
shutil.copy(sys.argv[-1], folder + "/model_edgetpu.tflite")
print({TABLE!r})
"""


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """Put a program called edgetpu_compiler on the PATH, and nothing else."""

    def install(code: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "edgetpu_compiler"
        program.write_text(f"#!{sys.executable}\n{code}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return install


def _changed(model: Path, change: Callable[[ModelT], None]) -> bytes:
    graph = ModelT.InitFromPackedBuf(read_model(model)[0])
    change(graph)
    builder = Builder(0)
    builder.Finish(graph.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _operators(graph: ModelT, name: str) -> list[Any]:
    codes = graph.operatorCodes
    code = getattr(BuiltinOperator, name)
    return [
        operator
        for operator in graph.subgraphs[0].operators
        if codes[operator.opcodeIndex].builtinCode == code
    ]


def _dilate(graph: ModelT) -> None:
    _operators(graph, "CONV_2D")[1].builtinOptions.dilationWFactor = 2


def _activate(graph: ModelT) -> None:
    _operators(graph, "CONCATENATION")[0].builtinOptions.fusedActivationFunction = 1


def _rename(graph: ModelT) -> None:
    [code] = [each for each in graph.operatorCodes if each.builtinCode == BuiltinOperator.SOFTMAX]
    code.builtinCode = code.deprecatedBuiltinCode = BuiltinOperator.LOG_SOFTMAX


def _many_classes(graph: ModelT) -> None:
    [softmax] = _operators(graph, "SOFTMAX")
    graph.subgraphs[0].tensors[softmax.inputs[0]].shape = [1, 16_001]


def _batch(graph: ModelT) -> None:
    convolution = _operators(graph, "CONV_2D")[0]
    graph.subgraphs[0].tensors[convolution.inputs[0]].shapeSignature = [-1, 32, 32, 3]


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        (_dilate, "CONV_2D", "dilations that differ, 2 and 1"),
        (_activate, "CONCATENATION", "a fused activation function"),
        (_rename, "LOG_SOFTMAX", "not among the operators of the Edge TPU"),
        (_many_classes, "SOFTMAX", "16001 classes, over 16000"),
        (_batch, "CONV_2D", "a size that is not fixed"),
    ],
)
def test_what_google_excludes_stays_with_the_cpu(
    tiny_models: Path, change: Callable[[ModelT], None], name: str, reason: str
) -> None:
    before = map_operators(parse_tflite(read_model(tiny_models / "int8.tflite")[0]))
    assert (name, reason) not in before.reasons
    after = map_operators(parse_tflite(_changed(tiny_models / "int8.tflite", change)))
    assert after.reasons[name, reason] == 1
    assert after.mapped <= before.mapped
    assert after.mapped + after.on_cpu == after.operators == before.operators


def test_all_behind_the_first_stays_with_the_cpu(tiny_models: Path) -> None:
    graph = parse_tflite(_changed(tiny_models / "int8.tflite", _dilate))
    mapping = map_operators(graph)
    place = [operator.name for operator in graph.operators].index("CONV_2D")
    second = [operator.name for operator in graph.operators].index("CONV_2D", place + 1)
    assert mapping.mapped == second
    assert mapping.first == "CONV_2D"


def test_an_int8_file_is_mapped_up_to_its_head(
    cli: Cli, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = cli("export", "edgetpu", tiny_models / "int8.tflite", "--out", tmp_path / "o", code=1)
    assert "FULLY_CONNECTED and all operators behind it" in done.stdout
    assert "a scale per channel, which TensorFlow Lite has since 2.12" in done.stdout
    assert "edgetpu_compiler is not on the PATH" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_other_files_have_nothing_for_it(cli: Cli, tiny_models: Path, tmp_path: Path) -> None:
    done = cli("export", "edgetpu", tiny_models / "float32.tflite", "--out", tmp_path, code=1)
    assert "CONV_2D" in done.stdout
    assert "float32, not 8-bit integers" in done.stdout
    assert "give an int8 file, not float32" in done.stderr


def test_a_file_that_is_too_new_for_the_compiler_is_refused(
    cli: Cli, tiny_models: Path, tmp_path: Path
) -> None:
    def renew(graph: ModelT) -> None:
        for code in graph.operatorCodes:
            if code.builtinCode == BuiltinOperator.CONV_2D:
                code.version = 6

    model = tmp_path / "new.tflite"
    write_model(model, _changed(tiny_models / "int8.tflite", renew), read_model(
        tiny_models / "int8.tflite")[1])  # fmt: skip
    assert refused_operators(parse_tflite(read_model(model)[0]))
    done = cli("export", "edgetpu", model, "--out", tmp_path / "o", code=1)
    assert "older than CONV_2D version 6 (TensorFlow 2.9.0)" in done.stderr


def test_the_compiler_makes_a_file_with_labels_and_spec(
    cli: Cli, tiny_models: Path, tmp_path: Path, compiler: Compiler
) -> None:
    compiler(COMPILES)
    model, out = tiny_models / "int8.tflite", tmp_path / "out"
    done = cli("export", "edgetpu", model, "--out", out)
    assert "int8_edgetpu.tflite: by Edge TPU Compiler 16.0.384591198" in done.stdout
    assert "operators on the Edge TPU 12, on the CPU 3\n" in done.stdout
    assert done.stderr == "Warning: what the CPU computes is slow\n"
    assert "SOFTMAX" in (out / "int8_edgetpu.log").read_text()
    spec, before = read_model(out / "int8_edgetpu.tflite")[1], read_model(model)[1]
    assert spec.provenance is not None
    assert spec.provenance["compiled"] == {
        "target": "edgetpu", "compiler": "16.0.384591198", "npu_operators": 12, "cpu_operators": 3,
    }  # fmt: skip
    assert replace(spec, provenance=before.provenance) == before


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('Internal compiler error. Aborting!'); exit(1)", "1: Internal compiler error"),
        ("print('nothing')", "ended with 0: nothing"),
        (COMPILES.replace("version", "release"), "prints no version, or no table of operators"),
        ("import time; time.sleep(60)", "was ended after 1 s without a result"),
    ],
)
def test_a_compiler_that_fails_leaves_nothing(
    cli: Cli,
    tiny_models: Path,
    tmp_path: Path,
    compiler: Compiler,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    message: str,
) -> None:
    compiler(code)
    if "sleep" in code:
        monkeypatch.setattr(command, "_SECONDS", 1)
    done = cli("export", "edgetpu", tiny_models / "int8.tflite", "--out", tmp_path / "o", code=1)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "o").exists()
