"""The rows of emulated Raspberry Pis: 64-bit with ai-edge-litert, 32-bit with tflite-runtime.

The wheel is installed on the system, `edgeclf run` and the file's self-test must succeed there, and
what the runtime gives is compared as in every other row. See docs/develop/pi.md.
"""

import base64
import json
import re
import shutil
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgeclf.benchmarks.pi_emulation.boards import ARMHF, BOARDS, BOARDS_32, Board, Guest
from edgeclf.benchmarks.pi_emulation.cache import keep_folder
from edgeclf.benchmarks.pi_emulation.debian import UnavailableError
from edgeclf.benchmarks.pi_emulation.emulator import Emulator
from edgeclf.benchmarks.pi_emulation.system import (
    ARMHF_RUNTIME,
    ROOT,
    build_wheel,
    check_machine,
    install,
    keep_system,
)
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.model_file.container import read_model

from .cases import Case, read_case
from .rows import BIT_EQUAL, CLOSE, CLOSE_RECIPES, Row

_PROBE = Path(__file__).parent / "probes" / "interpreter.py"
_LITERT = "ai-edge-litert"


def rows() -> list[Row]:
    """Return the rows of the emulated boards."""
    pi_4, pi_5 = BOARDS
    newest = f"{_LITERT}=={version(_LITERT)}"
    return [
        _row(pi_4, oldest_litert(), BIT_EQUAL),
        _row(pi_4, newest, BIT_EQUAL),
        _row(pi_5, newest, BIT_EQUAL),
        _row(BOARDS_32[0], ARMHF_RUNTIME, CLOSE),
    ]


def oldest_litert() -> str:
    """Return the requirement of the oldest ai-edge-litert that pyproject.toml allows."""
    found = re.search(rf'"{_LITERT}>=([0-9.]+)', (ROOT / "pyproject.toml").read_text())
    assert found is not None
    return f"{_LITERT}=={found[1]}"


def _row(board: Board, runtime: str, expected: str) -> Row:
    package, _, number = runtime.partition("==")

    def run(case: Path, work: Path) -> dict[str, Any]:
        try:
            return _run(
                _emulator(board.guest, runtime, work), board, package, read_case(case), work
            )
        except UnavailableError as error:
            return {"runtime": package, "unavailable": str(error)}

    title = f"{board.title} ({board.guest.machine}, emulated), {package} {number}"
    return Row(title, expected, run, recipes=CLOSE_RECIPES)


def _run(emulator: Emulator, board: Board, package: str, case: Case, work: Path) -> dict[str, Any]:
    """Run the probe, `edgeclf run` and the self-test on the board.

    Raises:
        EdgeclfError: one of them failed, or `edgeclf run` names another class than the outputs do.
    """
    out = work / f"{board.name}.json"
    emulator.python(board, _PROBE, package, "default", case.folder, out)
    seen: dict[str, Any] = json.loads(out.read_text())
    if "outputs" not in seen:
        return seen
    picture = work / f"{board.name}.png"
    cv2.imwrite(str(picture), cv2.cvtColor(case.images()[0], cv2.COLOR_RGB2BGR))
    ran = emulator.python(board, "-m", "edgeclf", "run", case.model, picture, "--json")
    label = json.loads(ran.stdout)["top"][0][0]
    _check_label(f"{case.name} on {board.title}", label, case, seen)
    emulator.python(board, "-m", "edgeclf", "inspect", case.model, "--self-test")
    return seen | {"ms": None}  # an emulation has no time of its own


def _check_label(where: str, label: str, case: Case, seen: dict[str, Any]) -> None:
    labels = read_model(case.model)[1].labels
    dtype = np.dtype(case.tensors[0].dtype).newbyteorder("<")
    scores = np.frombuffer(base64.b64decode(seen["outputs"][0]), dtype).reshape(case.inputs, -1)[0]
    if scores[labels.index(label)] != scores.max():
        best = labels[int(np.argmax(scores))]
        raise EdgeclfError(f"{where}: edgeclf run says {label!r} first, and the outputs {best!r}")


@cache
def _emulator(guest: Guest, runtime: str, work: Path) -> Emulator:
    """Return that architecture's system with today's wheel and the runtime, made if need be."""
    check_machine()
    system = work / f"pi-{guest.debian}"
    keep_system(system, BOARDS_32 if guest == ARMHF else BOARDS)
    if guest == ARMHF:
        return Emulator(system, _wheel(work))
    package = work / f"pi-{runtime}"
    keep_folder(
        package,
        f"Installing {runtime} for {guest.machine}",
        pins=[runtime],
        make=lambda empty: install("--no-deps", runtime, into=empty / "site", pinned=False),
    )
    return Emulator(system, _wheel(work), package / "site")


@cache
def _wheel(work: Path) -> Path:
    folder = work / "pi-edgeclf"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    install("--no-deps", "--offline", build_wheel(folder), into=folder / "site")
    return folder / "site"
