"""The other network: its export, by a stub of its command line, and who takes part then."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeclf.benchmarks.peers import side_by_side
from edgeclf.benchmarks.peers.entries import ENTRIES, YOLO_FOLDER
from edgeclf.benchmarks.peers.quantize import yolo
from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.edge_runtime import EdgeclfError

# Does as `yolo export` does: the model goes to the working folder, or beside its weights.
STUB = """#!{python}
import json, os, sys
from pathlib import Path
options = dict(part.split("=") for part in sys.argv[2:])
if options["model"].endswith(".pt") and Path(options["model"]).read_bytes() == b"broken":
    sys.exit("Traceback\\nRuntimeError: no such layer")
heard = {{"command": sys.argv[1], "options": options}}
heard |= {{name: os.environ.get(name) for name in ("FENCED", "YOLO_OFFLINE", "YOLO_AUTOINSTALL")}}
Path(options["model"]).with_suffix(".onnx").write_text(json.dumps(heard))
"""
FENCE = """
import os, sys
os.execvpe(sys.argv[1], sys.argv[1:], os.environ | {"FENCED": "yes"})
"""


@dataclass
class World:
    """What the export meets.

    Attributes:
        folder: where it works.
        weights: what lies where the weights are fetched from, if it exists.
    """

    folder: Path
    weights: Path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Stand in for the environment, its program, the network and the fence against that."""
    program, fence = tmp_path / "bin" / "yolo", tmp_path / "fence.py"
    program.parent.mkdir()
    program.write_text(STUB.format(python=sys.executable))
    program.chmod(0o755)
    fence.write_text(FENCE)
    weights = tmp_path / "assets.pt"
    monkeypatch.setattr(yolo, "yolo_python", lambda _folder: program.with_name("python"))
    monkeypatch.setattr(yolo, "no_network_failure", lambda: None)
    monkeypatch.setattr(yolo, "NO_NETWORK", (sys.executable, str(fence)))
    monkeypatch.setattr(yolo, "_WEIGHTS_URL", weights.as_uri())
    return World(tmp_path / "work", weights)


def test_without_its_weights_they_are_drawn_and_it_stays_off_the_network(world: World) -> None:
    made = yolo.export_yolo(world.folder)
    assert made.drawn
    heard = json.loads(made.path.read_text())
    assert heard == {
        "command": "export",
        "options": {
            "model": f"{yolo.MODEL}.yaml",
            "format": "onnx",
            "imgsz": "224",
            "device": "cpu",
        },
        "FENCED": "yes",
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
    }


def test_its_own_weights_are_taken_as_soon_as_they_can_be_had(world: World) -> None:
    drawn = yolo.export_yolo(world.folder)
    world.weights.write_bytes(b"weights")
    own = yolo.export_yolo(world.folder)
    assert not own.drawn
    assert own.path != drawn.path
    weights = Path(json.loads(own.path.read_text())["options"]["model"])
    assert weights.read_bytes() == b"weights"


def test_what_is_exported_is_kept(world: World) -> None:
    made = yolo.export_yolo(world.folder)
    made.path.write_text("of the first run")
    assert yolo.export_yolo(world.folder) == made
    assert made.path.read_text() == "of the first run"


def test_a_failed_export_is_told_in_a_line(world: World) -> None:
    world.weights.write_bytes(b"broken")
    with pytest.raises(EdgeclfError) as error:
        yolo.export_yolo(world.folder)
    assert str(error.value) == f"{yolo.MODEL}: cannot be exported (RuntimeError: no such layer)"


def test_without_a_fence_it_is_not_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yolo, "no_network_failure", lambda: "there is no fence")
    with pytest.raises(EdgeclfError, match="there is no fence"):
        yolo.export_yolo(world.folder)
    assert not world.folder.exists()


def test_it_is_quantized_once_for_each_export(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, quantized = Exchange(tmp_path / "exchange"), []
    (exchange.folder / YOLO_FOLDER).mkdir(parents=True)

    def run_there(_python: Path, module: str, folder: Path) -> None:
        quantized.append((module, (folder / YOLO_FOLDER / "float.onnx").read_text()))

    monkeypatch.setattr(yolo, "run_there", run_there)
    for _ in range(2):
        made = yolo.add_yolo(Path(sys.executable), exchange, work=world.folder)
    assert quantized == [("quantize.yolo_int8", made.path.read_text())]
    world.weights.write_bytes(b"weights")
    own = yolo.add_yolo(Path(sys.executable), exchange, work=world.folder)
    assert quantized[1:] == [("quantize.yolo_int8", own.path.read_text())]


def test_the_titles_tell_of_drawn_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def participants(*, drawn: bool) -> tuple[dict[str, side_by_side.Entry], dict[str, str]]:
        made = yolo.Yolo(tmp_path / "model.onnx", drawn)
        monkeypatch.setattr(side_by_side, "add_yolo", lambda *_, **__: made)
        return side_by_side._participants(Path("python"), Exchange(tmp_path), tmp_path)

    others = {name for name, entry in ENTRIES.items() if entry.other}
    assert participants(drawn=False)[0] == ENTRIES
    entries, absent = participants(drawn=True)
    assert list(entries) == list(ENTRIES)
    assert {name for name, entry in entries.items() if entry.drawn} == others
    assert {name for name, entry in entries.items() if "drawn weights" in entry.title} == others
    assert absent == side_by_side.ABSENT


def test_what_cannot_be_installed_is_a_line_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise EdgeclfError("venv: the peers cannot be installed; see above")

    monkeypatch.setattr(side_by_side, "add_yolo", refuse)
    exchange = Exchange(tmp_path)
    entries, absent = side_by_side._participants(Path("python"), exchange, tmp_path)
    assert entries == {name: entry for name, entry in ENTRIES.items() if not entry.other}
    assert absent[yolo.MODEL] == "venv: the peers cannot be installed; see above"
    assert "given up: venv" in capsys.readouterr().err
