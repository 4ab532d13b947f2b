"""Files compiled for Ethos-U by Arm's Vela itself."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from edgeclf.convert.export.ethos_u import compile_for
from edgeclf.edge_runtime import EdgeclfError
from edgeclf.edge_runtime.model_file.container import read_model
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

Cli = Callable[..., Result]


@pytest.mark.parametrize("target", ["ethos-u55-256", "ethos-u65-512", "ethos-u85-256"])
def test_an_int8_file_runs_on_the_npu_alone(
    cli: Cli, tiny_models: Path, surfaces: Path, tmp_path: Path, target: str
) -> None:
    model, out = tiny_models / "int8.tflite", tmp_path / "compiled.tflite"
    printed = cli("export", "ethos-u", model, "--target", target, "--out", out).output
    assert f"for {target} by Vela" in printed
    assert "on the CPU 0\n" in printed
    data, spec = read_model(out)  # sound, and its digest is right
    assert [one.name for one in parse_tflite(data).operators] == ["ethos-u"]
    assert spec.provenance is not None
    compiled = spec.provenance["compiled"]
    assert (compiled["target"], compiled["cpu_operators"]) == (target, 0)
    assert compiled["milliseconds"] > 0
    assert compiled["sram_kib"] + compiled["storage_kib"] > 0
    before = read_model(model)[1]
    assert replace(spec, provenance=before.provenance) == before

    printed = cli("run", out, surfaces, code=1).stderr
    assert "it was compiled for Arm's Ethos-U, and only a runtime with its driver" in printed
    refused = cli("export", "ethos-u", out, "--out", tmp_path / "again.tflite", code=1).stderr
    assert f"compiled already, for {target}; give the file from before" in refused
    content = out.read_bytes()
    refused = cli("export", "ethos-u", model, "--out", out, code=1).stderr
    assert f"{out}: exists; choose another file" in refused
    assert out.read_bytes() == content


def test_a_float_file_has_nothing_for_the_npu(tiny_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "compiled.tflite"
    with pytest.raises(EdgeclfError, match="give an int8 file, not float32"):
        compile_for(tiny_models / "float32.tflite", out=out, target="ethos-u55-256")
    assert not out.exists()


def test_without_vela_the_error_says_what_to_install(
    tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(EdgeclfError, match=r"pip install 'edgeclf\[ethos\]'"):
        compile_for(
            tiny_models / "int8.tflite", out=tmp_path / "out.tflite", target="ethos-u55-256"
        )
