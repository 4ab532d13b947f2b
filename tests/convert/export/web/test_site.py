"""The folder that `edgeclf export web` writes."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from schemas import valid

from edgeclf.convert.export.web import command
from edgeclf.convert.export.web.site import write_site
from edgeclf.edge_runtime import EdgeclfError

Cli = Callable[..., Result]

RUNTIME = {"core.js": b"export {};", "litert_wasm_internal.wasm": b"wasm" * 1000}


@pytest.fixture
def export(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run `edgeclf export web` with a runtime of nothing, which needs no network."""
    monkeypatch.setattr(command, "litert_files", lambda *, offline: RUNTIME)  # noqa: ARG005

    def run(*arguments: object, code: int = 0) -> Result:
        return cli("export", "web", *arguments, code=code)

    return run


def test_a_site_holds_the_very_file_and_all_that_it_needs(
    export: Cli, tiny_models: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    printed = export(tiny_models / "int8.tflite", "--out", site, "--name", "Glas ä").output
    assert "a first visit loads" in printed
    assert (site / "model.tflite").read_bytes() == (tiny_models / "int8.tflite").read_bytes()
    assert (
        gzip.decompress((site / "litert/litert_wasm_internal.wasm.gz").read_bytes())
        == (RUNTIME["litert_wasm_internal.wasm"])
    )
    assert "Apache License" in (site / "litert/LICENSE").read_text()
    manifest = json.loads((site / "manifest.webmanifest").read_text())
    described = valid("models/site", json.loads((site / "site.json").read_text()))
    assert manifest["name"] == described["name"] == "Glas ä"
    assert all((site / icon["src"]).is_file() for icon in manifest["icons"])
    first = json.loads(
        (site / "service_worker.js").read_text().partition("SMALL = ")[2].partition(";")[0]
    )
    assert "index.html" in first
    assert all((site / file).exists() for file in first)


def test_the_same_model_makes_the_same_site_and_another_one_another_version(
    export: Cli, tiny_models: Path, tmp_path: Path
) -> None:
    for name, model in (("a", "int8"), ("b", "int8"), ("c", "float32")):
        shutil.copyfile(tiny_models / f"{model}.tflite", tmp_path / "model.tflite")
        export(tmp_path / "model.tflite", "--out", tmp_path / name)
    contents = [
        {file.name: file.read_bytes() for file in (tmp_path / name).rglob("*") if file.is_file()}
        for name in "abc"
    ]
    assert contents[0] == contents[1]
    assert contents[0]["service_worker.js"] != contents[2]["service_worker.js"]


def test_a_folder_that_holds_something_is_left_alone(
    export: Cli, tiny_models: Path, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/mine.txt").touch()
    printed = export(tiny_models / "int8.tflite", "--out", tmp_path / "site", code=1).output
    assert "exists already; give a new folder" in printed
    assert [file.name for file in tmp_path.rglob("*")] == ["site", "mine.txt"]


@pytest.mark.parametrize("content", [None, b"", b"0000TFL3"])
def test_what_is_no_model_of_edgeclf_is_refused(tmp_path: Path, content: bytes | None) -> None:
    model = tmp_path / "model.tflite"
    if content is not None:
        model.write_bytes(content)
    with pytest.raises(EdgeclfError, match=r"model\.tflite: "):
        write_site(model, out=tmp_path / "site", name="x", runtime=RUNTIME)
    assert not (tmp_path / "site").exists()


def test_a_place_that_cannot_be_written_is_one_line(
    export: Cli, tiny_models: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    out = tmp_path / "file" / "site"
    result = export(tiny_models / "int8.tflite", "--out", out, code=1)
    assert result.stderr.startswith(f"Error: {out}: cannot be written (")
    assert result.stderr.endswith("); choose another place\n")
