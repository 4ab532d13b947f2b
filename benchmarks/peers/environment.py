"""The peers' environment: what runs there cannot disturb ours, and reports to nobody."""

import os
import subprocess
import sys
from pathlib import Path

import click

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import write_text

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent

# OpenVINO's and NNCF's telemetry heed these. MediaPipe's has no switch, see entries.py.
_SILENT = {"CI": "true", "NNCF_CI": "1"}


def peers_python(work: Path) -> Path:
    """Return the interpreter of the peers' environment, which is made below `work` if missing.

    Raises:
        EdgeclfError: this Python is too old or too new for the peers, or pip fails.
    """
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise EdgeclfError(
            "the peers have no wheels for Python {}.{}; make the environment with 3.11 to 3.13: "
            "make clean, then make PYTHON=python3.13".format(*sys.version_info)
        )
    pinned, alone, constraints = (
        _HERE / "requirements.txt", _HERE / "requirements-alone.txt", _ROOT / "constraints.txt"
    )  # fmt: skip
    return _installed(
        work / "venv",
        ["--requirement", pinned, "--constraint", constraints, "--editable", _ROOT],
        ["--no-deps", "--requirement", alone],
        wanted=str(_ROOT) + "".join(path.read_text() for path in (pinned, alone, constraints)),
    )


def yolo_python(work: Path) -> Path:
    """Return the interpreter of Ultralytics' environment, which is made below `work` if missing.

    Raises:
        EdgeclfError: pip fails.
    """
    pinned = _HERE / "requirements-yolo.txt"
    return _installed(work / "venv", ["--requirement", pinned], wanted=pinned.read_text())


def _installed(environment: Path, *installs: list[str | Path], wanted: str) -> Path:
    """Return the interpreter of `environment`, made anew unless it was made from `wanted`."""
    python, installed = environment / "bin" / "python", environment / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        click.echo(f"Installing the peers into {environment}")
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        commands: list[list[str | Path]] = [
            [sys.executable, "-m", "venv", "--clear", environment],
            *([*pip, *arguments] for arguments in installs),
        ]
        for command in commands:
            if subprocess.run(command, check=False).returncode:
                raise EdgeclfError(f"{environment}: the peers cannot be installed; see above")
        write_text(installed, wanted)
    return python


def peers_command(python: Path, module: str, *arguments: str | Path) -> list[str]:
    """Return the command that runs a module below this folder in the peers' environment."""
    return [str(python), "-m", f"edgeclf.benchmarks.peers.{module}", *map(str, arguments)]


def silent_environment() -> dict[str, str]:
    """Return the variables under which the peers run."""
    return os.environ | _SILENT


def run_there(python: Path, module: str, *arguments: str | Path) -> None:
    """Run a module below this folder in the peers' environment, its output on our terminal."""
    command = peers_command(python, module, *arguments)
    if subprocess.run(command, env=silent_environment(), check=False).returncode:
        raise EdgeclfError(f"{module} failed in the peers' environment; see above")
